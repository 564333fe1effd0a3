//! How a link comes up: dial, greeting, TLS, login, subscription.

use std::sync::Arc;

use rustls::ClientConfig;

use super::fault::unusable;
use super::link::{self, Line, READ_BYTES};
use super::servers::Server;
use super::{Auth, NatsBroker};
use crate::broker::dial::dial;
use crate::broker::link::{Link, LinkContext};
use crate::broker::tls::Wire;
use crate::broker::{BrokerError, Direction, SecretSource};
use crate::wire::nats::{Credentials, Event, Login, ServerInfo, Session, Subject, UserSeed};

impl NatsBroker {
    /// Tries each server once. What went wrong last is told, but a server that answered and said no
    /// tells more than one that can't be reached.
    pub(super) async fn open(&mut self, context: &LinkContext) -> Result<Link, BrokerError> {
        let subject = self.checked_subject().map_err(|error| BrokerError::Other {
            reason: error.to_string(),
        })?;
        let mut worst = None;
        for server in self.servers.turn() {
            self.servers.trying(&server);
            match self.open_one(context, &server, subject.clone()).await {
                Ok(link) => return Ok(link),
                Err(error) => {
                    let vague = |error: &BrokerError| {
                        use BrokerError::{Unreachable, Unresolved};
                        matches!(error, Unreachable { .. } | Unresolved)
                    };
                    if worst.as_ref().is_none_or(vague) || !vague(&error) {
                        worst = Some(error);
                    }
                }
            }
        }
        Err(worst.unwrap_or(BrokerError::Unresolved))
    }

    async fn open_one(
        &self,
        context: &LinkContext,
        server: &Server,
        subject: Subject,
    ) -> Result<Link, BrokerError> {
        let login = self.auth.read(context).await?;
        let address = &server.address;
        let (socket, _) = dial(context, &self.resolver, &address.host, address.port).await?;
        let mut session = Session::new(subject);
        let mut heard = Vec::new();
        let mut wire = Wire::plain(socket);
        if self.tls_first {
            wire = self.secure(context, wire, server).await?;
        }
        let info = greeting(&wire, &mut session).await?;
        let mut tls = self.tls_first;
        if !tls && (self.tls || info.tls_required) {
            if !(info.tls_required || info.tls_available) {
                return Err(BrokerError::Tls {
                    reason: "the server has no TLS, but this node insists on it: give the server a certificate, or switch tls off here".to_owned(),
                });
            }
            session.ready_for_tls()?;
            wire = self.secure(context, wire, server).await?;
            tls = true;
        }
        session.login(&login, &format!("autovia-{}", context.node_id()), tls)?;
        self.servers.learned().learn(server, &info.addresses);
        // A server that refuses closes at once: then the write fails too, and what was said tells why.
        let written = wire.write_all(&session.take_output()).await;
        let line = Line::new(
            wire,
            session,
            server.clone(),
            self.servers.learned().clone(),
        );
        match line.until_ready(&mut heard).await {
            Err(BrokerError::Closed { .. } | BrokerError::Broken { .. }) if written.is_err() => {
                written?;
            }
            other => other?,
        }
        Ok(link::halves(line, heard))
    }

    async fn secure(
        &self,
        context: &LinkContext,
        wire: Wire,
        server: &Server,
    ) -> Result<Wire, BrokerError> {
        let config: Arc<ClientConfig> = self.tls_options.load(context).await?;
        wire.upgrade(config, &server.certified).await
    }
}

/// Waits for the server to tell about itself.
async fn greeting(wire: &Wire, session: &mut Session) -> Result<ServerInfo, BrokerError> {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match session.next_event()? {
            Some(Event::Info(info)) if info.leaving => {
                return Err(BrokerError::Leaving {
                    reason: "lame duck mode",
                });
            }
            Some(Event::Info(info)) => return Ok(info),
            Some(_) => {
                return Err(BrokerError::Protocol {
                    reason: "it doesn't begin with INFO",
                });
            }
            None => {}
        }
        let read = wire.read(&mut buffer).await?;
        if read == 0 {
            let direction = Direction::Receiving;
            return Err(BrokerError::Closed { direction });
        }
        session.feed(&buffer[..read]);
    }
}

impl Auth {
    /// Reads the secrets, for each attempt anew.
    async fn read(&self, context: &LinkContext) -> Result<Login, BrokerError> {
        let auth = self.clone();
        context.blocking(move || auth.read_here()).await?
    }

    fn read_here(self) -> Result<Login, BrokerError> {
        Ok(match self {
            Self::None => Login::Anonymous,
            Self::Token(token) => Login::Token(token.read("token")?.expose().clone()),
            Self::User(user, password) => Login::Password {
                user,
                password: password.read("password")?.expose().clone(),
            },
            Self::Credentials(path) => {
                let text = SecretSource::File(path).read("credentials file")?;
                Login::Credentials(Credentials::parse(text.expose()).map_err(unusable)?)
            }
            Self::Seed(seed) => {
                let text = seed.read("nkey seed")?;
                Login::Key(UserSeed::parse(text.expose().trim()).map_err(unusable)?)
            }
        })
    }
}
