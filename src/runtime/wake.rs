//! How another thread wakes a sleeping shard: an eventfd in the shard's epoll set.
//!
//! A write is never lost: it stays in the counter until read, and the epoll instance is readable
//! as long as the edge was not taken. The counter is read once per wake-up.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;

use glommio::io::PollableFd;
use rustix::event::{EventfdFlags, eventfd};

use super::executor::{PULSE, task_polls, wake_on_task_poll};
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

    /// Takes the rings that came so far.
    pub fn clear(&self) {
        let mut count = [0; 8];
        // Nothing there (EAGAIN) is as good as taken.
        rustix::io::read(&self.0, &mut count).ok();
    }

    /// The descriptor, to be put into the epoll set.
    #[must_use]
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Waits for the epoll instance through glommio.
pub struct Sleeper {
    epoll: Rc<PollableFd<RawEpoll>>,
    waiting: Option<std::pin::Pin<Box<dyn Future<Output = ()>>>>,
}

struct RawEpoll(Rc<Reactor>);

impl std::os::fd::AsRawFd for RawEpoll {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.0.as_raw_fd()
    }
}

impl Sleeper {
    /// A sleeper on `reactor`; call it on the executor's thread.
    ///
    /// # Errors
    /// The text of what glommio refused.
    pub fn new(reactor: Rc<Reactor>) -> Result<Self, String> {
        let epoll = PollableFd::new(RawEpoll(reactor)).map_err(|error| error.to_string())?;
        Ok(Self {
            epoll: Rc::new(epoll),
            waiting: None,
        })
    }

    /// Sleeps until the epoll instance has events, `deadline` comes, another task of this thread
    /// has run, or the task is woken and `nudged` says that there is work; at most [`PULSE`].
    pub async fn sleep(
        &mut self,
        deadline: Option<std::time::Instant>,
        nudged: impl Fn(&std::task::Waker) -> bool,
    ) {
        let until_deadline = deadline.map_or(PULSE, |at| {
            at.saturating_duration_since(std::time::Instant::now())
                .min(PULSE)
        });
        let waiting = self.waiting.get_or_insert_with(|| {
            let epoll = Rc::clone(&self.epoll);
            Box::pin(async move {
                if let Err(error) = epoll.readable().await {
                    tracing::error!(%error, "waiting for the epoll instance failed");
                }
            })
        });
        let mut timer = std::pin::pin!(glommio::timer::Timer::new(until_deadline));
        let polls = task_polls();
        let fired = std::future::poll_fn(|cx| {
            wake_on_task_poll(cx.waker());
            if nudged(cx.waker()) || task_polls() != polls {
                return std::task::Poll::Ready(false);
            }
            if waiting.as_mut().poll(cx).is_ready() {
                return std::task::Poll::Ready(true);
            }
            timer.as_mut().poll(cx).map(|_| false)
        })
        .await;
        if fired {
            self.waiting = None;
        }
    }
}
