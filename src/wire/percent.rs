//! Strict percent-decoding.
//!
//! Invariant: the result is UTF-8 without NUL, or the text is refused; nothing is guessed, and
//! nothing is decoded twice.

use std::borrow::Cow;

/// Why a text can't be decoded. All of them are a 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PercentError {
    /// `%` without two hex digits behind it.
    #[error("the address holds a % that is not followed by two hex digits; write a plain % as %25")]
    Escape,
    /// The bytes are not UTF-8.
    #[error("the address does not decode to UTF-8; percent-encode text as UTF-8")]
    NotUtf8,
    /// A NUL, plain or as `%00`.
    #[error("the address holds a NUL character, which is never allowed")]
    Nul,
}

impl PercentError {
    /// The HTTP status to answer with.
    #[must_use]
    pub const fn status(self) -> u16 {
        400
    }
}

/// Decodes one path segment. `+` stays `+`; a decoded `/` is part of the segment.
///
/// # Errors
/// [`PercentError`]
pub fn decode_segment(text: &str) -> Result<Cow<'_, str>, PercentError> {
    decode(text, false)
}

/// Decodes one name or value of a query, where `+` is a space.
///
/// # Errors
/// [`PercentError`]
pub fn decode_query(text: &str) -> Result<Cow<'_, str>, PercentError> {
    decode(text, true)
}

fn decode(text: &str, plus_is_space: bool) -> Result<Cow<'_, str>, PercentError> {
    if text.contains('\0') {
        return Err(PercentError::Nul);
    }
    let is_plain = |byte| byte != b'%' && !(plus_is_space && byte == b'+');
    if text.bytes().all(is_plain) {
        return Ok(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
                let (Some(high), Some(low)) = (digit(), digit()) else {
                    return Err(PercentError::Escape);
                };
                let decoded = (high << 4 | low).to_be_bytes()[3];
                if decoded == 0 {
                    return Err(PercentError::Nul);
                }
                decoded
            }
            b'+' if plus_is_space => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes)
        .map(Cow::Owned)
        .map_err(|_| PercentError::NotUtf8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn segments() {
        for (text, decoded) in [
            ("", Ok("")),
            ("lobby", Ok("lobby")),
            ("a%20b", Ok("a b")),
            ("a+b", Ok("a+b")),
            ("%C3%a4", Ok("ä")),
            ("%2F%2e%2E", Ok("/..")),
            ("%2541", Ok("%41")),
            ("%", Err(PercentError::Escape)),
            ("%4", Err(PercentError::Escape)),
            ("%4g", Err(PercentError::Escape)),
            ("%+1", Err(PercentError::Escape)),
            ("%-1", Err(PercentError::Escape)),
            ("%%41", Err(PercentError::Escape)),
            ("%ff", Err(PercentError::NotUtf8)),
            ("%C3", Err(PercentError::NotUtf8)),
            ("%c0%80", Err(PercentError::NotUtf8)),
            ("%ed%a0%80", Err(PercentError::NotUtf8)),
            ("a%00b", Err(PercentError::Nul)),
            ("a\0b", Err(PercentError::Nul)),
        ] {
            assert_eq!(
                decode_segment(text).as_deref(),
                decoded.as_ref().copied(),
                "{text}"
            );
        }
        assert_eq!(decode_query("a+%2B").as_deref(), Ok("a +"));
    }

    proptest! {
        #[test]
        fn every_encoded_text_comes_back(text in "[^\0]{0,40}") {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            for decoded in [decode_segment(&encoded), decode_query(&encoded)] {
                prop_assert_eq!(decoded.as_deref(), Ok(text.as_str()));
            }
        }

        #[test]
        fn any_text_is_harmless(text: String) {
            if let Ok(decoded) = decode_segment(&text) {
                prop_assert!(!decoded.contains('\0'));
            }
        }
    }
}
