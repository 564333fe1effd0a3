//! Several shards of one process: broadcasts go through the rings of the mesh.

use super::BrokerError;
use super::bus::Bus;
use super::link::{Broker, BrokerFuture, Link, LinkContext, Reach};

/// The broker of a server with several shards and no other node.
///
/// The shards tell each other through rings and need no link. Links of one `MeshBroker` and its
/// clones hear each other, so that programs can be tried with several nodes in one process.
#[derive(Clone, Default)]
pub struct MeshBroker(Bus);

impl std::fmt::Debug for MeshBroker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MeshBroker")
    }
}

impl Broker for MeshBroker {
    fn driver(&self) -> &'static str {
        "MeshBroker"
    }

    fn reach(&self) -> Reach {
        Reach::Process
    }

    fn connect<'a>(
        &'a mut self,
        _context: &'a LinkContext,
    ) -> BrokerFuture<'a, Result<Link, BrokerError>> {
        Box::pin(async { Ok(self.0.join()) })
    }
}
