//! Threads for work that blocks: files, databases, DNS.
//!
//! Jobs go out over one crossbeam channel; each result comes back over its shard's own, and the
//! shard's doorbell is rung. A panic in a job is its caller's error, the thread lives on.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, unbounded};
use slab::Slab;

use super::executor::Unwound;
use super::local;

/// Threads of the pool.
pub const BLOCKING_THREADS: usize = 4;

/// Jobs that may wait; one more is refused.
pub const BLOCKING_QUEUE_MAX: usize = 1024;

type Job = Box<dyn FnOnce() + Send>;
type Outcome = Result<Box<dyn Any + Send>, Unwound>;

/// The pool, shared by all shards.
#[derive(Clone)]
pub struct Pool {
    jobs: Sender<Job>,
}

impl Pool {
    /// Starts the threads; they end with the process.
    ///
    /// # Errors
    /// When the kernel gives no thread.
    pub fn start() -> std::io::Result<Self> {
        let (jobs, queue) = bounded::<Job>(BLOCKING_QUEUE_MAX);
        for index in 0..BLOCKING_THREADS {
            let queue = queue.clone();
            std::thread::Builder::new()
                .name(format!("blocking-{index}"))
                .spawn(move || {
                    for job in queue {
                        job();
                    }
                })?;
        }
        Ok(Self { jobs })
    }
}

/// Why blocking work has no result.
#[derive(Debug, thiserror::Error)]
pub enum BlockingError {
    /// Too many jobs wait.
    #[error(
        "{BLOCKING_QUEUE_MAX} blocking jobs wait already: let fewer actions block at once, or make them shorter"
    )]
    Full,
    /// The job panicked.
    #[error("blocking work panicked: {0}")]
    Panicked(String),
}

/// One shard's side of the pool.
pub struct Blocking {
    pool: Pool,
    done: Sender<(usize, Outcome)>,
    results: Receiver<(usize, Outcome)>,
    waiting: RefCell<Slab<local::Sender<Outcome>>>,
    ring: std::sync::Arc<dyn Fn() + Send + Sync>,
}

impl Blocking {
    /// The side of the shard that `ring` wakes.
    #[must_use]
    pub fn new(pool: Pool, ring: std::sync::Arc<dyn Fn() + Send + Sync>) -> Self {
        let (done, results) = unbounded();
        Self {
            pool,
            done,
            results,
            waiting: RefCell::new(Slab::new()),
            ring,
        }
    }

    /// Runs `work` on a thread of the pool; it starts at once, whether the future is polled or not.
    ///
    /// # Errors
    /// [`BlockingError`].
    pub fn run<T, F>(&self, work: F) -> impl Future<Output = Result<T, BlockingError>> + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (sender, receiver) = local::oneshot();
        let id = self.waiting.borrow_mut().insert(sender);
        let (done, ring) = (self.done.clone(), std::sync::Arc::clone(&self.ring));
        let job: Job = Box::new(move || {
            let outcome = catch_unwind(AssertUnwindSafe(work))
                .map(|value| Box::new(value) as Box<dyn Any + Send>)
                .map_err(|payload| Unwound::of(&*payload));
            // The shard is gone only when the process is: nobody waits then.
            done.send((id, outcome)).ok();
            ring();
        });
        let refused = match self.pool.jobs.try_send(job) {
            Ok(()) => false,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                drop(self.waiting.borrow_mut().remove(id));
                true
            }
        };
        async move {
            match receiver.receive().await {
                None if refused => Err(BlockingError::Full),
                None => Err(BlockingError::Panicked("its thread ended".to_owned())),
                Some(Ok(value)) => Ok(*value.downcast().expect("the job's own type")),
                Some(Err(unwound)) => Err(BlockingError::Panicked(unwound.text)),
            }
        }
    }

    /// Hands results to those who wait; returns how many.
    pub fn deliver(&self) -> usize {
        let mut delivered = 0;
        for (id, outcome) in self.results.try_iter() {
            let sender = self.waiting.borrow_mut().remove(id);
            sender.send(outcome);
            delivered += 1;
        }
        delivered
    }

    /// Nothing has come back that was not delivered.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.results.is_empty()
    }
}
