//! Attempts to connect: names and secrets are read once for each, and all its connections use them.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;

use super::super::dial::{Resolver, dial, dial_address};
use super::super::tls::Wire;
use super::super::{BrokerError, Direction, LinkContext};
use super::RedisBroker;
use super::connection::{Connection, broken};
use crate::runtime::Socket;
use crate::secret::Secret;
use crate::wire::resp::{
    Heard, Login, LoginError, Peer, Protocol, PubSubError, Refusal, Subscription,
};

/// One attempt.
pub(super) struct Visit<'a> {
    context: &'a LinkContext,
    resolver: Resolver,
    tls: Option<Arc<ClientConfig>>,
    name: String,
    username: Option<String>,
    password: Option<Secret<String>>,
}

/// The server that a link is with: the connection that subscribes, and how to come again.
pub(super) struct Home {
    pub connection: Connection,
    pub peer: Peer,
    host: String,
    address: SocketAddr,
}

impl Home {
    /// # Errors
    /// When it is a replica, which is no place to publish.
    pub(super) fn refuse_replica(&self) -> Result<(), BrokerError> {
        if self.peer.is_replica && !self.peer.is_clustered {
            return Err(BrokerError::Leaving {
                reason: "it is a replica, from which nothing reaches the other nodes: connect to the master",
            });
        }
        Ok(())
    }

    /// Subscribes, and waits for the confirmation.
    pub(super) async fn subscribe(
        &mut self,
        subscription: &mut Subscription,
    ) -> Result<(), BrokerError> {
        match self.ask_to_subscribe(subscription).await? {
            None => Ok(()),
            Some(error) => Err(self.connection.refused(PubSubError::Refused(error))),
        }
    }

    /// Subscribes, and waits for the confirmation, or for being sent to another server.
    pub(super) async fn ask_to_subscribe(
        &mut self,
        subscription: &mut Subscription,
    ) -> Result<Option<Refusal>, BrokerError> {
        let mut request = Vec::new();
        subscription.request(&mut request);
        self.connection.send(&request).await?;
        loop {
            let said = self.connection.next().await?;
            match subscription.receive(said) {
                Ok(Heard::Confirmed) => return Ok(None),
                Ok(_) => {}
                Err(PubSubError::Refused(moved)) if moved.moved_to().is_some() => {
                    return Ok(Some(moved));
                }
                Err(error) => return Err(self.connection.refused(error)),
            }
        }
    }
}

impl<'a> Visit<'a> {
    /// Reads secrets and certificates.
    pub(super) async fn prepare(
        broker: &RedisBroker,
        context: &'a LinkContext,
    ) -> Result<Self, BrokerError> {
        let password = match broker.password.clone() {
            None => None,
            Some(source) => Some(context.blocking(move || source.read("password")).await??),
        };
        if password.is_none() && broker.username.is_some() {
            return Err(BrokerError::Secret {
                what: "password",
                kind: std::io::ErrorKind::NotFound,
            });
        }
        let tls = match &broker.tls {
            None => None,
            Some(options) => Some(options.load(context).await?),
        };
        Ok(Self {
            context,
            resolver: Arc::clone(&broker.resolver),
            tls,
            name: format!("autovia-{}", context.node_id()),
            username: broker.username.clone(),
            password,
        })
    }

    /// Connects and logs in.
    pub(super) async fn connect(&self, host: &str, port: u16) -> Result<Home, BrokerError> {
        let (socket, address) = dial(self.context, &self.resolver, host, port).await?;
        let mut connection = Connection::new(self.wire(socket, host).await?, Protocol::Three);
        let peer = self.log_in(&mut connection).await?;
        Ok(Home {
            connection,
            peer,
            host: host.to_owned(),
            address,
        })
    }

    /// A second connection to the same server, for publishing.
    pub(super) async fn connect_again(&self, home: &Home) -> Result<Connection, BrokerError> {
        let socket = dial_address(home.address).await?;
        let mut connection = Connection::new(self.wire(socket, &home.host).await?, Protocol::Three);
        connection.direction = Direction::Publishing;
        self.log_in(&mut connection).await?;
        Ok(connection)
    }

    /// A connection without a login, for sentinels.
    pub(super) async fn call(&self, host: &str, port: u16) -> Result<Connection, BrokerError> {
        let (socket, _) = dial(self.context, &self.resolver, host, port).await?;
        Ok(Connection::new(
            self.wire(socket, host).await?,
            Protocol::Two,
        ))
    }

    /// The words of `AUTH`, where there is a password.
    pub(super) fn auth(&self) -> Option<Vec<&[u8]>> {
        let password = self.password.as_ref()?.expose().as_bytes();
        let mut words: Vec<&[u8]> = vec![b"AUTH"];
        words.extend(self.username.as_ref().map(|user| user.as_bytes()));
        words.push(password);
        Some(words)
    }

    async fn wire(&self, socket: Socket, host: &str) -> Result<Wire, BrokerError> {
        match &self.tls {
            None => Ok(Wire::plain(socket)),
            Some(config) => Wire::secure(socket, Arc::clone(config), host).await,
        }
    }

    async fn log_in(&self, connection: &mut Connection) -> Result<Peer, BrokerError> {
        let password = self
            .password
            .as_ref()
            .map(|secret| secret.expose().as_str());
        let mut login = Login::new(&self.name, self.username.as_deref(), password);
        loop {
            let out = login.output();
            if !out.is_empty() {
                connection.send(&out).await?;
            }
            let reply = connection.next().await?;
            let done = login.receive(&reply).map_err(|error| match error {
                LoginError::Refused(code) => BrokerError::Refused { code },
                LoginError::NotReady => BrokerError::Leaving {
                    reason: "it is not ready: it loads its data, or its master is gone",
                },
                LoginError::Unexpected(error) => broken(error),
            })?;
            connection.speak(login.protocol());
            if let Some(peer) = done {
                connection.speak(peer.protocol);
                return Ok(peer);
            }
        }
    }
}
