//! The load generator: one thread, one epoll instance, as many streams as descriptors allow.
//!
//! It waits for the last stream before it asks for the next tick, so a server may merge what it likes and still has
//! to deliver every number. Nothing is judged by time: a stream that is late has a gap only if a later number
//! overtakes it, or if the number has not come when the server is gone and its sockets are read to their end.
//!
//! - [`page`]: requests, and what is taken from a page
//! - [`http`], [`sse`]: the parsers, bytes in and meaning out
//! - [`tally`]: the account of each stream
//! - `tabs`: tabs that hide and come back, readers that freeze

mod client;
mod control;
pub mod http;
pub mod page;
pub mod sse;
mod tabs;
pub mod tally;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;

pub use client::connect_from;
use client::{Client, Phase};
use control::Control;
pub use page::{Board, Dialect};
pub use tally::Faults;

/// Handshakes under way at a time, below the backlog of every listener.
const WINDOW: usize = 64;
const CONTROL: u64 = u64::MAX;
const READ_BYTES: usize = 64 * 1024;
const READY_EVENTS: usize = 1024;
/// A server that is silent for so long is given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// No socket, no port, or nobody there.
    #[error("client {index} can't connect: {source}")]
    Connect {
        /// Which client.
        index: usize,
        /// What the system said.
        source: io::Error,
    },
    /// The stream's request was not answered with 200.
    #[error("a stream was refused with status {status}")]
    StreamRefused {
        /// The status.
        status: u16,
    },
    /// The tick's request failed.
    #[error("a tick was refused with status {status}: {text}")]
    TickRefused {
        /// The status.
        status: u16,
        /// The answer's body.
        text: String,
    },
    /// The connection for ticks broke.
    #[error("the connection for ticks broke: {0}")]
    Control(io::Error),
    /// The server said nothing any more.
    #[error("nothing came for {PATIENCE:?} while {doing}: {done} of {of} were done")]
    Silent {
        /// What was waited for.
        doing: &'static str,
        /// How many clients were done.
        done: usize,
        /// How many there are.
        of: usize,
    },
    /// The response breaks the protocol.
    #[error(transparent)]
    Malformed(#[from] http::Malformed),
    /// The page lacks something.
    #[error(transparent)]
    Page(#[from] page::PageError),
    /// epoll failed.
    #[error("epoll failed: {0}")]
    Epoll(#[from] Errno),
}

/// One tick's outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// From the request until the last stream had the event.
    pub elapsed: Duration,
    /// Whether all had it in time.
    pub complete: bool,
}

/// A run's account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// All streams' faults together.
    pub faults: Faults,
    /// Streams that the server ended before its time.
    pub closed: u64,
    /// Events without a sequence number.
    pub unnumbered: u64,
}

impl Report {
    /// Whether every stream got everything, once and in order.
    pub fn is_clean(&self) -> bool {
        self.faults.is_empty() && self.closed == 0
    }
}

/// Open streams and the connection that makes ticks.
pub struct Load {
    server: SocketAddr,
    dialect: Dialect,
    epoll: OwnedFd,
    clients: Vec<Client>,
    control: Control,
    answered: bool,
    asked: u64,
    /// Live streams that have not seen the latest tick.
    behind: usize,
    /// Streams that the latest tick was for.
    reached: usize,
    live: usize,
    closed: u64,
    buffer: Vec<u8>,
    ready: Vec<epoll::Event>,
}

impl Load {
    /// Opens `streams` streams on `server` and returns when all are live.
    pub fn open(server: SocketAddr, dialect: Dialect, streams: usize) -> Result<Load, LoadError> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let control = Control::dial(server).map_err(LoadError::Control)?;
        epoll::add(
            &epoll,
            &control.socket,
            EventData::new_u64(CONTROL),
            EventFlags::IN,
        )?;
        let mut load = Load {
            server,
            dialect,
            epoll,
            clients: Vec::with_capacity(streams),
            control,
            answered: true,
            asked: 0,
            behind: 0,
            reached: 0,
            live: 0,
            closed: 0,
            buffer: vec![0; READ_BYTES],
            ready: Vec::with_capacity(READY_EVENTS),
        };
        while load.live < streams {
            while load.clients.len() < streams && load.clients.len() - load.live < WINDOW {
                let client = Client::dial(server, load.clients.len())?;
                let key = EventData::new_u64(load.clients.len() as u64);
                epoll::add(&load.epoll, &client.socket, key, EventFlags::OUT)?;
                load.clients.push(client);
            }
            if load.turn(PATIENCE)? == 0 {
                return Err(LoadError::Silent {
                    doing: "opening streams",
                    done: load.live,
                    of: streams,
                });
            }
        }
        Ok(load)
    }

    /// Makes the next tick and waits until the last stream has its event, at most `limit` where events get lost.
    pub fn tick(&mut self, limit: Duration) -> Result<Tick, LoadError> {
        if self.control.is_closing() {
            self.control = Control::dial(self.server).map_err(LoadError::Control)?;
            epoll::add(
                &self.epoll,
                &self.control.socket,
                EventData::new_u64(CONTROL),
                EventFlags::IN,
            )?;
        }
        self.asked += 1;
        self.answered = false;
        self.behind = (0..self.clients.len())
            .filter(|&index| self.waits(index))
            .count();
        self.reached = self.behind;
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
        let mut last = None;
        loop {
            if self.behind == 0 && last.is_none() {
                last = Some(start.elapsed());
            }
            if self.answered
                && let Some(elapsed) = last
            {
                return Ok(Tick {
                    elapsed,
                    complete: true,
                });
            }
            let elapsed = start.elapsed();
            if self.answered && elapsed >= limit {
                return Ok(Tick {
                    elapsed,
                    complete: false,
                });
            }
            let patience = if self.answered {
                limit - elapsed
            } else {
                PATIENCE
            };
            if self.turn(patience)? == 0 && !self.answered {
                let done = self.live - self.behind;
                return Err(LoadError::Silent {
                    doing: "waiting for a tick's answer",
                    done,
                    of: self.live,
                });
            }
        }
    }

    /// Closes the books. The server must be gone: every stream is read to its end.
    pub fn finish(mut self) -> Result<Report, LoadError> {
        let closed = self.closed;
        let streams = self.live;
        if !self.control.is_gone() {
            epoll::delete(&self.epoll, &self.control.socket)?;
        }
        while self.live > 0 {
            if self.turn(PATIENCE)? == 0 {
                return Err(LoadError::Silent {
                    doing: "reading to the end",
                    done: streams - self.live,
                    of: streams,
                });
            }
        }
        let mut report = Report {
            closed,
            ..Report::default()
        };
        for (index, client) in self.clients.iter().enumerate() {
            // A hidden tab and a frozen reader have missed something by intent.
            if client.phase == Phase::Hidden || client.frozen {
                continue;
            }
            report.faults += client.account.close(self.dialect.newest(index, self.asked));
            report.unnumbered += client.unnumbered;
        }
        Ok(report)
    }

    /// Handles what is ready, after waiting for it at most `patience`. Returns how many sockets were.
    fn turn(&mut self, patience: Duration) -> Result<usize, LoadError> {
        let timeout = Timespec::try_from(patience).unwrap_or(Timespec {
            tv_sec: 1,
            tv_nsec: 0,
        });
        let mut ready = std::mem::take(&mut self.ready);
        ready.clear();
        while let Err(error) = epoll::wait(&self.epoll, spare_capacity(&mut ready), Some(&timeout))
        {
            if error != Errno::INTR {
                return Err(error.into());
            }
        }
        for event in &ready {
            match event.data.u64() {
                CONTROL => {
                    self.answered |= self.control.read(&mut self.buffer)?;
                    if self.control.is_gone() {
                        epoll::delete(&self.epoll, &self.control.socket)?;
                    }
                }
                index => self.client_ready(usize::try_from(index).unwrap_or(usize::MAX))?,
            }
        }
        let count = ready.len();
        self.ready = ready;
        Ok(count)
    }

    /// Whether client `index` is to have an event that has not come yet.
    fn waits(&self, index: usize) -> bool {
        let client = &self.clients[index];
        client.phase == Phase::Live
            && !client.frozen
            && client.account.highest() < self.dialect.newest(index, self.asked)
    }

    fn client_ready(&mut self, index: usize) -> Result<(), LoadError> {
        let newest = self.dialect.newest(index, self.asked);
        let client = &mut self.clients[index];
        if client.phase == Phase::Connecting {
            return self.ask(index);
        }
        let bytes = match client.read(&mut self.buffer) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(()),
            Err(_) => &[],
        };
        match client.phase {
            Phase::Live if bytes.is_empty() => self.ended(index)?,
            _ if bytes.is_empty() => {
                let source = io::ErrorKind::UnexpectedEof.into();
                return Err(LoadError::Connect { index, source });
            }
            Phase::Page => {
                if client.take_page(bytes)? {
                    if client.is_closing() {
                        client.redial(self.server, index)?;
                        let key = EventData::new_u64(index as u64);
                        epoll::add(&self.epoll, &client.socket, key, EventFlags::OUT)?;
                    } else {
                        self.ask(index)?;
                    }
                }
            }
            Phase::Connecting | Phase::Opening | Phase::Live | Phase::Hidden | Phase::Ended => {
                let was_live = client.phase == Phase::Live;
                let before = client.account.highest();
                client.take_events(bytes, newest)?;
                self.live += usize::from(!was_live && client.phase == Phase::Live);
                if was_live && before < newest && client.account.highest() >= newest {
                    self.behind -= 1;
                }
            }
        }
        Ok(())
    }

    fn ask(&mut self, index: usize) -> Result<(), LoadError> {
        let client = &mut self.clients[index];
        client
            .ask(self.server, self.dialect, index)
            .map_err(|source| LoadError::Connect { index, source })?;
        epoll::modify(
            &self.epoll,
            &client.socket,
            EventData::new_u64(index as u64),
            EventFlags::IN,
        )?;
        Ok(())
    }

    fn ended(&mut self, index: usize) -> Result<(), LoadError> {
        self.behind -= usize::from(self.waits(index));
        let client = &mut self.clients[index];
        client.phase = Phase::Ended;
        epoll::delete(&self.epoll, &client.socket)?;
        self.live -= 1;
        self.closed += 1;
        Ok(())
    }
}
