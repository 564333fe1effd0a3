//! Keys of users: the text forms of seeds and public keys, and the signature of a nonce.
//!
//! A key's text is base32 without padding of a kind byte, the 32 bytes of an Ed25519 key, and a
//! CRC-16 (XMODEM, little end first); a seed has two kind bytes. The kind bytes make the texts start
//! with `U` (a user's public key) and `SU` (a user's seed).
//! <https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/nkey_auth>

use ring::signature::{Ed25519KeyPair, KeyPair as _};

/// The alphabet of RFC 4648, section 6.
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The kind "seed", in the upper five bits.
const KIND_SEED: u8 = 18 << 3;

/// The kind "user", in the upper five bits.
const KIND_USER: u8 = 20 << 3;

/// Two kind bytes, the key, and the check sum.
const SEED_BYTES: usize = 2 + 32 + 2;

/// The letters of a seed: 36 bytes, five bits each.
const SEED_LETTERS: usize = 58;

/// Why a text is no seed, or a file holds no credentials. None repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not the letters of a key.
    #[error("an nkey seed is {SEED_LETTERS} letters and digits that start with SU")]
    Letters,
    /// The key of something else.
    #[error("the nkey is not the seed of a user: a user's seed starts with SU")]
    Kind,
    /// Mistyped or cut.
    #[error("the nkey seed's check sum is wrong: a letter is missing or mistyped")]
    CheckSum,
    /// No JWT or no seed in a credentials file.
    #[error(
        "the credentials file needs two blocks between lines of dashes: the user's JWT and the nkey seed, as nsc writes them"
    )]
    Blocks,
}

/// The secret key of a user.
pub struct UserSeed {
    pair: Ed25519KeyPair,
}

impl UserSeed {
    /// Reads a seed, `SU…`.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        if text.len() != SEED_LETTERS {
            return Err(KeyError::Letters);
        }
        let bytes = from_base32(text).ok_or(KeyError::Letters)?;
        let bytes: [u8; SEED_BYTES] = bytes.try_into().map_err(|_| KeyError::Letters)?;
        let (checked, sum) = bytes.split_at(SEED_BYTES - 2);
        if crc16(checked).to_le_bytes() != sum {
            return Err(KeyError::CheckSum);
        }
        // The second kind straddles the two bytes.
        let kind = (checked[0] & 0b1111_1000, checked[0] << 5 | checked[1] >> 3);
        if kind != (KIND_SEED, KIND_USER) {
            return Err(KeyError::Kind);
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(&checked[2..]);
        Ok(Self {
            pair: pair.map_err(|_| KeyError::Letters)?,
        })
    }

    /// The text of the public key, `U…`.
    #[must_use]
    pub fn public_key(&self) -> String {
        let mut bytes = vec![KIND_USER];
        bytes.extend_from_slice(self.pair.public_key().as_ref());
        bytes.extend_from_slice(&crc16(&bytes).to_le_bytes());
        to_base32(&bytes)
    }

    /// The signature of `nonce`, as a server wants it: base64url without padding.
    #[must_use]
    pub fn sign(&self, nonce: &str) -> String {
        to_base64url(self.pair.sign(nonce.as_bytes()).as_ref())
    }
}

/// What a credentials file holds.
pub struct Credentials {
    /// The user's JWT; no secret by itself.
    pub jwt: String,
    /// The key that proves that it is this user's.
    pub seed: UserSeed,
}

impl Credentials {
    /// Reads the text of a file that `nsc` writes: two blocks between lines of dashes.
    ///
    /// # Errors
    /// When a block is missing, the first is no JWT or the second is no seed.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut inside = false;
        let mut blocks = Vec::new();
        for line in text.lines().map(str::trim) {
            if line.starts_with("---") {
                inside = !inside;
            } else if inside && !line.is_empty() {
                blocks.push(line);
            }
        }
        let [jwt, seed] = blocks.as_slice() else {
            return Err(KeyError::Blocks);
        };
        let is_jwt = jwt.split('.').count() == 3
            && jwt
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        if !is_jwt {
            return Err(KeyError::Blocks);
        }
        Ok(Self {
            jwt: (*jwt).to_owned(),
            seed: UserSeed::parse(seed)?,
        })
    }
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| {
            let shifted = crc << 1;
            if crc & 0x8000 == 0 {
                shifted
            } else {
                shifted ^ 0x1021
            }
        })
    })
}

/// The bytes of base32 without padding; bits that fill no byte are left out.
fn from_base32(text: &str) -> Option<Vec<u8>> {
    let (mut bits, mut count) = (0_u32, 0);
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    for letter in text.bytes() {
        let value = ALPHABET.iter().position(|known| *known == letter)?;
        bits = bits << 5 | u32::try_from(value).expect("32 letters");
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(bytes)
}

fn to_base32(bytes: &[u8]) -> String {
    let (mut bits, mut count) = (0_u32, 0);
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let letter = |index: u32| char::from(ALPHABET[(index & 31) as usize]);
    for byte in bytes {
        bits = bits << 8 | u32::from(*byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            text.push(letter(bits >> count));
            bits &= (1 << count) - 1;
        }
    }
    if count > 0 {
        text.push(letter(bits << (5 - count)));
    }
    text
}

fn to_base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().enumerate().fold(0_u32, |bits, (at, byte)| {
            bits | u32::from(*byte) << (16 - 8 * at)
        });
        for at in 0..=chunk.len() {
            text.push(char::from(LETTERS[(bits >> (18 - 6 * at) & 63) as usize]));
        }
    }
    text
}
