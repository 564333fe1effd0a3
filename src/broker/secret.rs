//! Where a secret comes from. It is read again for each attempt to connect, so that it can be
//! changed while the server runs.

use std::io;
use std::path::PathBuf;

use super::BrokerError;
use crate::secret::Secret;

/// The longest secret that is taken from a file, in bytes.
const SECRET_MAX_BYTES: usize = 16 * 1024;

/// A secret, or where to find it.
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// The secret itself.
    Value(Secret<String>),
    /// A file: its content without the line end.
    File(PathBuf),
    /// A variable of the environment.
    Env(String),
}

impl SecretSource {
    /// Reads it; blocks on a file.
    pub(crate) fn read(&self, what: &'static str) -> Result<Secret<String>, BrokerError> {
        let error = |kind| BrokerError::Secret { what, kind };
        let text = match self {
            Self::Value(secret) => return Ok(secret.clone()),
            Self::File(path) => std::fs::read_to_string(path).map_err(|e| error(e.kind()))?,
            Self::Env(name) => std::env::var(name).map_err(|_| error(io::ErrorKind::NotFound))?,
        };
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() || text.len() > SECRET_MAX_BYTES {
            return Err(error(io::ErrorKind::InvalidData));
        }
        Ok(Secret::new(text.to_owned()))
    }
}

impl From<&str> for SecretSource {
    fn from(value: &str) -> Self {
        Self::Value(Secret::new(value.to_owned()))
    }
}

impl From<String> for SecretSource {
    fn from(value: String) -> Self {
        Self::Value(Secret::new(value))
    }
}
