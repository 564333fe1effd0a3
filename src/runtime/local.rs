//! Channels between tasks of one shard: a one-shot, and a gate that many wait at.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use slab::Slab;

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

/// Tasks that wait for something to change. One that stops waiting leaves nothing behind.
#[derive(Default)]
pub struct Waiters(RefCell<Slab<Waker>>);

impl Waiters {
    /// Wakes all.
    pub fn wake(&self) {
        // A waker may be asked to wait again at once, so the table is not held meanwhile.
        let wakers: Vec<Waker> = self
            .0
            .borrow()
            .iter()
            .map(|(_, waker)| waker.clone())
            .collect();
        for waker in wakers {
            waker.wake();
        }
    }

    /// Waits until `ready` says so; it is asked at each [`Waiters::wake`].
    pub async fn until(&self, mut ready: impl FnMut() -> bool) {
        let mut place = Place {
            waiters: self,
            key: None,
        };
        poll_fn(|cx| {
            if ready() {
                return Poll::Ready(());
            }
            place.wait(cx.waker());
            Poll::Pending
        })
        .await;
    }
}

struct Place<'a> {
    waiters: &'a Waiters,
    key: Option<usize>,
}

impl Place<'_> {
    fn wait(&mut self, waker: &Waker) {
        let mut wakers = self.waiters.0.borrow_mut();
        match self.key {
            Some(key) => wakers[key].clone_from(waker),
            None => self.key = Some(wakers.insert(waker.clone())),
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.waiters.0.borrow_mut().remove(key);
        }
    }
}
