//! The contract between the link shard and a broker.
//!
//! A broker is driven by one task of the link shard, so nothing of it has to be `Sync`, and what
//! [`Broker::connect`] gives need not even be `Send`. A broker keeps no clock: how long an attempt,
//! a publication or silence may last is watched from outside, by dropping the future.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use super::BrokerError;
use crate::runtime::blocking::Blocking;

/// A future of one thread.
pub type BrokerFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// How far a broker carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// One shard: a broadcast has nowhere to go.
    Shard,
    /// All shards of this process, through the rings of its mesh.
    Process,
    /// All nodes that are joined to it; the process runs one more shard for its link.
    Nodes,
}

/// What carries broadcasts.
///
/// Implement it for a transport of your own and give it to `Server::broker`;
/// [`conformance`](super::conformance) tells whether it keeps the contract.
pub trait Broker: Send + 'static {
    /// The name that `/_health` gives.
    fn driver(&self) -> &'static str;

    /// How far it carries.
    fn reach(&self) -> Reach {
        Reach::Nodes
    }

    /// Opens a link: from its return on, everything that any node publishes (this one included) is
    /// received, in the order of its publisher. Called again after each loss, for ever.
    ///
    /// Names are resolved and secrets are read anew in each call. An attempt that takes longer
    /// than five seconds is dropped.
    fn connect<'a>(
        &'a mut self,
        context: &'a LinkContext,
    ) -> BrokerFuture<'a, Result<Link, BrokerError>>;
}

/// An open link: the two directions, which fail apart and end together.
pub struct Link {
    /// From here to the broker.
    pub publisher: Box<dyn Publisher>,
    /// From the broker to here.
    pub subscriber: Box<dyn Subscriber>,
}

/// The direction to the broker.
pub trait Publisher {
    /// Hands `payloads` to the broker in this order, in as few writes as possible. Each is 1 to
    /// [`PAYLOAD_MAX_BYTES`] bytes of JSON without line ends. Returns when the broker has them, as
    /// far as its protocol tells.
    ///
    /// # Errors
    /// Any error ends the link.
    fn publish<'a>(
        &'a mut self,
        payloads: &'a [Vec<u8>],
    ) -> BrokerFuture<'a, Result<(), BrokerError>>;
}

/// The direction from the broker.
pub trait Subscriber {
    /// Waits for payloads and appends at least one to `into`; what is longer than
    /// [`PAYLOAD_MAX_BYTES`] may be left out.
    ///
    /// # Errors
    /// Any error ends the link; the end of the connection is one.
    fn receive<'a>(
        &'a mut self,
        into: &'a mut Vec<Vec<u8>>,
    ) -> BrokerFuture<'a, Result<(), BrokerError>>;
}

/// The longest payload, in bytes: what nodes say is far shorter.
pub const PAYLOAD_MAX_BYTES: usize = 64 * 1024;

/// What the link shard gives to a broker.
pub struct LinkContext {
    pub(crate) blocking: Rc<Blocking>,
    pub(crate) node: Rc<str>,
}

impl LinkContext {
    /// The id of this node: 16 hex digits, drawn at start.
    #[must_use]
    pub fn node_id(&self) -> &str {
        &self.node
    }

    /// Runs `work` on a thread that may block: name look-ups, files. The link shard itself must
    /// never block: one that stands still for two seconds ends the process.
    ///
    /// # Errors
    /// When `work` panicked, or too much of it waits.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, BrokerError> {
        self.blocking
            .run(work)
            .await
            .map_err(|error| BrokerError::Other {
                reason: error.to_string(),
            })
    }
}
