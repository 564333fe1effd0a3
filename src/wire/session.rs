//! Session ids that prove themselves: 64 random bits and a 64-bit MAC, as 32 hex digits.
//!
//! Invariant: a [`SessionId`] exists only if the first key signed it, so holding one is the proof
//! that this server made it. Its content leaves through [`SessionId::cookie_value`] alone; pages,
//! streams and logs see [`SessionId::scope_hash`] or nothing.

use std::fmt;

use ring::hmac;

const RANDOM_BYTES: usize = 8;
const MAC_BYTES: usize = 8;
const TEXT_LEN: usize = 2 * (RANDOM_BYTES + MAC_BYTES);
/// One key serves two purposes; the labels keep their outputs apart.
const SIGN_LABEL: &[u8] = b"autovia session id 1\0";
const SCOPE_LABEL: &[u8] = b"autovia session scope 1\0";

/// The keys that sign and check session ids; cheap to clone, one clone per shard.
#[derive(Clone)]
pub struct SessionKeys {
    first: hmac::Key,
    older: Vec<hmac::Key>,
}

/// Why no keys came out of a list or a file. The key material is never repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No key at all.
    #[error("there is no session key: at least one line of 64 hex digits is needed")]
    Empty,
    /// A line that is no key.
    #[error("line {line} is no session key: a key is one line of 64 hex digits")]
    BadLine {
        /// Counted from 1.
        line: usize,
    },
}

impl SessionKeys {
    /// The first key signs, all of them verify.
    ///
    /// # Errors
    /// [`KeyError::Empty`] for an empty list.
    pub fn new(keys: impl IntoIterator<Item = [u8; 32]>) -> Result<Self, KeyError> {
        let mut keys = keys
            .into_iter()
            .map(|key| hmac::Key::new(hmac::HMAC_SHA256, &key));
        let first = keys.next().ok_or(KeyError::Empty)?;
        Ok(Self {
            first,
            older: keys.collect(),
        })
    }

    /// Reads a key file: one key of 64 hex digits per line; empty lines and surrounding white space
    /// don't count.
    ///
    /// # Errors
    /// [`KeyError`] naming the line.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut keys = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            keys.push(
                from_hex(&line.to_ascii_lowercase())
                    .ok_or(KeyError::BadLine { line: index + 1 })?,
            );
        }
        Self::new(keys)
    }

    /// Makes a session id from fresh randomness.
    #[must_use]
    pub fn sign(&self, random: [u8; RANDOM_BYTES]) -> SessionId {
        let scope = keyed(&self.first, SCOPE_LABEL, random);
        let mut scope_hash = [0; 16];
        scope_hash.copy_from_slice(&scope.as_ref()[..16]);
        SessionId {
            random,
            mac: mac(&self.first, random),
            scope_hash,
        }
    }

    /// Makes a session id whose [home](SessionId::home) is `home`, of `shards`; of the randomness
    /// 48 bits and a part of the other 16 are left.
    #[must_use]
    pub fn sign_at(&self, home: usize, shards: usize, mut random: [u8; RANDOM_BYTES]) -> SessionId {
        let shards = u16::try_from(shards.max(1)).unwrap_or(u16::MAX);
        let home = u16::try_from(home).unwrap_or(0) % shards;
        let drawn = u16::from_le_bytes([random[0], random[1]]);
        // The highest multiple of `shards` below what was drawn, one lower where the sum is too large.
        let base = drawn - drawn % shards;
        let chosen = base
            .checked_add(home)
            .unwrap_or_else(|| base - shards + home);
        random[..2].copy_from_slice(&chosen.to_le_bytes());
        self.sign(random)
    }

    /// The session id of a cookie, or `None` when no key made it.
    ///
    /// An id that an older key made comes back as the first key would sign it: writing its cookie
    /// again moves the browser to the new key, and it stays equal to itself meanwhile.
    #[must_use]
    pub fn verify(&self, text: &str) -> Option<SessionId> {
        let bytes: [u8; RANDOM_BYTES + MAC_BYTES] = from_hex(text)?;
        let (random, given) = bytes.split_at(RANDOM_BYTES);
        let random: [u8; RANDOM_BYTES] = random.try_into().ok()?;
        let given = u64::from_be_bytes(given.try_into().ok()?);
        // One comparison of whole words per key and no early exit: the time tells nothing.
        let known = std::iter::once(&self.first)
            .chain(&self.older)
            .fold(false, |known, key| {
                known | (u64::from_be_bytes(mac(key, random)) == given)
            });
        known.then(|| self.sign(random))
    }
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionKeys({} keys)", 1 + self.older.len())
    }
}

/// A session id that this server made.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId {
    random: [u8; RANDOM_BYTES],
    mac: [u8; MAC_BYTES],
    scope_hash: [u8; 16],
}

impl SessionId {
    /// The 32 hex digits, for the `Set-Cookie` line only.
    #[must_use]
    pub fn cookie_value(&self) -> String {
        let mut text = String::with_capacity(TEXT_LEN);
        for byte in self.random.iter().chain(&self.mac) {
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
            }
        }
        text
    }

    /// Where this session is at home, one of `shards`: all its pages live there, so that they can
    /// be counted.
    #[must_use]
    pub fn home(&self, shards: usize) -> usize {
        usize::from(u16::from_le_bytes([self.random[0], self.random[1]])) % shards.max(1)
    }

    /// What stands for this session in scope names: it tells sessions apart and tells nothing of
    /// the id. Stable for the same first key.
    #[must_use]
    pub const fn scope_hash(&self) -> [u8; 16] {
        self.scope_hash
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(…)")
    }
}

fn keyed(key: &hmac::Key, label: &[u8], random: [u8; RANDOM_BYTES]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    context.update(label);
    context.update(&random);
    context.sign()
}

fn mac(key: &hmac::Key, random: [u8; RANDOM_BYTES]) -> [u8; MAC_BYTES] {
    let mut mac = [0; MAC_BYTES];
    mac.copy_from_slice(&keyed(key, SIGN_LABEL, random).as_ref()[..MAC_BYTES]);
    mac
}

/// Exactly `2 * N` lower-case hex digits.
fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let text = text.as_bytes();
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let mut value = 0;
        for &digit in pair {
            value = value << 4
                | match digit {
                    b'0'..=b'9' => digit - b'0',
                    b'a'..=b'f' => digit - b'a' + 10,
                    _ => return None,
                };
        }
        *byte = value;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(bytes: &[u8]) -> SessionKeys {
        SessionKeys::new(bytes.iter().map(|&byte| [byte; 32])).unwrap()
    }

    #[test]
    fn an_id_that_was_signed_is_known() {
        let keys = keys(&[1]);
        let id = keys.sign(*b"12345678");
        let text = id.cookie_value();
        assert_eq!(text.len(), 32);
        assert!(
            text.bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        );
        assert_eq!(keys.verify(&text), Some(id));
    }

    #[test]
    fn any_change_makes_it_unknown() {
        let keys = keys(&[1]);
        let text = keys.sign(*b"12345678").cookie_value();
        for at in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[at] = if other[at] == b'0' { b'1' } else { b'0' };
            assert_eq!(keys.verify(std::str::from_utf8(&other).unwrap()), None);
        }
        for other in [
            "",
            "mine",
            &text[1..],
            &format!("{text}0"),
            &text.to_ascii_uppercase().replace('1', "A"),
        ] {
            assert_eq!(keys.verify(other), None, "{other}");
        }
    }

    #[test]
    fn upper_case_is_another_text() {
        let keys = keys(&[1]);
        let id = (0..=255)
            .map(|n| keys.sign([n; 8]))
            .find(|id| id.cookie_value().contains('a'))
            .unwrap();
        assert_eq!(keys.verify(&id.cookie_value().to_ascii_uppercase()), None);
    }

    #[test]
    fn keys_rotate_without_losing_a_session() {
        let old = keys(&[1]);
        let both = keys(&[2, 1]);
        let new = keys(&[2]);
        let before = old.sign(*b"12345678");
        let moved = both.verify(&before.cookie_value()).unwrap();
        assert_ne!(moved.cookie_value(), before.cookie_value());
        assert_eq!(new.verify(&moved.cookie_value()), Some(moved));
        assert_eq!(both.verify(&moved.cookie_value()), Some(moved));
        assert_eq!(new.verify(&before.cookie_value()), None);
        assert_eq!(moved.scope_hash(), new.sign(*b"12345678").scope_hash());
        assert_ne!(moved.scope_hash(), before.scope_hash());
    }

    #[test]
    fn nothing_of_the_id_is_shown() {
        let keys = keys(&[1]);
        let id = keys.sign(*b"12345678");
        assert_eq!(format!("{id:?}"), "SessionId(…)");
        assert_eq!(format!("{keys:?}"), "SessionKeys(1 keys)");
        assert_ne!(id.scope_hash()[..8], id.random);
        assert_ne!(id.scope_hash()[..8], id.mac);
    }

    #[test]
    fn the_key_file() {
        let line = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";
        assert!(SessionKeys::parse(&format!("{line}\n\n  {line}  \r\n")).is_ok());
        assert_eq!(SessionKeys::parse("\n \n").unwrap_err(), KeyError::Empty);
        assert_eq!(SessionKeys::new(Vec::new()).unwrap_err(), KeyError::Empty);
        assert_eq!(
            SessionKeys::parse(&format!("{line}\n{}", &line[1..])).unwrap_err(),
            KeyError::BadLine { line: 2 }
        );
        let error = SessionKeys::parse("secret").unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }

    proptest! {
        #[test]
        fn a_session_is_at_home_where_it_was_made(shards in 1..=1024_usize, home: usize, random: [u8; 8]) {
            let home = home % shards;
            let id = keys(&[1]).sign_at(home, shards, random);
            prop_assert_eq!(id.home(shards), home);
            let rotated = keys(&[2, 1]).verify(&id.cookie_value()).unwrap();
            prop_assert_eq!(rotated.home(shards), home);
        }

        #[test]
        fn what_nobody_signed_is_unknown(text in "[0-9a-f]{32}") {
            prop_assert_eq!(keys(&[1, 2]).verify(&text), None);
        }

        #[test]
        fn any_text_is_harmless(text: String) {
            prop_assert_eq!(keys(&[1]).verify(&text), None);
        }
    }
}
