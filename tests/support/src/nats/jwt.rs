//! Keys, and the chain of JWTs by which a server knows users that nobody told it about: an operator
//! signs accounts, an account signs users.

use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

const BASE32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE64URL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// When all of them were issued: any time that has passed.
const ISSUED_AT: u64 = 1_600_000_000;

/// Whose key it is, as NATS writes it: the first letter of the public key.
#[derive(Clone, Copy)]
enum Kind {
    Operator = 14,
    Account = 0,
    User = 20,
}

/// An nkey: an Ed25519 key with its text forms.
pub struct NkeyPair {
    pair: Ed25519KeyPair,
    kind: Kind,
    seed: [u8; 32],
}

impl NkeyPair {
    /// A new key of a user.
    #[must_use]
    pub fn user() -> Self {
        Self::draw(Kind::User)
    }

    fn draw(kind: Kind) -> Self {
        let mut seed = [0; 32];
        SystemRandom::new()
            .fill(&mut seed)
            .expect("the system has random bytes");
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("any 32 bytes are a seed");
        Self { pair, kind, seed }
    }

    /// The public key, as in `U…`.
    #[must_use]
    pub fn public(&self) -> String {
        let mut bytes = vec![(self.kind as u8) << 3];
        bytes.extend_from_slice(self.pair.public_key().as_ref());
        with_check_sum(bytes)
    }

    /// The seed, as in `SU…`.
    #[must_use]
    pub fn seed(&self) -> String {
        let kind = self.kind as u8;
        // Five bits for "seed", five for the kind, six of nothing.
        let mut bytes = vec![18 << 3 | kind >> 2, kind << 6];
        bytes.extend_from_slice(&self.seed);
        with_check_sum(bytes)
    }

    /// A JWT with these claims, signed by this key.
    fn issue(&self, subject: &str, nats: &Value) -> String {
        let header = json!({"typ": "JWT", "alg": "ed25519-nkey"});
        let claims = json!({
            "jti": "NONE", "iat": ISSUED_AT, "iss": self.public(), "name": "autovia",
            "sub": subject, "nats": nats,
        });
        let encode = |value: &Value| letters(BASE64URL, 6, value.to_string().as_bytes());
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let signature = self.pair.sign(signed.as_bytes());
        format!("{signed}.{}", letters(BASE64URL, 6, signature.as_ref()))
    }
}

/// An operator with one account.
pub struct NatsOperator {
    operator: NkeyPair,
    account: NkeyPair,
}

impl Default for NatsOperator {
    fn default() -> Self {
        Self::new()
    }
}

impl NatsOperator {
    /// A new one.
    #[must_use]
    pub fn new() -> Self {
        Self {
            operator: NkeyPair::draw(Kind::Operator),
            account: NkeyPair::draw(Kind::Account),
        }
    }

    /// The configuration of a server that trusts it.
    #[must_use]
    pub fn config(&self) -> String {
        let operator = self.operator.public();
        let operator_jwt = self
            .operator
            .issue(&operator, &json!({"type": "operator", "version": 2}));
        let unlimited = json!({
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1,
            "wildcards": true, "conn": -1, "leaf": -1,
        });
        let account = self.account.public();
        let account_jwt = self.operator.issue(
            &account,
            &json!({"type": "account", "version": 2, "limits": unlimited}),
        );
        format!(
            "operator: {operator_jwt}\nresolver: MEMORY\nresolver_preload: {{ {account}: {account_jwt} }}"
        )
    }

    /// The credentials file of a new user, as `nsc` writes it.
    #[must_use]
    pub fn credentials(&self) -> String {
        let user = NkeyPair::user();
        let jwt = self.account.issue(
            &user.public(),
            &json!({"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1}),
        );
        format!(
            "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
             ************************* IMPORTANT *************************\n\
             NKEY Seed printed below can be used to sign and prove identity.\n\n\
             -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
            user.seed()
        )
    }
}

fn with_check_sum(mut bytes: Vec<u8>) -> String {
    let mut sum = 0_u16;
    for byte in &bytes {
        sum ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            sum = sum << 1 ^ if sum >> 15 == 1 { 0x1021 } else { 0 };
        }
    }
    bytes.extend_from_slice(&sum.to_le_bytes());
    letters(BASE32, 5, &bytes)
}

/// `bytes` in groups of `width` bits, without padding.
fn letters(alphabet: &[u8], width: usize, bytes: &[u8]) -> String {
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
    (0..bytes.len() * 8)
        .step_by(width)
        .map(|start| {
            let index = (start..start + width).fold(0, |index, at| index << 1 | bit(at));
            char::from(alphabet[usize::from(index)])
        })
        .collect()
}
