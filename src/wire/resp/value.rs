//! Replies, reduced to what publishing and subscribing tell apart.

/// A reply.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A status or a text.
    Text(Vec<u8>),
    /// A whole number.
    Number(i64),
    /// Nothing.
    Null,
    /// An array; a map as its keys and values in turn.
    List(Vec<Value>),
    /// What the server says by itself.
    Push(Vec<Value>),
    /// The server refuses.
    Error(Refusal),
    /// A kind whose content nobody needs, as a map inside of another reply.
    Other,
    /// A reply with a text that was too long to keep.
    TooLong,
}

impl Value {
    /// The bytes of a text.
    #[must_use]
    pub fn as_text(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// An error reply. Its `Debug` shows the code word only: old servers repeat the arguments of an
/// unknown command, a password among them.
#[derive(Clone, PartialEq, Eq)]
pub struct Refusal(String);

/// The longest code word that is told.
const CODE_MAX_BYTES: usize = 24;

impl Refusal {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    #[cfg(test)]
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// The first word, as in `WRONGPASS`; `ERR` when it is none.
    #[must_use]
    pub fn code(&self) -> &str {
        let word = self.0.split(' ').next().unwrap_or_default();
        let is_code = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        if word.is_empty() || word.len() > CODE_MAX_BYTES || !word.bytes().all(is_code) {
            return "ERR";
        }
        word
    }

    /// The server does not know the command.
    #[must_use]
    pub fn is_unknown_command(&self) -> bool {
        self.0.starts_with("ERR unknown command")
    }

    /// Where to go instead, as in `MOVED 3999 127.0.0.1:6381`; an empty host is the one that was asked.
    #[must_use]
    pub fn moved_to(&self) -> Option<(&str, u16)> {
        let (_slot, place) = self.0.strip_prefix("MOVED ")?.split_once(' ')?;
        // Servers may put `,hostname` or more behind the port.
        let place = place.split([',', ' ']).next()?;
        let (host, port) = place.rsplit_once(':')?;
        let port = port.parse().ok().filter(|&port| port != 0)?;
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
        (host.len() <= 253 && host.bytes().all(is_host)).then_some((host, port))
    }
}

impl std::fmt::Debug for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Refusal({})", self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_words() {
        for (text, code) in [
            ("WRONGPASS invalid username-password pair", "WRONGPASS"),
            ("NOAUTH", "NOAUTH"),
            ("ERR unknown command", "ERR"),
            ("", "ERR"),
            ("geheim said the server", "ERR"),
            ("GEHEIMGEHEIMGEHEIMGEHEIMGEHEIM x", "ERR"),
        ] {
            assert_eq!(Refusal::new(text).code(), code, "{text}");
        }
        let echo = Refusal::new("ERR unknown command `HELLO`, with args: `geheim`");
        assert!(echo.is_unknown_command());
        assert_eq!(format!("{echo:?}"), "Refusal(ERR)");
    }

    #[test]
    fn moves() {
        for (text, place) in [
            ("MOVED 3999 127.0.0.1:6381", Some(("127.0.0.1", 6381))),
            ("MOVED 3999 ::1:6381", Some(("::1", 6381))),
            ("MOVED 3999 :6381", Some(("", 6381))),
            ("MOVED 3999 a.b-c:1", Some(("a.b-c", 1))),
            ("MOVED 3999", None),
            ("MOVED 3999 host:0", None),
            ("MOVED 3999 host:65536", None),
            ("MOVED 3999 ho/st:1", None),
            ("ASK 3999 127.0.0.1:6381", None),
        ] {
            assert_eq!(Refusal::new(text).moved_to(), place, "{text}");
        }
    }
}
