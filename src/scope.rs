//! The scope grammar: one form in memory and on the wire, parsed once into a type.
//!
//! A scope is 1 to [`SCOPE_MAX_BYTES`] bytes of `[A-Za-z0-9_.:/-]` with at most one `*`, which
//! does not come first. This is the alphabet that php-via accepts from its brokers, so every
//! name that [`scope!`](crate::scope!) can make crosses nodes.

use std::borrow::Borrow;
use std::fmt::{self, Display, Write};
use std::rc::Rc;

/// The longest scope, in bytes.
pub const SCOPE_MAX_BYTES: usize = 256;

/// What an over-long name ends with: two dots (no escape makes them) and 128 bits of its hash.
const DIGEST_BYTES: usize = 2 + 32;

/// A set of contexts that a change concerns, by its absolute name.
#[derive(Clone)]
pub struct Scope(Repr);

#[derive(Clone)]
enum Repr {
    Static(&'static str),
    Shared(Rc<str>),
}

/// The scope of one context. It is no [`Scope`], so nothing that crosses a context accepts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TabScope(());

/// A scope that each context has one of: its route, or its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnScope {
    /// All contexts on the same concrete path.
    Route,
    /// All contexts of the same browser session.
    Session,
}

impl Scope {
    /// Every context of every node.
    pub const GLOBAL: Self = Self(Repr::Static("global"));
    /// All contexts on the same concrete path as the one that names it.
    pub const ROUTE: OwnScope = OwnScope::Route;
    /// All contexts of the same browser session as the one that names it.
    pub const SESSION: OwnScope = OwnScope::Session;
    /// The one context itself.
    ///
    /// ```compile_fail
    /// fn leak(app: &autovia::App) {
    ///     app.broadcast(autovia::Scope::TAB);
    /// }
    /// ```
    pub const TAB: TabScope = TabScope(());

    /// Reads a scope from outside.
    ///
    /// # Errors
    /// [`ScopeError`], when `text` is not of the grammar or names `tab`, `route` or `session` bare.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        if text == "global" {
            return Ok(Self::GLOBAL);
        }
        if text.is_empty() {
            return Err(ScopeError::Empty);
        }
        if text.len() > SCOPE_MAX_BYTES {
            return Err(ScopeError::TooLong { bytes: text.len() });
        }
        if let Some(found) = text.chars().find(|c| !is_scope_char(*c) && *c != '*') {
            return Err(ScopeError::Character { found });
        }
        if text.starts_with('*') || text.matches('*').count() > 1 {
            return Err(ScopeError::Wildcard);
        }
        if matches!(text, "tab" | "route" | "session") {
            return Err(ScopeError::Relative {
                word: text.to_owned(),
            });
        }
        Ok(Self(Repr::Shared(text.into())))
    }

    /// The scope of a concrete path, as its request line has it, without the query.
    #[must_use]
    pub fn route(path: &str) -> Self {
        let mut name = String::from("route:");
        escape(path, "/", &mut name);
        Self::bounded(name)
    }

    /// The scope of a session, by the keyed hash that stands for its id.
    #[must_use]
    pub fn session(hash: [u8; 16]) -> Self {
        let mut name = String::from("session:");
        push_hex(&hash, &mut name);
        Self(Repr::Shared(name.into()))
    }

    /// What [`scope!`](crate::scope!) calls: `pattern` with each `{}` replaced by an escaped argument.
    #[doc(hidden)]
    #[must_use]
    pub fn build(pattern: &'static str, arguments: &[&dyn Display]) -> Self {
        if arguments.is_empty() {
            return if pattern == "global" {
                Self::GLOBAL
            } else {
                Self(Repr::Static(pattern))
            };
        }
        let mut name = String::with_capacity(pattern.len() + 16);
        let mut arguments = arguments.iter();
        let mut text = String::new();
        for (index, part) in pattern.split("{}").enumerate() {
            if index > 0
                && let Some(argument) = arguments.next()
            {
                text.clear();
                write!(text, "{argument}").expect("a String takes all");
                escape(&text, "", &mut name);
            }
            name.push_str(part);
        }
        Self::bounded(name)
    }

    fn bounded(mut name: String) -> Self {
        if name.len() > SCOPE_MAX_BYTES {
            let digest = ring::digest::digest(&ring::digest::SHA256, name.as_bytes());
            name.truncate(SCOPE_MAX_BYTES - DIGEST_BYTES);
            name.push_str("..");
            push_hex(&digest.as_ref()[..16], &mut name);
        }
        Self(Repr::Shared(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Static(name) => name,
            Repr::Shared(name) => name,
        }
    }

    /// The name has a `*`, so it stands for every scope that it matches.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.as_str().contains('*')
    }

    /// `name` is this scope, or is matched by its `*` (any run of characters, `:` and `/` too).
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        match self.as_str().split_once('*') {
            None => self.as_str() == name,
            Some((before, after)) => {
                name.len() >= before.len() + after.len()
                    && name.starts_with(before)
                    && name.ends_with(after)
            }
        }
    }
}

impl Borrow<str> for Scope {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for Scope {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Scope {}

impl std::hash::Hash for Scope {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({})", self.as_str())
    }
}

impl Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// Nothing there.
    #[error("a scope is empty: give it a name such as `room:lobby`")]
    Empty,
    /// Too long.
    #[error(
        "a scope has {bytes} bytes, {SCOPE_MAX_BYTES} are allowed: shorten it, or use scope!(\"…\", argument), which shortens long arguments"
    )]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A character outside the alphabet.
    #[error(
        "a scope holds {found:?}, allowed are A-Z a-z 0-9 _ . : / - and one *: use scope!(\"…\", argument), which escapes its arguments"
    )]
    Character {
        /// The first such character.
        found: char,
    },
    /// A `*` in the first place, or two.
    #[error("a scope may hold one * and not in the first place: use for example `room:*`")]
    Wildcard,
    /// A word that only means something to a context.
    #[error(
        "`{word}` is no name of a scope: use Scope::ROUTE, Scope::SESSION or Scope::TAB where a context is at hand"
    )]
    Relative {
        /// The word.
        word: String,
    },
}

fn is_scope_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '/' | '-')
}

/// Injective: every byte but `[A-Za-z0-9_-]` and `keep` becomes a dot and two hex digits.
fn escape(text: &str, keep: &str, out: &mut String) {
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric()
            || matches!(c, '_' | '-')
            || (byte.is_ascii() && keep.contains(c))
        {
            out.push(c);
        } else {
            out.push('.');
            push_hex(&[byte], out);
        }
    }
}

fn push_hex(bytes: &[u8], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

/// Checks a pattern of [`scope!`](crate::scope!) while the program is compiled.
#[doc(hidden)]
#[must_use]
pub const fn pattern_is_valid(pattern: &str, arguments: usize) -> bool {
    let bytes = pattern.as_bytes();
    if bytes.is_empty() || bytes.len() > SCOPE_MAX_BYTES || bytes[0] == b'*' {
        return false;
    }
    let (mut index, mut holes, mut stars) = (0, 0, 0);
    while index < bytes.len() {
        match bytes[index] {
            b'{' if index + 1 < bytes.len() && bytes[index + 1] == b'}' => {
                holes += 1;
                index += 1;
            }
            b'*' => stars += 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b':' | b'/' | b'-' => {}
            _ => return false,
        }
        index += 1;
    }
    stars <= 1 && holes == arguments
}

/// A scope by name: `scope!("ticker")`, `scope!("room:{}", name)`, `scope!("room:*")`.
///
/// Arguments are escaped, so a user's text can forge neither a `*` nor another scope. The
/// pattern is checked while the program is compiled.
///
/// ```
/// use autovia::scope;
/// assert_eq!(scope!("room:{}", "lobby").as_str(), "room:lobby");
/// assert_eq!(scope!("room:{}", "a*").as_str(), "room:a.2a");
/// ```
#[macro_export]
macro_rules! scope {
    ($pattern:literal $(, $argument:expr)* $(,)?) => {{
        const ARGUMENTS: usize = <[&str]>::len(&[$(stringify!($argument)),*]);
        const {
            assert!(
                $crate::pattern_is_valid($pattern, ARGUMENTS),
                "a scope is 1 to 256 of A-Z a-z 0-9 _ . : / - with one {{}} per argument and at most one *, not in the first place"
            );
        };
        $crate::Scope::build($pattern, &[$(&$argument as &dyn ::core::fmt::Display),*])
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_cannot_forge_another_scope() {
        assert_eq!(scope!("room:{}", "lobby").as_str(), "room:lobby");
        assert_eq!(scope!("room:{}:x", "a:b").as_str(), "room:a.3ab:x");
        assert_ne!(scope!("{}:{}", "a", "b:c"), scope!("{}:{}", "a:b", "c"));
        assert!(!scope!("room:{}", "*").is_wildcard());
        assert_ne!(scope!("room:{}", "é"), scope!("room:{}", ".c3.a9"));
        assert!(Scope::parse(scope!("room:{}", "ü ☃ {x}").as_str()).is_ok());
    }

    #[test]
    fn long_names_end_in_their_hash_and_stay_different() {
        let (a, b) = ("x".repeat(400), "x".repeat(401));
        let (a, b) = (scope!("room:{}", a), scope!("room:{}", b));
        assert_eq!(a.as_str().len(), SCOPE_MAX_BYTES);
        assert_ne!(a, b);
        assert!(Scope::parse(a.as_str()).is_ok());
    }

    #[test]
    fn the_grammar_is_php_vias() {
        for good in [
            "room:lobby",
            "route:/chat",
            "a*b",
            "room:*",
            "global",
            "x.y-z_9",
        ] {
            assert_eq!(
                Scope::parse(good)
                    .map(|scope| scope.as_str().to_owned())
                    .as_deref(),
                Ok(good)
            );
        }
        for bad in [
            "", "*", "*a", "a**", "a b", "{x}", "a@b", "é", "a\0", "tab", "route", "session",
        ] {
            assert!(Scope::parse(bad).is_err(), "{bad:?} was accepted");
        }
        assert!(Scope::parse(&"a".repeat(257)).is_err());
    }

    #[test]
    fn wildcards_match_any_run() {
        let rooms = scope!("room:*");
        assert!(rooms.matches("room:a") && rooms.matches("room:a:b/c") && rooms.matches("room:"));
        assert!(!rooms.matches("rooms:a") && !rooms.matches("roo"));
        let middle = scope!("a*a");
        assert!(middle.matches("aa") && middle.matches("abba") && !middle.matches("a"));
    }

    #[test]
    fn a_route_is_its_concrete_path() {
        assert_eq!(
            Scope::route("/examples/counter").as_str(),
            "route:/examples/counter"
        );
        assert_ne!(Scope::route("/s/A"), Scope::route("/s/B"));
        assert!(
            Scope::parse(Scope::route("/a%20b/*").as_str()).is_ok_and(|scope| !scope.is_wildcard())
        );
    }
}
