//! How the broker is chosen, reached and logged in to. What doesn't fit together is refused at
//! start; what the broker says at its time is not known here.
//!
//! No secret is in a `Debug`, a warning or an error of this folder.

mod build;
mod checks;
mod names;
mod pick;
mod url;

use std::path::PathBuf;

use super::error::ConfigError;
use super::origin::Origin;
use super::settings as s;
use super::value::ReadyWhen;
use super::{Config, Secret};
use crate::broker::{Reach, SecretSource};

pub(in crate::server) use build::build;
pub(super) use names::{parse_channel, parse_subject, parse_username};
pub(super) use pick::pick;
pub(super) use url::shown_url;

/// How redis or nats is reached; what nobody said is `None` and left to the broker.
#[derive(Debug, Clone, Default)]
pub struct BrokerOptions {
    /// Its servers, maybe with a login.
    pub url: Option<Secret<String>>,
    /// Channel of redis.
    pub channel: Option<String>,
    /// Subject of nats.
    pub subject: Option<String>,
    /// User to log in as.
    pub username: Option<String>,
    /// Password of that user, or of the server.
    pub password: Option<SecretSource>,
    /// Token of nats.
    pub token: Option<SecretSource>,
    /// Credentials file of nats.
    pub creds_file: Option<PathBuf>,
    /// Seed of an nkey of nats.
    pub nkey_seed: Option<SecretSource>,
    /// Whether to encrypt; `None` is as the scheme says.
    pub tls: Option<bool>,
    /// TLS before the first word of a nats server.
    pub tls_first: bool,
    /// Certificates that vouch for the broker, instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Certificate and key of this server.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
}

impl Config {
    /// Refuses options about the link to other nodes when the broker that was chosen has none.
    /// Only the server knows, since an app can bring its own broker.
    ///
    /// # Errors
    /// `link-core`, or `ready-when` `link`, with a broker that reaches no other node.
    pub fn check_link(&self, reach: Reach) -> Result<(), ConfigError> {
        let named = if reach == Reach::Nodes {
            None
        } else if self.link_core.is_some() {
            Some(s::LINK_CORE.name)
        } else {
            (self.ready_when == ReadyWhen::Link).then_some(s::READY_WHEN.name)
        };
        let Some(name) = named else {
            return Ok(());
        };
        let broker = match self.origin(s::BROKER.name) {
            Origin::Default => "the broker in use".to_owned(),
            origin => format!("the broker in use ({origin})"),
        };
        Err(ConfigError::Combination(format!(
            "{name} ({}) is about the link to other nodes, and {broker} has none: set broker to \
             redis or nats, or take {name} away",
            self.origin(name)
        )))
    }
}
