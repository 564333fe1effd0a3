//! Channels between tasks of one shard: a one-shot, and a gate that many wait at.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

struct Shared<T> {
    value: Option<T>,
    closed: bool,
    waker: Option<Waker>,
}

/// The half that gives.
pub struct Sender<T>(Rc<RefCell<Shared<T>>>);

/// The half that waits.
pub struct Receiver<T>(Rc<RefCell<Shared<T>>>);

/// A one-shot between two tasks of this shard.
#[must_use]
pub fn oneshot<T>() -> (Sender<T>, Receiver<T>) {
    let shared = Rc::new(RefCell::new(Shared {
        value: None,
        closed: false,
        waker: None,
    }));
    (Sender(Rc::clone(&shared)), Receiver(shared))
}

impl<T> Sender<T> {
    /// Gives the value.
    pub fn send(self, value: T) {
        self.0.borrow_mut().value = Some(value);
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let waker = {
            let mut shared = self.0.borrow_mut();
            shared.closed = true;
            shared.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Receiver<T> {
    /// Waits for the value; `None` when the sender went without giving one.
    pub async fn receive(self) -> Option<T> {
        poll_fn(|cx| {
            let mut shared = self.0.borrow_mut();
            if shared.value.is_some() || shared.closed {
                return Poll::Ready(shared.value.take());
            }
            shared.waker = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}

/// Tasks that wait for something to change.
#[derive(Default)]
pub struct Waiters(RefCell<Vec<Waker>>);

impl Waiters {
    /// Wakes all.
    pub fn wake(&self) {
        let wakers = std::mem::take(&mut *self.0.borrow_mut());
        for waker in wakers {
            waker.wake();
        }
    }

    /// Waits until `ready` says so; it is asked at each [`Waiters::wake`].
    pub async fn until(&self, mut ready: impl FnMut() -> bool) {
        poll_fn(|cx| {
            if ready() {
                return Poll::Ready(());
            }
            self.0.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
