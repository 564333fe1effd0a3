//! Deadlines of one shard, looked at once per turn.
//!
//! A `BTreeMap` is enough here: streams have no timers of their own (the heartbeat and the life
//! of contexts are swept), so entries are requests and actions in flight.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Poll, Waker};
use std::time::Instant;

/// The timers of one shard.
#[derive(Default)]
pub struct Timers {
    waiting: RefCell<BTreeMap<(Instant, u64), Waker>>,
    next: Cell<u64>,
}

impl Timers {
    /// The earliest deadline.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.waiting
            .borrow()
            .first_key_value()
            .map(|((at, _), _)| *at)
    }

    /// Wakes all whose deadline is past; returns how many.
    pub fn fire(&self, now: Instant) -> usize {
        let mut fired = 0;
        loop {
            let due = {
                let mut waiting = self.waiting.borrow_mut();
                match waiting.first_entry() {
                    Some(entry) if entry.key().0 <= now => entry.remove(),
                    _ => return fired,
                }
            };
            due.wake();
            fired += 1;
        }
    }

    /// Sleeps until `deadline`.
    pub async fn sleep_until(&self, deadline: Instant) {
        let key = (deadline, self.next.get());
        self.next.set(key.1.wrapping_add(1));
        let _entry = Entry { timers: self, key };
        poll_fn(|cx| {
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            self.waiting.borrow_mut().insert(key, cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Waits for `future`, at most until `deadline`; `None` when that came first.
    pub async fn within<T>(&self, deadline: Instant, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        let mut sleep = pin!(self.sleep_until(deadline));
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => sleep.as_mut().poll(cx).map(|()| None),
        })
        .await
    }
}

struct Entry<'a> {
    timers: &'a Timers,
    key: (Instant, u64),
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.timers.waiting.borrow_mut().remove(&self.key);
    }
}
