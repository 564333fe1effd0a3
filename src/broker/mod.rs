//! What relays broadcasts: within one shard, between the shards of a process, between nodes.

mod memory;
mod mesh;

pub use memory::InMemoryBroker;
pub use mesh::MeshBroker;

/// The relay, as health and the server see it.
pub trait Broker: Send + Sync + 'static {
    /// The name that `/_health` gives.
    fn driver(&self) -> &'static str;
    /// Broadcasts reach everybody that they should.
    fn is_connected(&self) -> bool;
}
