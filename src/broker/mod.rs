//! What relays broadcasts: within one shard, between the shards of a process, between nodes.
//!
//! A [`Broker`] carries opaque payloads: it opens a [`Link`], publishes, and receives what all nodes
//! published, its own included. Everything else (what is said, who is there, gaps, backoff, health)
//! is the same for all of them and is not the broker's business.

mod backoff;
mod bus;
pub mod conformance;
mod dial;
mod error;
mod link;
mod memory;
mod mesh;
mod nats;
pub(crate) mod node;
mod peers;
mod pending;
mod redis;
pub(crate) mod room;
mod secret;
pub(crate) mod supervisor;
mod tls;
mod url;

pub use crate::peers::{Heard, Peer, Peers};
pub use dial::Resolver;
pub use error::{BrokerError, Direction};
pub use link::{
    Broker, BrokerFuture, Link, LinkContext, PAYLOAD_MAX_BYTES, Publisher, Reach, Subscriber,
};
pub use memory::InMemoryBroker;
pub use mesh::MeshBroker;
pub use nats::{NatsBroker, NatsSetupError};
pub use redis::RedisBroker;
pub use secret::SecretSource;
pub use url::BrokerUrlError;

/// The snippets of the book's page on several nodes are compiled, and run where they can be.
#[cfg(doctest)]
#[doc = include_str!("../../docs/several-nodes.md")]
struct SeveralNodes;
