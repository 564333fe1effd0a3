//! One shard: a broadcast has nowhere to go.

use super::BrokerError;
use super::bus::Bus;
use super::link::{Broker, BrokerFuture, Link, LinkContext, Reach};

/// The broker of a server with one shard. Its links hear nobody but themselves.
#[derive(Clone, Copy, Debug, Default)]
pub struct InMemoryBroker;

impl Broker for InMemoryBroker {
    fn driver(&self) -> &'static str {
        "InMemoryBroker"
    }

    fn reach(&self) -> Reach {
        Reach::Shard
    }

    fn connect<'a>(
        &'a mut self,
        _context: &'a LinkContext,
    ) -> BrokerFuture<'a, Result<Link, BrokerError>> {
        Box::pin(async { Ok(Bus::default().join()) })
    }
}
