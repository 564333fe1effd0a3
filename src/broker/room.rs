//! The thread on which a link lives: an executor with sockets, timers and blocking work, and no HTTP.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::link::{BrokerFuture, LinkContext};
use crate::runtime::blocking::{Blocking, Pool};
use crate::runtime::timer::Timers;
use crate::runtime::wake::{Sleeper, WakeFd};
use crate::runtime::{Executor, Reactor, local, ring_when_woken_from_outside, spawn, yield_now};

/// What stands beside the sockets and timers of a room, and is looked at in each turn.
pub(crate) trait Beat {
    /// Does what is to be done; `true` when there is more.
    fn turn(&mut self) -> bool;
    /// Announces that this thread will sleep; `false` when something came meanwhile.
    fn may_sleep(&mut self, nothing_else: bool) -> bool {
        nothing_else
    }
    /// Takes the announcement back.
    fn woke(&mut self) {}
}

/// Sockets, timers and blocking work of this thread.
pub(crate) struct Room {
    reactor: Rc<Reactor>,
    sleeper: Sleeper,
    pub timers: Rc<Timers>,
    pub blocking: Rc<Blocking>,
}

impl Room {
    /// Sets the room up; call it on the executor's thread. `ring` wakes this thread by `wake`.
    ///
    /// # Errors
    /// The text of what the kernel refused.
    pub fn new(
        wake: WakeFd,
        pool: Pool,
        ring: Arc<dyn Fn() + Send + Sync>,
    ) -> Result<Self, String> {
        let reactor = Reactor::install().map_err(|error| error.to_string())?;
        reactor
            .listen_to_wakes(wake.as_fd())
            .map_err(|error| error.to_string())?;
        ring_when_woken_from_outside(wake.clone());
        Ok(Self {
            sleeper: Sleeper::new(Rc::clone(&reactor))?,
            reactor,
            timers: Rc::default(),
            blocking: Rc::new(Blocking::new(pool, ring)),
        })
    }

    /// What brokers of this room get.
    pub fn context(&self, node: &str) -> LinkContext {
        LinkContext {
            blocking: Rc::clone(&self.blocking),
            node: node.into(),
        }
    }

    /// Turns for ever.
    pub async fn run(mut self, mut beat: impl Beat) {
        loop {
            if let Err(error) = self.reactor.poll(|_, _| {}) {
                tracing::error!(%error, "the epoll instance of the link shard failed");
            }
            self.blocking.deliver();
            self.timers.fire(Instant::now());
            let more = beat.turn();
            // Tasks that this turn woke run before it is decided whether to sleep.
            yield_now().await;
            if more || !beat.may_sleep(self.blocking.is_quiet()) {
                continue;
            }
            let deadline = self.timers.next_deadline();
            self.sleeper.sleep(deadline, |_| false).await;
            beat.woke();
        }
    }
}

/// A room in which nothing else is going on.
struct Alone;

impl Beat for Alone {
    fn turn(&mut self) -> bool {
        false
    }
}

/// Runs `work` in a room on a thread of its own, and waits for it: for tests of brokers.
///
/// # Errors
/// The text of what the kernel refused, or of a panic.
pub(crate) fn apart<T: Send + 'static>(
    node: &str,
    work: impl FnOnce(Rc<LinkContext>, Rc<Timers>) -> BrokerFuture<'static, T> + Send + 'static,
) -> Result<T, String> {
    let node = node.to_owned();
    let thread = std::thread::Builder::new()
        .name("broker-apart".to_owned())
        .spawn(move || {
            let executor = Executor::pinned(None, "broker-apart")?;
            executor.run(async move {
                let wake = WakeFd::new().map_err(|error| error.to_string())?;
                let ring = wake.clone();
                let pool = Pool::start().map_err(|error| error.to_string())?;
                let room = Room::new(wake, pool, Arc::new(move || ring.ring()))?;
                let context = Rc::new(room.context(&node));
                let timers = Rc::clone(&room.timers);
                let (sender, receiver) = local::oneshot();
                spawn(async move {
                    sender.send(work(context, timers).await);
                });
                let done = async {
                    receiver
                        .receive()
                        .await
                        .ok_or_else(|| "the work panicked".to_owned())
                };
                let turns = async {
                    room.run(Alone).await;
                    Err("a room does not end".to_owned())
                };
                futures_lite::future::or(done, turns).await
            })
        })
        .map_err(|error| error.to_string())?;
    thread
        .join()
        .unwrap_or_else(|_| Err("the thread of the room panicked".to_owned()))
}
