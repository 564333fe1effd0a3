//! The scope grammar: one form in memory and on the wire, parsed once into a type.
//!
//! A scope is 1 to [`SCOPE_MAX_BYTES`] bytes of `[A-Za-z0-9_.:/-]` with at most one `*`, which
//! does not come first. This is the alphabet that php-via accepts from its brokers, so every
//! name that [`scope!`](crate::scope!) can make crosses nodes.
//!
//! A name that an argument makes too long is cut and ends in its hash; a wildcard that meets such a
//! name compares what is left of it, so a broadcast may reach too many and never too few.

use std::borrow::Borrow;
use std::fmt::{self, Display, Write};
use std::rc::Rc;

/// The longest scope, in bytes.
pub const SCOPE_MAX_BYTES: usize = 256;

/// What an over-long name ends with: two dots (no escape makes them) and 128 bits of its hash.
const DIGEST_BYTES: usize = 2 + 32;

/// What is left of an over-long name before that.
const HEAD_BYTES: usize = SCOPE_MAX_BYTES - DIGEST_BYTES;

/// Words that only mean something to a context.
const RELATIVE: [&str; 3] = ["tab", "route", "session"];

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
    /// All pages of this node that show `app.peers()`: the server itself makes it stale when that
    /// changes, and it never leaves the node.
    pub const PEERS: Self = Self(Repr::Static("autovia.peers"));
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
        if RELATIVE.contains(&text) {
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
        if name.len() > SCOPE_MAX_BYTES
            && let Some(star) = name.find('*')
        {
            // What it stands for may be cut too: it stands for all that begins alike.
            name.truncate(star.min(HEAD_BYTES));
            name.push('*');
        }
        if name.len() > SCOPE_MAX_BYTES {
            let digest = ring::digest::digest(&ring::digest::SHA256, name.as_bytes());
            name.truncate(HEAD_BYTES);
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
            Some((before, after)) => match head_of_cut(name) {
                // Its end is lost: rather one render too many than one too few.
                Some(head) => head.starts_with(&before[..before.len().min(HEAD_BYTES)]),
                None => {
                    name.len() >= before.len() + after.len()
                        && name.starts_with(before)
                        && name.ends_with(after)
                }
            },
        }
    }
}

/// Which broadcasts go to other nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crossing {
    /// None: there is no link.
    Nothing,
    /// All but those of sessions, whose names mean nothing elsewhere: each node has its own key.
    AllButSessions,
    /// All; nodes with the same key give the same session the same name.
    All,
}

impl Crossing {
    /// A broadcast of `scope` concerns other nodes.
    pub fn allows(self, scope: &Scope) -> bool {
        match self {
            Self::Nothing => false,
            _ if *scope == Scope::PEERS => false,
            Self::AllButSessions => !scope.as_str().starts_with("session:"),
            Self::All => true,
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

/// What is left of a name that was too long; `None` for one that is whole.
fn head_of_cut(name: &str) -> Option<&str> {
    let (head, digest) = name.split_at_checked(HEAD_BYTES)?;
    let hex = digest.strip_prefix("..")?;
    let is_cut = digest.len() == DIGEST_BYTES && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_cut.then_some(head)
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

/// Checks a pattern of [`scope!`](crate::scope!) while the program is compiled: whatever the
/// arguments are, the name is of the grammar, and not of an argument's making alone.
#[doc(hidden)]
#[must_use]
pub const fn pattern_is_valid(pattern: &str, arguments: usize) -> bool {
    let bytes = pattern.as_bytes();
    if bytes.len() > SCOPE_MAX_BYTES || is_relative(bytes) {
        return false;
    }
    let (mut index, mut holes, mut stars, mut fixed) = (0, 0, 0, false);
    while index < bytes.len() {
        match bytes[index] {
            b'{' if index + 1 < bytes.len() && bytes[index + 1] == b'}' => {
                holes += 1;
                index += 1;
            }
            // An argument may be empty: what comes before is no first place's guard.
            b'*' if fixed && stars == 0 => stars += 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b':' | b'/' | b'-' => {
                fixed = true;
            }
            _ => return false,
        }
        index += 1;
    }
    fixed && holes == arguments
}

const fn is_relative(pattern: &[u8]) -> bool {
    let mut word = 0;
    while word < RELATIVE.len() {
        let bytes = RELATIVE[word].as_bytes();
        let mut same = 0;
        while same < bytes.len() && same < pattern.len() && bytes[same] == pattern[same] {
            same += 1;
        }
        if same == bytes.len() && same == pattern.len() {
            return true;
        }
        word += 1;
    }
    false
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
///
/// A name that is all argument could be anybody's, `global` too:
/// ```compile_fail
/// autovia::scope!("{}", "lobby");
/// ```
#[macro_export]
macro_rules! scope {
    ($pattern:literal $(, $argument:expr)* $(,)?) => {{
        const ARGUMENTS: usize = <[&str]>::len(&[$(stringify!($argument)),*]);
        const {
            assert!(
                $crate::pattern_is_valid($pattern, ARGUMENTS),
                "a scope is 1 to 256 of A-Z a-z 0-9 _ . : / - with one {{}} per argument, a fixed character at least, and at most one * after that; Scope::ROUTE, Scope::SESSION and Scope::TAB are no names"
            );
        };
        $crate::Scope::build($pattern, &[$(&$argument as &dyn ::core::fmt::Display),*])
    }};
}

#[cfg(test)]
#[path = "scope/tests.rs"]
mod tests;
