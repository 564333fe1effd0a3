//! The load generator: one thread, one epoll instance, as many streams as a descriptor table allows.
//!
//! It waits for the last stream before it asks for the next tick, so a server may merge what it likes and still has
//! to deliver every number. Nothing is judged by time: a stream that is late has a gap only if a later number
//! overtakes it, or if the number has not come when the server is gone and its sockets are read to their end.
//!
//! - [`page`]: requests, and what is taken from a page
//! - [`http`], [`sse`]: the parsers, bytes in and meaning out
//! - [`tally`]: the account of each stream
//! - `ticks`: events made and awaited
//! - `tabs`: tabs that hide and come back, readers that freeze
//! - [`crowd`]: several generators, each on a thread with a descriptor table of its own

mod client;
mod control;
pub mod crowd;
pub mod http;
pub mod page;
pub mod sse;
mod tabs;
pub mod tally;
mod ticks;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;

pub use client::connect_from;
use client::{Client, Phase};
use control::Control;
pub use crowd::Crowd;
pub use page::{Board, Dialect};
pub use tally::Faults;
pub use ticks::{Audience, Tick};

/// Source addresses of one generator: with some 28,000 ports each, ports never run out before descriptors do.
const SOURCES: usize = 250;
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
    /// A thread of the crowd has no table of its own, or is gone.
    #[error("a load thread has failed: {0}")]
    Thread(String),
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

impl std::ops::AddAssign for Report {
    fn add_assign(&mut self, other: Report) {
        self.faults += other.faults;
        self.closed += other.closed;
        self.unnumbered += other.unnumbered;
    }
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
    /// The third part of its source addresses, 127.0.block.2 and up.
    block: u8,
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
    /// What went wrong with tabs that were closed.
    past: Faults,
    buffer: Vec<u8>,
    ready: Vec<epoll::Event>,
}

impl Load {
    /// Opens `streams` streams on `server` and returns when all are live.
    pub fn open(server: SocketAddr, dialect: Dialect, streams: usize) -> Result<Load, LoadError> {
        let mut load = Load::connect(server, dialect, 0)?;
        load.grow(streams)?;
        Ok(load)
    }

    /// No stream yet; generators that run at once have a `block` of source addresses each.
    pub fn connect(server: SocketAddr, dialect: Dialect, block: u8) -> Result<Load, LoadError> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let control = Control::dial(server).map_err(LoadError::Control)?;
        epoll::add(
            &epoll,
            &control.socket,
            EventData::new_u64(CONTROL),
            EventFlags::IN,
        )?;
        Ok(Load {
            server,
            block,
            dialect,
            epoll,
            clients: Vec::new(),
            control,
            answered: true,
            asked: 0,
            behind: 0,
            reached: 0,
            live: 0,
            closed: 0,
            past: Faults::default(),
            buffer: vec![0; READ_BYTES],
            ready: Vec::with_capacity(READY_EVENTS),
        })
    }

    /// Opens `more` streams beside those that are open and returns when all are live.
    pub fn grow(&mut self, more: usize) -> Result<(), LoadError> {
        let (first, before) = (self.clients.len(), self.live);
        self.clients.reserve_exact(more);
        while self.live < before + more {
            let dialled = self.clients.len() - first;
            let under_way = dialled.saturating_sub(self.live.saturating_sub(before));
            for index in first + dialled..first + more.min(dialled + WINDOW - under_way) {
                let client = self.dial(index)?;
                self.clients.push(client);
            }
            if self.turn(PATIENCE)? == 0 {
                return Err(LoadError::Silent {
                    doing: "opening streams",
                    done: self.live.saturating_sub(before),
                    of: more,
                });
            }
        }
        Ok(())
    }

    /// A new tab, which has missed nothing so far.
    fn dial(&self, index: usize) -> Result<Client, LoadError> {
        let last = u8::try_from(index % SOURCES + 2).unwrap_or(u8::MAX);
        let source = Ipv4Addr::new(127, 0, self.block, last);
        let mut client = Client::dial(self.server, source, index)?;
        client
            .account
            .excuse(self.dialect.newest(index, self.asked));
        let key = EventData::new_u64(index as u64);
        epoll::add(&self.epoll, &client.socket, key, EventFlags::OUT)?;
        Ok(client)
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
        self.closed = closed;
        Ok(self.books())
    }

    /// Closes all tabs while the server lives. What it has not sent by now is lost, so the last tick must have come.
    pub fn leave(self) -> Report {
        self.books()
    }

    fn books(&self) -> Report {
        let mut report = Report {
            closed: self.closed,
            faults: self.past,
            unnumbered: 0,
        };
        for (index, client) in self.clients.iter().enumerate() {
            // A hidden tab and a frozen reader have missed something by intent.
            if client.phase == Phase::Hidden || client.frozen {
                continue;
            }
            report.faults += client.account.close(self.dialect.newest(index, self.asked));
            report.unnumbered += client.unnumbered;
        }
        report
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
