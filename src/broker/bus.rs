//! Payloads between links of one process, for brokers that need no connection.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, Waker};

use super::BrokerError;
use super::link::{BrokerFuture, Link, Publisher, Subscriber};

#[derive(Default)]
struct Inbox {
    payloads: VecDeque<Vec<u8>>,
    waker: Option<Waker>,
}

/// Who listens; clones are the same bus.
#[derive(Clone, Default)]
pub(super) struct Bus(Arc<Mutex<Vec<Weak<Mutex<Inbox>>>>>);

/// What was put in is whole, whoever panicked with the lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bus {
    /// A link that hears all links of this bus, itself included.
    pub(super) fn join(&self) -> Link {
        let inbox = Arc::new(Mutex::new(Inbox::default()));
        lock(&self.0).push(Arc::downgrade(&inbox));
        Link {
            publisher: Box::new(self.clone()),
            subscriber: Box::new(Ear(inbox)),
        }
    }
}

impl Publisher for Bus {
    fn publish<'a>(
        &'a mut self,
        payloads: &'a [Vec<u8>],
    ) -> BrokerFuture<'a, Result<(), BrokerError>> {
        Box::pin(async move {
            lock(&self.0).retain(|listener| {
                let Some(inbox) = listener.upgrade() else {
                    return false;
                };
                let mut inbox = lock(&inbox);
                inbox.payloads.extend(payloads.iter().cloned());
                if let Some(waker) = inbox.waker.take() {
                    waker.wake();
                }
                true
            });
            Ok(())
        })
    }
}

struct Ear(Arc<Mutex<Inbox>>);

impl Subscriber for Ear {
    fn receive<'a>(
        &'a mut self,
        into: &'a mut Vec<Vec<u8>>,
    ) -> BrokerFuture<'a, Result<(), BrokerError>> {
        Box::pin(poll_fn(move |cx| {
            let mut inbox = lock(&self.0);
            if inbox.payloads.is_empty() {
                inbox.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
            into.extend(inbox.payloads.drain(..));
            Poll::Ready(Ok(()))
        }))
    }
}
