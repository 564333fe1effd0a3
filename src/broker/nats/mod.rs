//! Nodes that meet at NATS servers: one connection, one subject.
//!
//! `mod.rs` is what an app sets, `servers` whom to call next, `connect` how a link comes up, `link`
//! its two halves. What is said on the connection is in `wire::nats`.
#![forbid(unsafe_code)]

mod connect;
mod fault;
mod link;
mod servers;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use super::dial::system_resolver;
use super::link::{Broker, BrokerFuture, Link, LinkContext};
use super::tls::TlsOptions;
use super::url::{self, BrokerUrlError};
use super::{BrokerError, Resolver, SecretSource};
use crate::wire::nats::{Subject, SubjectError};
use servers::Servers;

/// Where NATS servers listen, and what nodes meet at.
const HOST: &str = "127.0.0.1";
const PORT: u16 = 4222;
const SUBJECT: &str = "via.broadcast";

/// How the server is to know this node.
#[derive(Clone, Debug)]
enum Auth {
    None,
    Token(SecretSource),
    User(String, SecretSource),
    Credentials(PathBuf),
    Seed(SecretSource),
}

/// Relays broadcasts between nodes through [NATS](https://nats.io) servers.
///
/// A node opens one connection. Give it several servers of a cluster and it goes to the next when one
/// is lost; it also learns of others from those that it talks to.
///
/// ```
/// use autovia::broker::{NatsBroker, SecretSource};
///
/// let broker = NatsBroker::new("nats.internal", 4222)
///     .token(SecretSource::Env("NATS_TOKEN".to_owned()))
///     .subject("myapp.broadcast");
/// assert!(broker.check().is_ok());
/// ```
pub struct NatsBroker {
    servers: Servers,
    auth: Auth,
    subject: String,
    tls: bool,
    tls_first: bool,
    tls_options: TlsOptions,
    resolver: Resolver,
}

/// Why a [`NatsBroker`] can't be used as it is set: its subject is none that can be published to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NatsSetupError(SubjectError);

impl Default for NatsBroker {
    /// A server on this machine: `127.0.0.1:4222`.
    fn default() -> Self {
        Self::new(HOST, PORT)
    }
}

impl std::fmt::Debug for NatsBroker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NatsBroker")
            .field("subject", &self.subject)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

impl NatsBroker {
    /// A broker on one server; subject `via.broadcast`, no login, no TLS unless the server asks.
    #[must_use]
    pub fn new(host: impl AsRef<str>, port: u16) -> Self {
        Self {
            servers: Servers::of(host.as_ref(), port),
            auth: Auth::None,
            subject: SUBJECT.to_owned(),
            tls: false,
            tls_first: false,
            tls_options: TlsOptions::default(),
            resolver: system_resolver(),
        }
    }

    /// Reads `nats://[token@|user:password@]host[:port][,host[:port]…]`, or the same with `tls://`,
    /// which insists on TLS. A token or password is percent-encoded where it holds `@`, `:`, `/`, `?`,
    /// `#` or `%`.
    ///
    /// # Errors
    /// When it is none; the error repeats nothing of the URL.
    pub fn from_url(text: &str) -> Result<Self, BrokerUrlError> {
        let url = url::parse(text, &["nats", "tls"], "nats:// and tls://")?;
        if url.path.is_some() {
            return Err(BrokerUrlError::Shape(
                "a NATS URL ends after the servers: give the subject as a setting of its own",
            ));
        }
        let mut servers = url
            .servers
            .iter()
            .map(|(host, port)| (host.as_str(), port.unwrap_or(PORT)));
        let (host, port) = servers.next().unwrap_or((HOST, PORT));
        let mut broker = Self::new(host, port).tls(url.scheme == "tls");
        for (host, port) in servers {
            broker = broker.server(host, port);
        }
        Ok(match (url.user, url.password) {
            (Some(user), Some(password)) => {
                broker.user(user.expose().clone(), SecretSource::Value(password))
            }
            (Some(token), None) => broker.token(SecretSource::Value(token)),
            (None, Some(_)) => {
                return Err(BrokerUrlError::Shape(
                    "a NATS URL with a password needs a user name: write user:password@ or token@",
                ));
            }
            (None, None) => broker,
        })
    }

    /// Adds one more server of the cluster.
    #[must_use]
    pub fn server(mut self, host: impl AsRef<str>, port: u16) -> Self {
        self.servers.add(host.as_ref(), port);
        self
    }

    /// Logs in by a token. One login counts: the last that was set.
    #[must_use]
    pub fn token(mut self, token: impl Into<SecretSource>) -> Self {
        self.auth = Auth::Token(token.into());
        self
    }

    /// Logs in by name and password.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>, password: impl Into<SecretSource>) -> Self {
        self.auth = Auth::User(name.into(), password.into());
        self
    }

    /// Logs in by the JWT and the key in a file that `nsc` writes (`.creds`).
    #[must_use]
    pub fn creds_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.auth = Auth::Credentials(path.into());
        self
    }

    /// Logs in by a user's nkey, of which this is the seed (`SU…`).
    #[must_use]
    pub fn nkey_seed(mut self, seed: impl Into<SecretSource>) -> Self {
        self.auth = Auth::Seed(seed.into());
        self
    }

    /// The subject at which nodes meet: each app on a server needs one of its own.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }

    /// Insists on TLS: a server that has none is refused. Without it the server decides.
    #[must_use]
    pub fn tls(mut self, tls: bool) -> Self {
        self.tls = tls;
        self
    }

    /// Starts with TLS, for servers with `handshake_first` and for proxies that end TLS; else the
    /// server greets in the clear before.
    #[must_use]
    pub fn tls_first(mut self, first: bool) -> Self {
        self.tls_first = first;
        self
    }

    /// Trusts the certificates in this PEM file instead of the system's.
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.tls_options.ca_file = Some(path.into());
        self
    }

    /// Shows this certificate to servers that ask for one: two PEM files.
    #[must_use]
    pub fn client_certificate(
        mut self,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        self.tls_options.client = Some((certificate.into(), key.into()));
        self
    }

    /// Resolves names by `resolver`, at each attempt, on a thread that may block.
    #[must_use]
    pub fn resolver(mut self, resolver: Resolver) -> Self {
        self.resolver = resolver;
        self
    }

    /// Whether it can be used as it is set; a link that is asked for says so too.
    ///
    /// # Errors
    /// When the subject is none that can be published to.
    pub fn check(&self) -> Result<(), NatsSetupError> {
        self.checked_subject().map(drop)
    }

    fn checked_subject(&self) -> Result<Subject, NatsSetupError> {
        Subject::parse(&self.subject).map_err(NatsSetupError)
    }
}

impl Broker for NatsBroker {
    fn driver(&self) -> &'static str {
        "NatsBroker"
    }

    fn connect<'a>(
        &'a mut self,
        context: &'a LinkContext,
    ) -> BrokerFuture<'a, Result<Link, BrokerError>> {
        Box::pin(self.open(context))
    }
}
