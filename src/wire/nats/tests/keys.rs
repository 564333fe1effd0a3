//! Keys and credentials files, against texts that the tools of NATS made or document.

use ring::signature::{ED25519, UnparsedPublicKey};

use crate::wire::nats::{Credentials, KeyError, UserSeed};

/// A user's seed and its public key, as the documentation of NATS shows them.
const SEED: &str = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
const PUBLIC: &str = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";
const JWT: &str = "eyJ0eXAiOiJKV1QifQ.eyJzdWIiOiJVQSJ9.c2ln-_";

fn seed_error(text: &str) -> KeyError {
    UserSeed::parse(text).err().expect("it is no seed")
}

#[test]
fn a_seed_gives_its_public_key_and_signs() {
    let seed = UserSeed::parse(SEED).expect("it is a seed");
    assert_eq!(seed.public_key(), PUBLIC);

    let signature = seed.sign("a nonce");
    assert_eq!(signature.len(), 86);
    let bytes = from_base64url(&signature);
    let public = &from_base32(PUBLIC)[1..33];
    UnparsedPublicKey::new(&ED25519, public)
        .verify(b"a nonce", &bytes)
        .expect("the public key verifies what the seed signed");
}

#[test]
fn what_is_no_seed_is_refused_without_being_repeated() {
    let typo = SEED.replace("SSL3", "SSL4");
    let account = SEED.replacen("SU", "SA", 1);
    for (text, error) in [
        ("", KeyError::Letters),
        (PUBLIC, KeyError::Letters),
        (&SEED[..57], KeyError::Letters),
        (&SEED.to_lowercase(), KeyError::Letters),
        (&SEED.replace('3', "1"), KeyError::Letters),
        (&typo, KeyError::CheckSum),
        (&account, KeyError::CheckSum),
    ] {
        assert_eq!(seed_error(text), error);
        assert!(text.is_empty() || !error.to_string().contains(text));
    }
    // The seed of an account, whole.
    assert_eq!(
        seed_error("SAAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4HYMHI"),
        KeyError::Kind
    );
}

#[test]
fn a_credentials_file_holds_a_jwt_and_a_seed() {
    let file = format!(
        "-----BEGIN NATS USER JWT-----\n{JWT}\n------END NATS USER JWT------\n\n\
        ************************* IMPORTANT *************************\n\
        NKEY Seed printed below can be used to sign and prove identity.\n\n\
        -----BEGIN USER NKEY SEED-----\n{SEED}\n------END USER NKEY SEED------\n\n\
        *************************************************************\n"
    );
    for file in [file.replace('\n', "\r\n"), file] {
        let credentials = Credentials::parse(&file).expect("it is a credentials file");
        assert_eq!(credentials.jwt, JWT);
        assert_eq!(credentials.seed.public_key(), PUBLIC);
    }
    for (file, error) in [
        (String::new(), KeyError::Blocks),
        (format!("{JWT}\n{SEED}\n"), KeyError::Blocks),
        (format!("---a---\n{JWT}\n---b---\n"), KeyError::Blocks),
        (
            format!("---a---\na\"b.c.d\n---b---\n---c---\n{SEED}\n---d---\n"),
            KeyError::Blocks,
        ),
        (
            format!("---a---\n{JWT}\n---b---\n---c---\nSU\n---d---\n"),
            KeyError::Letters,
        ),
    ] {
        assert_eq!(Credentials::parse(&file).err(), Some(error));
    }
}

fn from_letters(alphabet: &[u8], bits_each: u32, text: &str) -> Vec<u8> {
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for letter in text.bytes() {
        let value = alphabet.iter().position(|known| *known == letter);
        bits = bits << bits_each | value.expect("a letter of the alphabet") as u32;
        count += bits_each;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 255) as u8);
        }
    }
    bytes
}

fn from_base32(text: &str) -> Vec<u8> {
    from_letters(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 5, text)
}

fn from_base64url(text: &str) -> Vec<u8> {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    from_letters(letters, 6, text)
}
