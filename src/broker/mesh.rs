//! Several shards of one process: broadcasts go through the rings of the mesh.

use super::Broker;

/// The broker of a server with several shards and no other node.
#[derive(Clone, Copy, Debug, Default)]
pub struct MeshBroker;

impl Broker for MeshBroker {
    fn driver(&self) -> &'static str {
        "MeshBroker"
    }

    fn is_connected(&self) -> bool {
        true
    }
}
