//! What the engine asks of the shard that runs it.

use std::any::Any;
use std::sync::Arc;

use super::app::Lane;
use super::definition::LocalFuture;
use crate::peers::Peers;

/// Blocking work with its type taken off.
pub(crate) type BlockingJob = Box<dyn FnOnce() -> Box<dyn Any + Send> + Send>;

/// The shard, as the engine sees it.
pub(crate) trait Host {
    /// Milliseconds since the shard started; the same during one turn.
    fn now_ms(&self) -> u64;
    /// Something is to be done: don't sleep.
    fn nudge(&self);
    /// Runs `job` on a thread that may block.
    fn blocking(&self, job: BlockingJob) -> LocalFuture<Result<Box<dyn Any + Send>, String>>;
    /// What each shard holds and did.
    fn lanes(&self) -> Vec<Lane>;
    /// The link and the other nodes.
    fn peers(&self) -> Arc<Peers>;
}
