//! The context id `via_ctx`: base64url without padding of version, node, shard and randomness.
//!
//! Invariant: a context id has exactly one text, 26 characters long. What differs in case, length,
//! padding or in the unused bits of the last character is refused, so that two texts can't name one
//! context.

use std::fmt;

/// The layout that this build writes and reads.
const VERSION: u8 = 1;
/// Version (1), node (4), shard (2), random (12), big-endian.
const BYTES: usize = 19;
/// 19 bytes in base64url without padding; the last character carries 2 of its 6 bits.
const TEXT_LEN: usize = 26;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Names one context and the shard and node on which it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContextId {
    /// The process that made the context.
    pub node: u32,
    /// The shard on which the context lives.
    pub shard: u16,
    /// 96 random bits, drawn by the caller.
    pub random: [u8; 12],
}

/// Why a text is no context id. All of them are a 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not 26 characters.
    #[error("the context id has the wrong length; it is 26 characters long: reload the page")]
    Length,
    /// A character outside of base64url.
    #[error("the context id holds a character outside of A-Z a-z 0-9 - _: reload the page")]
    Alphabet,
    /// Unused bits are set.
    #[error("the context id is not in its canonical form: reload the page")]
    NotCanonical,
    /// Written by another layout.
    #[error("the context id is of an unknown version: reload the page")]
    Version,
}

impl IdError {
    /// The HTTP status to answer with.
    #[must_use]
    pub const fn status(self) -> u16 {
        400
    }
}

impl ContextId {
    /// The text that the browser holds.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = [0; BYTES];
        bytes[0] = VERSION;
        bytes[1..5].copy_from_slice(&self.node.to_be_bytes());
        bytes[5..7].copy_from_slice(&self.shard.to_be_bytes());
        bytes[7..].copy_from_slice(&self.random);
        let mut text = String::with_capacity(TEXT_LEN);
        for group in bytes.chunks(3) {
            let mut bits = [0; 4];
            bits[1..=group.len()].copy_from_slice(group);
            let word = u32::from_be_bytes(bits);
            for place in 0..=group.len() {
                let six = word >> (18 - 6 * place) & 63;
                text.push(char::from(ALPHABET[six as usize]));
            }
        }
        text
    }

    /// Reads the text back.
    ///
    /// # Errors
    /// [`IdError`] unless [`encode`](Self::encode) would give exactly this text.
    pub fn decode(text: &str) -> Result<Self, IdError> {
        if text.len() != TEXT_LEN {
            return Err(IdError::Length);
        }
        let mut bytes = [0; BYTES];
        let mut filled = 0;
        let mut word: u32 = 0;
        let mut bits = 0;
        for byte in text.bytes() {
            let six = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'-' => 62,
                b'_' => 63,
                _ => return Err(IdError::Alphabet),
            };
            word = word << 6 | u32::from(six);
            bits += 6;
            if bits >= 8 {
                bits -= 8;
                bytes[filled] = (word >> bits).to_be_bytes()[3];
                filled += 1;
                word &= (1 << bits) - 1;
            }
        }
        if word != 0 {
            return Err(IdError::NotCanonical);
        }
        if bytes[0] != VERSION {
            return Err(IdError::Version);
        }
        let [_, n0, n1, n2, n3, s0, s1, random @ ..] = bytes;
        Ok(Self {
            node: u32::from_be_bytes([n0, n1, n2, n3]),
            shard: u16::from_be_bytes([s0, s1]),
            random,
        })
    }
}

impl fmt::Display for ContextId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.encode())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: ContextId = ContextId {
        node: 0x0102_0304,
        shard: 0x0506,
        random: *b"0123456789ab",
    };

    #[test]
    fn the_layout_is_fixed() {
        assert_eq!(ID.encode(), "AQECAwQFBjAxMjM0NTY3ODlhYg");
        assert_eq!(ContextId::decode("AQECAwQFBjAxMjM0NTY3ODlhYg"), Ok(ID));
        assert_eq!(ID.to_string(), ID.encode());
    }

    #[test]
    fn other_texts_are_refused_by_name() {
        for (text, error) in [
            ("", IdError::Length),
            ("AQECAwQFBjAxMjM0NTY3ODlhY", IdError::Length),
            ("AQECAwQFBjAxMjM0NTY3ODlhYg=", IdError::Length),
            ("AQECAwQFBjAxMjM0NTY3ODlhY=", IdError::Alphabet),
            ("AQECAwQFBjAxMjM0NTY3ODlh+g", IdError::Alphabet),
            ("AQECAwQFBjAxMjM0NTY3ODlh/g", IdError::Alphabet),
            ("AQECAwQFBjAxMjM0NTY3ODlhYh", IdError::NotCanonical),
            ("AgECAwQFBjAxMjM0NTY3ODlhYg", IdError::Version),
            ("ÄÄÄÄÄÄÄÄÄÄÄÄÄ", IdError::Alphabet),
        ] {
            assert_eq!(ContextId::decode(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_id_survives(node: u32, shard: u16, random: [u8; 12]) {
            let id = ContextId { node, shard, random };
            prop_assert_eq!(ContextId::decode(&id.encode()), Ok(id));
        }

        #[test]
        fn a_text_that_is_read_is_the_one_that_is_written(text in "[A-Za-z0-9_-]{26}") {
            let text = format!("AQ{}", &text[2..]);
            if let Ok(id) = ContextId::decode(&text) {
                prop_assert_eq!(id.encode(), text);
            }
        }
    }
}
