//! The file of keys that sign session ids: lines of 64 hex digits, the first signs, all verify.
//!
//! A new key goes on top and the old one stays below it until the sessions that it signed are
//! old enough to be lost. No error repeats a byte of the file.

use crate::secret::Secret;

/// Bytes of one key.
pub const SESSION_KEY_BYTES: usize = 32;

/// How many keys may be accepted at once; each id that is no good is tried with all of them.
pub const SESSION_KEYS_MAX: usize = 16;

/// Keys that sign session ids: the first signs, all verify. Never empty.
pub type SessionKeys = Secret<Vec<[u8; SESSION_KEY_BYTES]>>;

/// Why a file of keys can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// A line has another length.
    #[error(
        "line {line} has {found} characters; a key is 64 hex digits. Make one with `openssl rand -hex 32`"
    )]
    Length {
        /// Number of the line, from 1.
        line: usize,
        /// Characters found there.
        found: usize,
    },
    /// A line has a character that is no hex digit.
    #[error(
        "line {line}, column {column} is no hex digit; a key is 64 of 0-9 and a-f. Make one with `openssl rand -hex 32`"
    )]
    Digit {
        /// Number of the line, from 1.
        line: usize,
        /// Number of the character, from 1.
        column: usize,
    },
    /// No line has a key.
    #[error("it has no key; put a line of 64 hex digits into it, as `openssl rand -hex 32` prints")]
    Empty,
    /// More keys than one would ever need.
    #[error(
        "line {line} is key number {}; at most {SESSION_KEYS_MAX} are accepted. Take out the oldest, which are the last ones",
        SESSION_KEYS_MAX + 1
    )]
    TooMany {
        /// Number of the line, from 1.
        line: usize,
    },
    /// A key that nobody drew at random.
    #[error(
        "line {line} repeats a single digit: everybody could guess it. Make a key with `openssl rand -hex 32`"
    )]
    Guessable {
        /// Number of the line, from 1.
        line: usize,
    },
}

/// Reads the keys; blank lines are passed over.
///
/// # Errors
/// A line that is no key, with its number; a file without keys.
pub fn parse_session_keys(text: &str) -> Result<SessionKeys, KeyFileError> {
    let mut keys = Vec::new();
    for (index, content) in text.lines().enumerate() {
        let (line, content) = (index + 1, content.trim());
        if content.is_empty() {
            continue;
        }
        if keys.len() == SESSION_KEYS_MAX {
            return Err(KeyFileError::TooMany { line });
        }
        keys.push(parse_key(line, content)?);
    }
    if keys.is_empty() {
        return Err(KeyFileError::Empty);
    }
    Ok(Secret::new(keys))
}

fn parse_key(line: usize, content: &str) -> Result<[u8; SESSION_KEY_BYTES], KeyFileError> {
    let mut key = [0; SESSION_KEY_BYTES];
    let mut first = None;
    let mut varied = false;
    let found = content.chars().count();
    if found != 2 * SESSION_KEY_BYTES {
        return Err(KeyFileError::Length { line, found });
    }
    for (index, char) in content.chars().enumerate() {
        let digit = char
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
            .ok_or(KeyFileError::Digit {
                line,
                column: index + 1,
            })?;
        varied |= *first.get_or_insert(digit) != digit;
        key[index / 2] = key[index / 2] << 4 | digit;
    }
    if varied {
        Ok(key)
    } else {
        Err(KeyFileError::Guessable { line })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";
    const OLD: &str = "ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00";

    #[test]
    fn keys_keep_their_order_and_blank_lines_are_nothing() {
        let keys = parse_session_keys(&format!("\n{NEW}\r\n\n  {OLD}  \n")).unwrap();
        let mut counted = [0; SESSION_KEY_BYTES];
        for (index, byte) in (0..).zip(&mut counted) {
            *byte = index;
        }
        assert_eq!(keys.expose()[0], counted);
        assert_eq!(keys.expose()[1][..2], [0xff, 0]);
        assert_eq!(keys.expose().len(), 2);
    }

    #[test]
    fn a_bad_line_is_named_and_never_repeated() {
        let short = &NEW[1..];
        let long = format!("{NEW}0");
        let odd = NEW.replacen("02", "0x", 1);
        let umlaut = NEW.replacen('0', "é", 1);
        for (text, error) in [
            (
                format!("{NEW}\n{short}"),
                KeyFileError::Length { line: 2, found: 63 },
            ),
            (
                format!("\n{long}"),
                KeyFileError::Length { line: 2, found: 65 },
            ),
            (odd.clone(), KeyFileError::Digit { line: 1, column: 6 }),
            (umlaut, KeyFileError::Digit { line: 1, column: 1 }),
            ("0".repeat(64), KeyFileError::Guessable { line: 1 }),
            (String::new(), KeyFileError::Empty),
            (" \n\n".to_owned(), KeyFileError::Empty),
            (
                format!("{NEW}\n").repeat(SESSION_KEYS_MAX + 1),
                KeyFileError::TooMany { line: 17 },
            ),
        ] {
            let found = parse_session_keys(&text).unwrap_err();
            assert_eq!(found, error);
            assert!(!found.to_string().contains(&NEW[10..20]), "{found}");
        }
    }

    #[test]
    fn debug_hides_the_keys() {
        let keys = parse_session_keys(NEW).unwrap();
        assert_eq!(format!("{keys:?}"), "Secret(hidden)");
    }
}
