//! How a shard sleeps, and how another thread wakes it: an eventfd in the shard's epoll set.
//!
//! A write is never lost: each is a new edge, and the epoll instance keeps it until it was taken. So the
//! counter is never read: it would overflow after 2⁶⁴ − 2 rings.
//!
//! A shard sleeps in `epoll_wait` itself, not in its executor: the executor has nothing of its own to
//! wait for, and its way into the kernel and back costs more than the sleep's end does. So the sleeping
//! task blocks its whole thread, which is right only when no other task can run.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};

use super::executor::{PULSE, task_polls, yield_now};
use super::reactor::Reactor;

/// The writing end; cheap to clone, any thread may ring.
#[derive(Clone)]
pub struct WakeFd(Arc<OwnedFd>);

impl WakeFd {
    /// Makes an eventfd.
    ///
    /// # Errors
    /// When the kernel gives no descriptor.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(eventfd(
            0,
            EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK,
        )?)))
    }

    /// Wakes the shard.
    pub fn ring(&self) {
        // A full counter (EAGAIN) is rung already.
        rustix::io::write(&self.0, &1_u64.to_ne_bytes()).ok();
    }

    /// The descriptor, to be put into the epoll set.
    #[must_use]
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Blocks the thread until its epoll instance has events.
pub struct Sleeper(Rc<Reactor>);

impl Sleeper {
    /// A sleeper on `reactor`; call it on the executor's thread.
    ///
    /// # Errors
    /// The text of the kernel's refusal to wait on the instance.
    pub fn new(reactor: Rc<Reactor>) -> Result<Self, String> {
        reactor
            .wait(Duration::ZERO)
            .map_err(|error| error.to_string())?;
        Ok(Self(reactor))
    }

    /// Sleeps until the epoll instance has events or `deadline` comes; at most [`PULSE`]. Returns at once
    /// when another task of this thread has run meanwhile, or `nudged` says that there is work.
    ///
    /// What happened is told by the next [`Reactor::poll`].
    pub async fn sleep(
        &mut self,
        deadline: Option<Instant>,
        nudged: impl Fn(&std::task::Waker) -> bool,
    ) {
        // The executor runs its tasks in the order in which they were woken. So if none ran between
        // this task's going to the end and coming to the front again, there is none; and from here
        // on none is woken but by the doorbell.
        let before = task_polls();
        yield_now().await;
        let nudged = std::future::poll_fn(|cx| std::task::Poll::Ready(nudged(cx.waker()))).await;
        if nudged || task_polls() != before {
            return;
        }
        let time = deadline.map_or(PULSE, |at| at.saturating_duration_since(Instant::now()));
        if let Err(error) = self.0.wait(time.min(PULSE)) {
            tracing::error!(%error, "waiting for the epoll instance failed");
        }
    }
}
