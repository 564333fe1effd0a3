//! Who a client says that it is.

use serde::Serialize;

use super::key::{Credentials, UserSeed};
use super::session::SessionError;

/// How a server is to know this client.
pub enum Login {
    /// Not at all.
    Anonymous,
    /// By a token.
    Token(String),
    /// By name and password.
    Password {
        /// The user's name.
        user: String,
        /// The password.
        password: String,
    },
    /// By a key.
    Key(UserSeed),
    /// By a JWT and its key.
    Credentials(Credentials),
}

#[derive(Serialize)]
struct Connect<'a> {
    verbose: bool,
    pedantic: bool,
    tls_required: bool,
    lang: &'static str,
    version: &'static str,
    name: &'a str,
    protocol: u8,
    echo: bool,
    headers: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pass: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nkey: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwt: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sig: Option<String>,
}

impl Login {
    /// The `CONNECT` line for a server that sent `nonce`. It asks for one's own messages (`echo`),
    /// since hearing oneself is how a link is known to work, and for news of the cluster
    /// (`protocol` 1); not for headers, which nobody here reads.
    ///
    /// # Errors
    /// When a key is to sign, but the server gave nothing to sign.
    pub(super) fn line(
        &self,
        name: &str,
        tls: bool,
        nonce: Option<&str>,
    ) -> Result<Vec<u8>, SessionError> {
        let mut connect = Connect {
            verbose: false,
            pedantic: false,
            tls_required: tls,
            lang: "rust",
            version: env!("CARGO_PKG_VERSION"),
            name,
            protocol: 1,
            echo: true,
            headers: false,
            auth_token: None,
            user: None,
            pass: None,
            nkey: None,
            jwt: None,
            sig: None,
        };
        let sign = |seed: &UserSeed| {
            let nonce = nonce.ok_or(SessionError::NoNonce)?;
            Ok::<_, SessionError>(Some(seed.sign(nonce)))
        };
        match self {
            Self::Anonymous => {}
            Self::Token(token) => connect.auth_token = Some(token),
            Self::Password { user, password } => {
                connect.user = Some(user);
                connect.pass = Some(password);
            }
            Self::Key(seed) => {
                connect.nkey = Some(seed.public_key());
                connect.sig = sign(seed)?;
            }
            Self::Credentials(Credentials { jwt, seed }) => {
                connect.jwt = Some(jwt);
                connect.sig = sign(seed)?;
            }
        }
        let mut line = b"CONNECT ".to_vec();
        serde_json::to_writer(&mut line, &connect).expect("texts and flags are JSON");
        line.extend_from_slice(b"\r\n");
        Ok(line)
    }
}
