//! Redis and Valkey, as one server, behind Sentinel, or as a Cluster.
//!
//! A link is two connections to one and the same server: one that publishes and one that subscribes.
//! Behind Sentinel there is a third, on which a change of the master is heard.
#![forbid(unsafe_code)]

mod cluster;
mod connection;
mod halves;
mod login;
mod sentinel;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use super::dial::{Resolver, system_resolver};
use super::tls::TlsOptions;
use super::url::{self, BrokerUrlError};
use super::{Broker, BrokerError, BrokerFuture, Link, LinkContext, SecretSource};
use crate::wire::resp::{Channels, Subscription};
use halves::{RedisPublisher, RedisSubscriber};
use login::{Home, Visit};

const DEFAULT_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;
const DEFAULT_CHANNEL: &str = "via:broadcast";

const SCHEMES: [&str; 6] = [
    "redis",
    "rediss",
    "redis-sentinel",
    "rediss-sentinel",
    "redis-cluster",
    "rediss-cluster",
];
const SCHEMES_TOLD: &str = "redis://, redis-sentinel://, redis-cluster://, and the same with TLS: rediss://, rediss-sentinel://, rediss-cluster://";

/// Where the server is found.
#[derive(Clone)]
enum Place {
    One(String, u16),
    Sentinel {
        master: String,
        sentinels: Vec<(String, u16)>,
    },
    Cluster(Vec<(String, u16)>),
}

/// Carries broadcasts through Redis (5 and newer) or Valkey.
///
/// ```
/// use autovia::broker::{RedisBroker, SecretSource};
///
/// let broker = RedisBroker::new("redis.internal", 6380)
///     .username("autovia")
///     .password(SecretSource::Env("REDIS_PASSWORD".to_owned()))
///     .channel("myapp:broadcast")
///     .tls(true);
/// ```
///
/// Rights that a user needs: `+subscribe +publish +ping &CHANNEL`; with [`RedisBroker::cluster`]
/// `+ssubscribe +spublish +ping &CHANNEL`; on the sentinels, where they ask for a login at all,
/// `+sentinel|get-master-addr-by-name +subscribe &+switch-master`.
#[derive(Clone)]
pub struct RedisBroker {
    place: Place,
    username: Option<String>,
    password: Option<SecretSource>,
    channel: String,
    tls: Option<TlsOptions>,
    resolver: Resolver,
    /// Which of several servers is asked first: the one that answered last time, or the one after
    /// one that did not.
    turn: usize,
}

impl Default for RedisBroker {
    /// 127.0.0.1:6379.
    fn default() -> Self {
        Self::new("127.0.0.1", DEFAULT_PORT)
    }
}

impl std::fmt::Debug for RedisBroker {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("RedisBroker")
            .field("channel", &self.channel)
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}

impl RedisBroker {
    /// A broker at this host and port, without a login, on the channel `via:broadcast`.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            place: Place::One(host.into(), port),
            username: None,
            password: None,
            channel: DEFAULT_CHANNEL.to_owned(),
            tls: None,
            resolver: system_resolver(),
            turn: 0,
        }
    }

    /// A broker from a URL: `redis://[user[:password]@]host[:port]`,
    /// `redis-sentinel://host[:port],host[:port]/master`, `redis-cluster://host[:port],host[:port]`;
    /// `rediss…` is the same with TLS. User name and password are percent-encoded.
    ///
    /// # Errors
    /// What is wrong with the URL, without repeating it.
    pub fn from_url(url: &str) -> Result<Self, BrokerUrlError> {
        let parsed = url::parse(url, &SCHEMES, SCHEMES_TOLD)?;
        let is_sentinel = parsed.scheme.ends_with("-sentinel");
        let default_port = if is_sentinel {
            SENTINEL_PORT
        } else {
            DEFAULT_PORT
        };
        let mut servers: Vec<(String, u16)> = parsed
            .servers
            .into_iter()
            .map(|(host, port)| (host, port.unwrap_or(default_port)))
            .collect();
        let place = match (is_sentinel, parsed.path) {
            (true, Some(master)) => Place::Sentinel {
                master,
                sentinels: servers,
            },
            (true, None) => {
                return Err(BrokerUrlError::Shape(
                    "a redis-sentinel URL ends with the master's name: redis-sentinel://host:26379,host:26379/mymaster",
                ));
            }
            // The number of a database, as other clients write it: channels are the same in all.
            (false, Some(path)) if !path.bytes().all(|byte| byte.is_ascii_digit()) => {
                return Err(BrokerUrlError::Shape(
                    "a redis URL has nothing behind the port: give the channel by itself",
                ));
            }
            (false, _) if parsed.scheme.ends_with("-cluster") => Place::Cluster(servers),
            (false, _) if servers.len() > 1 => {
                return Err(BrokerUrlError::Shape(
                    "a redis URL has one server: for several write redis-sentinel:// or redis-cluster://",
                ));
            }
            (false, _) => {
                let (host, port) = servers.remove(0);
                Place::One(host, port)
            }
        };
        let mut broker = Self {
            place,
            ..Self::default()
        };
        broker.username = parsed.user.map(|user| user.expose().clone());
        broker.password = parsed.password.map(SecretSource::Value);
        Ok(broker.tls(parsed.scheme.starts_with("rediss")))
    }

    /// The ACL user (Redis 6 and newer); without one it is `default`.
    #[must_use]
    pub fn username(mut self, name: impl Into<String>) -> Self {
        self.username = Some(name.into());
        self
    }

    /// The password of `requirepass` or of the ACL user. It is read again at each attempt to connect.
    #[must_use]
    pub fn password(mut self, password: impl Into<SecretSource>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// The channel that the nodes share; apps that share a server need one each.
    #[must_use]
    pub fn channel(mut self, channel: impl Into<String>) -> Self {
        self.channel = channel.into();
        self
    }

    /// TLS, with the system's CA certificates unless [`RedisBroker::ca_file`] names others.
    #[must_use]
    pub fn tls(mut self, tls: bool) -> Self {
        if tls {
            self.tls.get_or_insert_default();
        } else {
            self.tls = None;
        }
        self
    }

    /// TLS, trusting the certificates of this PEM file and no others.
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.tls.get_or_insert_default().ca_file = Some(path.into());
        self
    }

    /// TLS, showing this certificate chain; both are PEM files.
    #[must_use]
    pub fn client_certificate(
        mut self,
        chain: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        self.tls.get_or_insert_default().client = Some((chain.into(), key.into()));
        self
    }

    /// Asks these sentinels which server is `master`, and follows when that changes. Login and TLS
    /// are used for the sentinels too, the login only where they ask for it.
    #[must_use]
    pub fn sentinel<H: Into<String>>(
        mut self,
        master: impl Into<String>,
        sentinels: impl IntoIterator<Item = (H, u16)>,
    ) -> Self {
        self.place = Place::Sentinel {
            master: master.into(),
            sentinels: owned(sentinels),
        };
        self
    }

    /// Sharded publish and subscribe on a Cluster (Redis 7 and newer), of which these are some
    /// servers. Nodes that share a plain channel with php-via use [`RedisBroker::new`] with any
    /// server of the Cluster instead: the two kinds of channels don't hear each other.
    #[must_use]
    pub fn cluster<H: Into<String>>(mut self, servers: impl IntoIterator<Item = (H, u16)>) -> Self {
        self.place = Place::Cluster(owned(servers));
        self
    }

    /// Resolves names by this function instead of the system's resolver.
    #[must_use]
    pub fn resolver(mut self, resolver: Resolver) -> Self {
        self.resolver = resolver;
        self
    }

    async fn open(&mut self, context: &LinkContext) -> Result<Link, BrokerError> {
        let visit = Visit::prepare(self, context).await?;
        match self.place.clone() {
            Place::One(host, port) => {
                let mut subscription = Subscription::new(Channels::Plain, &self.channel);
                let mut home = visit.connect(&host, port).await?;
                // Whoever publishes on a replica reaches nobody above it, and would not notice.
                home.refuse_replica()?;
                home.subscribe(&mut subscription).await?;
                Ok(joined(self.halves(&visit, home, subscription).await?))
            }
            Place::Sentinel { master, sentinels } => {
                sentinel::open(self, &visit, &master, &sentinels).await
            }
            Place::Cluster(servers) => cluster::open(self, &visit, &servers).await,
        }
    }

    /// The two halves, both with the server where the subscription is.
    async fn halves(
        &self,
        visit: &Visit<'_>,
        home: Home,
        subscription: Subscription,
    ) -> Result<(RedisPublisher, RedisSubscriber), BrokerError> {
        let publisher = visit.connect_again(&home).await?;
        let channels = subscription.channels();
        Ok((
            RedisPublisher::new(publisher, channels, self.channel.clone()),
            RedisSubscriber::new(home.connection, subscription),
        ))
    }
}

fn joined((publisher, subscriber): (RedisPublisher, RedisSubscriber)) -> Link {
    Link {
        publisher: Box::new(publisher),
        subscriber: Box::new(subscriber),
    }
}

fn owned<H: Into<String>>(servers: impl IntoIterator<Item = (H, u16)>) -> Vec<(String, u16)> {
    servers
        .into_iter()
        .map(|(host, port)| (host.into(), port))
        .collect()
}

impl Broker for RedisBroker {
    fn driver(&self) -> &'static str {
        "RedisBroker"
    }

    fn connect<'a>(
        &'a mut self,
        context: &'a LinkContext,
    ) -> BrokerFuture<'a, Result<Link, BrokerError>> {
        Box::pin(self.open(context))
    }
}
