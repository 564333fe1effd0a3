//! Events made and awaited.

use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventData, EventFlags};

use super::control::Control;
use super::{CONTROL, Dialect, Load, LoadError, PATIENCE, Report, page};

/// One tick's outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// From the request until the last stream had the event.
    pub elapsed: Duration,
    /// Whether all had it in time.
    pub complete: bool,
}

/// Streams that ticks can be made for, on one thread or on several.
pub trait Audience {
    /// Makes the next tick and waits until the last stream has its event, at most `limit` where events get lost.
    fn tick(&mut self, limit: Duration) -> Result<Tick, LoadError>;
    /// How many streams the latest tick was for.
    fn reached(&self) -> usize;
    /// Closes the books. The server must be gone: every stream is read to its end.
    fn finish(self) -> Result<Report, LoadError>;
}

impl Audience for Load {
    fn tick(&mut self, limit: Duration) -> Result<Tick, LoadError> {
        Load::tick(self, limit)
    }

    fn reached(&self) -> usize {
        self.reached
    }

    fn finish(self) -> Result<Report, LoadError> {
        Load::finish(self)
    }
}

impl Load {
    /// Makes the next tick and waits until the last stream has its event, at most `limit` where events get lost.
    pub fn tick(&mut self, limit: Duration) -> Result<Tick, LoadError> {
        self.expect(self.asked + 1);
        let start = self.ask_for_tick()?;
        let last = self.reach(start + limit)?;
        Ok(Tick {
            elapsed: last.unwrap_or_else(Instant::now) - start,
            complete: last.is_some(),
        })
    }

    /// From now on the streams are to have what tick number `tick` makes, whoever asks for it.
    pub(super) fn expect(&mut self, tick: u64) {
        self.asked = tick;
        self.behind = (0..self.clients.len())
            .filter(|&index| self.waits(index))
            .count();
        self.reached = self.behind;
    }

    /// Asks for the tick that was expected last. Returns when.
    pub(super) fn ask_for_tick(&mut self) -> Result<Instant, LoadError> {
        if self.control.is_closing() {
            self.control = Control::dial(self.server).map_err(LoadError::Control)?;
            let key = EventData::new_u64(CONTROL);
            epoll::add(&self.epoll, &self.control.socket, key, EventFlags::IN)?;
        }
        self.answered = false;
        let session = self
            .clients
            .first()
            .and_then(|client| client.session.as_ref());
        let request = match self.dialect {
            Dialect::Nchan => page::publish_request(self.server, self.asked),
            _ => page::tick_request(self.server, session, self.asked),
        };
        let start = Instant::now();
        self.control.ask(&request).map_err(LoadError::Control)?;
        Ok(start)
    }

    /// Waits until the last stream has its event and the request, where there was one, its answer. Returns when the
    /// last had it; none where that was not before `limit`.
    pub(super) fn reach(&mut self, limit: Instant) -> Result<Option<Instant>, LoadError> {
        let mut last = None;
        loop {
            let now = Instant::now();
            if self.behind == 0 && last.is_none() {
                last = Some(now);
            }
            if self.answered && (last.is_some() || now >= limit) {
                return Ok(last);
            }
            let patience = if self.answered { limit - now } else { PATIENCE };
            if self.turn(patience)? == 0 && !self.answered {
                return Err(LoadError::Silent {
                    doing: "waiting for a tick's answer",
                    done: self.live - self.behind,
                    of: self.live,
                });
            }
        }
    }

    /// Reads what comes until `end`.
    pub fn listen(&mut self, end: Instant) -> Result<(), LoadError> {
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.turn(left)?;
        }
    }
}
