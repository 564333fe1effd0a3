//! Brokers of the app's own that misbehave, and a hook that notes what it is told.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;

use autovia::broker::{BrokerFuture, Link, LinkContext, RedisBroker, Resolver};
use autovia::{Broker, BrokerError, Server};

use crate::data::Log;

/// Gives the server the broker that the test asked for.
pub fn choose(server: Server, wanted: Option<&str>) -> Server {
    let Some((kind, rest)) = wanted.map(|wanted| wanted.split_once('=').unwrap_or((wanted, "")))
    else {
        return server;
    };
    match kind {
        "blocks" => server.broker(Odd::Blocks),
        "panics" => {
            let port = rest.parse().expect("panics=PORT");
            let redis = Box::new(RedisBroker::new("127.0.0.1", port));
            server.broker(Odd::Panics { left: 2, redis })
        }
        "resolver" => server.broker(by_file(PathBuf::from(rest))),
        other => panic!("{other:?} is no broker of the probe"),
    }
}

/// Notes each error, by its text; panics after the first ones if it shall.
pub fn hook(log: Log, panics: bool) -> impl Fn(&BrokerError) + Send + Sync + 'static {
    move |error| {
        log.note("broker error");
        log.note(format!("broker error: {error}"));
        assert!(!panics, "a hook of the app panics");
    }
}

/// A Redis broker whose name's address is what a file says at the moment.
fn by_file(path: PathBuf) -> RedisBroker {
    let resolver: Resolver = Arc::new(move |host: &str, _port| {
        assert_eq!(host, "broker.test");
        let text = std::fs::read_to_string(&path)?;
        let found: Vec<SocketAddr> = text.trim().to_socket_addrs()?.collect();
        Ok(found)
    });
    RedisBroker::new("broker.test", 6379).resolver(resolver)
}

enum Odd {
    /// Keeps its thread.
    Blocks,
    /// Panics so often before it behaves.
    Panics { left: u32, redis: Box<RedisBroker> },
}

impl Broker for Odd {
    fn driver(&self) -> &'static str {
        "OddBroker"
    }

    fn connect<'a>(
        &'a mut self,
        context: &'a LinkContext,
    ) -> BrokerFuture<'a, Result<Link, BrokerError>> {
        Box::pin(async move {
            match self {
                Self::Blocks => loop {
                    std::thread::park();
                },
                Self::Panics { left, .. } if *left > 0 => {
                    *left -= 1;
                    panic!("a broker of the app panics");
                }
                Self::Panics { redis, .. } => redis.connect(context).await,
            }
        })
    }
}
