//! The two halves of a link, on one connection.
//!
//! Invariant: only whole frames go to [`Wire::write_all`], which queues what it is given at once. So
//! an answer to a ping never lands inside a publication, and neither half waits for the other: the
//! receiving half queues its answers and reads on, the next read or write sends them.

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::servers::{Learned, Server};
use crate::broker::link::{BrokerFuture, Link, Publisher, Subscriber};
use crate::broker::tls::Wire;
use crate::broker::{BrokerError, Direction};
use crate::runtime::yield_now;
use crate::wire::nats::{Event, Session};

/// What is read at once, in bytes.
pub(super) const READ_BYTES: usize = 16 * 1024;

/// What is queued at once, in bytes; a longer publication goes in several writes.
const WRITE_BYTES: usize = 128 * 1024;

/// The connection.
pub(super) struct Line {
    wire: Wire,
    session: RefCell<Session>,
    server: Server,
    learned: Learned,
    buffer: RefCell<Vec<u8>>,
}

impl Line {
    pub(super) fn new(wire: Wire, session: Session, server: Server, learned: Learned) -> Self {
        Self {
            wire,
            session: RefCell::new(session),
            server,
            learned,
            buffer: RefCell::new(vec![0; READ_BYTES]),
        }
    }

    /// Waits until login and subscription are taken; payloads may come before.
    pub(super) async fn until_ready(&self, heard: &mut Vec<Vec<u8>>) -> Result<(), BrokerError> {
        while !self.take(heard)? {
            self.read().await?;
        }
        Ok(())
    }

    /// Takes what was read: `true` when the server said meanwhile that all is taken.
    fn take(&self, heard: &mut Vec<Vec<u8>>) -> Result<bool, BrokerError> {
        let mut ready = false;
        let outcome = loop {
            let event = self.session.borrow_mut().next_event();
            match event {
                Ok(Some(Event::Payload(payload))) => heard.push(payload),
                Ok(Some(Event::PayloadLeftOut { bytes })) => {
                    tracing::debug!(bytes, "a message that no node sends was left out");
                }
                Ok(Some(Event::Info(info))) => self.learned.learn(&self.server, &info.addresses),
                Ok(Some(Event::Ready)) => ready = true,
                Ok(None) => break Ok(ready),
                Err(error) => break Err(error.into()),
            }
        };
        let answered = self.queue_answers();
        outcome.and_then(|ready| answered.map(|()| ready))
    }

    /// Queues answers to pings without waiting for their way out.
    fn queue_answers(&self) -> Result<(), BrokerError> {
        let output = self.session.borrow_mut().take_output();
        if output.is_empty() {
            return Ok(());
        }
        let write = pin!(self.wire.write_all(&output));
        // The waker is not needed: the read that follows sends what is left, and waits for room.
        match write.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result,
            Poll::Pending => Ok(()),
        }
    }

    async fn read(&self) -> Result<(), BrokerError> {
        // Only the receiving half reads, so the buffer is free.
        let mut buffer = self.buffer.take();
        buffer.resize(READ_BYTES, 0);
        let read = self.wire.read(&mut buffer).await;
        if let Ok(count) = read {
            self.session.borrow_mut().feed(&buffer[..count]);
        }
        self.buffer.replace(buffer);
        if read? == 0 {
            let direction = Direction::Receiving;
            return Err(BrokerError::Closed { direction });
        }
        // A server that never stops talking must not keep the clock from being looked at.
        yield_now().await;
        Ok(())
    }
}

/// A link on `line`; `heard` is what came before it was ready.
pub(super) fn halves(line: Line, heard: Vec<Vec<u8>>) -> Link {
    let line = Rc::new(line);
    Link {
        publisher: Box::new(Mouth(Rc::clone(&line))),
        subscriber: Box::new(Ear {
            line,
            heard,
            over: None,
        }),
    }
}

struct Mouth(Rc<Line>);

impl Publisher for Mouth {
    fn publish<'a>(
        &'a mut self,
        mut payloads: &'a [Vec<u8>],
    ) -> BrokerFuture<'a, Result<(), BrokerError>> {
        Box::pin(async move {
            while !payloads.is_empty() {
                let mut bytes = 0;
                let count = payloads.iter().take_while(|payload| {
                    bytes += payload.len();
                    bytes <= WRITE_BYTES
                });
                let (now, later) = payloads.split_at(count.count().max(1));
                let output = {
                    let mut session = self.0.session.borrow_mut();
                    session.publish(now)?;
                    session.take_output()
                };
                self.0.wire.write_all(&output).await?;
                payloads = later;
            }
            Ok(())
        })
    }
}

struct Ear {
    line: Rc<Line>,
    heard: Vec<Vec<u8>>,
    over: Option<BrokerError>,
}

impl Subscriber for Ear {
    fn receive<'a>(
        &'a mut self,
        into: &'a mut Vec<Vec<u8>>,
    ) -> BrokerFuture<'a, Result<(), BrokerError>> {
        Box::pin(async move {
            while self.heard.is_empty() {
                // What was said before the end is worth hearing, so the end waits for its turn.
                if let Some(error) = &self.over {
                    return Err(error.clone());
                }
                self.line.read().await?;
                self.over = self.line.take(&mut self.heard).err();
            }
            into.append(&mut self.heard);
            Ok(())
        })
    }
}
