//! Readiness of all sockets of a shard: one edge-triggered epoll instance.
//!
//! Two kinds of entries: a *task* entry wakes the future that waits on its socket; a *watch*
//! entry has no task and no waker, its readiness is handed to the shard's turn. So an idle
//! stream costs one entry of the slab and nothing else here.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use slab::Slab;

use super::executor::take_woken_from_outside;
use super::memory::shrink;

/// How many events one call takes from the kernel.
const EVENTS_PER_POLL: usize = 256;

/// The token of the descriptor that other threads write to.
const WAKE_TOKEN: u64 = u64::MAX;

thread_local! {
    static CURRENT: RefCell<Option<Rc<Reactor>>> = const { RefCell::new(None) };
}

/// What happened on a watched socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// Bytes, or an end, can be read.
    pub readable: bool,
    /// There is room to write again.
    pub writable: bool,
    /// The peer has closed or reset.
    pub closed: bool,
}

enum Kind {
    Task {
        read: Option<Waker>,
        write: Option<Waker>,
    },
    Watch(u32),
}

struct Entry {
    generation: u32,
    readable: bool,
    writable: bool,
    kind: Kind,
}

/// The key of one registration.
#[derive(Clone, Copy, Debug)]
pub struct Token {
    index: u32,
    generation: u32,
}

impl Token {
    fn pack(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }
}

/// The epoll instance of one shard.
pub struct Reactor {
    epoll: OwnedFd,
    entries: RefCell<Slab<Entry>>,
    generation: Cell<u32>,
    /// What the kernel gave last. What [`Reactor::wait`] took stays here until [`Reactor::poll`].
    events: RefCell<Vec<epoll::Event>>,
}

impl Reactor {
    /// Makes the instance and names it the calling thread's.
    ///
    /// # Errors
    /// When the kernel gives no descriptor.
    pub fn install() -> io::Result<Rc<Self>> {
        let reactor = Rc::new(Self {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            entries: RefCell::new(Slab::new()),
            generation: Cell::new(0),
            events: RefCell::new(Vec::with_capacity(EVENTS_PER_POLL)),
        });
        CURRENT.set(Some(Rc::clone(&reactor)));
        Ok(reactor)
    }

    /// The calling thread's instance.
    ///
    /// # Panics
    /// On a thread that has none.
    pub(super) fn current() -> Rc<Self> {
        CURRENT
            .with_borrow(|current| current.clone())
            .expect("sockets live on a shard's thread")
    }

    /// Has [`Reactor::poll`] notice each write to `wake`, an eventfd of this shard.
    ///
    /// # Errors
    /// When the kernel refuses the registration.
    pub fn listen_to_wakes(&self, wake: BorrowedFd<'_>) -> io::Result<()> {
        let flags = EventFlags::IN | EventFlags::ET;
        Ok(epoll::add(
            &self.epoll,
            wake,
            EventData::new_u64(WAKE_TOKEN),
            flags,
        )?)
    }

    pub(super) fn register(&self, fd: BorrowedFd<'_>) -> io::Result<Token> {
        let generation = self.generation.get().wrapping_add(1);
        self.generation.set(generation);
        let kind = Kind::Task {
            read: None,
            write: None,
        };
        let entry = Entry {
            generation,
            readable: true,
            writable: true,
            kind,
        };
        let index = self.entries.borrow_mut().insert(entry);
        let token = Token {
            index: u32::try_from(index).expect("descriptors fit 32 bits"),
            generation,
        };
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        if let Err(error) = epoll::add(&self.epoll, fd, EventData::new_u64(token.pack()), flags) {
            self.entries.borrow_mut().remove(index);
            return Err(error.into());
        }
        Ok(token)
    }

    pub(super) fn forget(&self, fd: BorrowedFd<'_>, token: Token) {
        // The entry goes first: should the kernel refuse, a late event finds nothing.
        let mut entries = self.entries.borrow_mut();
        entries.try_remove(token.index as usize);
        shrink(&mut entries);
        drop(entries);
        if let Err(error) = epoll::delete(&self.epoll, fd) {
            tracing::warn!(%error, "a socket could not be taken from the epoll instance");
        }
    }

    /// From now on the readiness of this registration goes to the turn, under `key`.
    pub(super) fn watch(&self, token: Token, key: u32) {
        if let Some(entry) = self.entries.borrow_mut().get_mut(token.index as usize) {
            entry.kind = Kind::Watch(key);
        }
    }

    /// From now on it wakes the tasks that wait on it.
    pub(super) fn unwatch(&self, token: Token) {
        if let Some(entry) = self.entries.borrow_mut().get_mut(token.index as usize) {
            entry.kind = Kind::Task {
                read: None,
                write: None,
            };
        }
    }

    /// Whether the last read left something, as far as is known.
    pub(super) fn is_readable(&self, token: Token) -> bool {
        let entries = self.entries.borrow();
        (entries.get(token.index as usize)).is_none_or(|entry| entry.readable)
    }

    pub(super) fn poll_readable(&self, token: Token, waker: &Waker) -> Poll<()> {
        self.poll_ready(
            token,
            waker,
            |entry| &mut entry.readable,
            |kind| match kind {
                Kind::Task { read, .. } => Some(read),
                Kind::Watch(_) => None,
            },
        )
    }

    pub(super) fn poll_writable(&self, token: Token, waker: &Waker) -> Poll<()> {
        self.poll_ready(
            token,
            waker,
            |entry| &mut entry.writable,
            |kind| match kind {
                Kind::Task { write, .. } => Some(write),
                Kind::Watch(_) => None,
            },
        )
    }

    fn poll_ready(
        &self,
        token: Token,
        waker: &Waker,
        flag: fn(&mut Entry) -> &mut bool,
        slot: fn(&mut Kind) -> Option<&mut Option<Waker>>,
    ) -> Poll<()> {
        let mut entries = self.entries.borrow_mut();
        let Some(entry) = entries.get_mut(token.index as usize) else {
            return Poll::Ready(());
        };
        if *flag(entry) {
            return Poll::Ready(());
        }
        if let Some(slot) = slot(&mut entry.kind) {
            *slot = Some(waker.clone());
        }
        Poll::Pending
    }

    /// The last try met an empty or full socket: wait for the next edge.
    pub(super) fn clear_readable(&self, token: Token) {
        if let Some(entry) = self.entries.borrow_mut().get_mut(token.index as usize) {
            entry.readable = false;
        }
    }

    pub(super) fn clear_writable(&self, token: Token) {
        if let Some(entry) = self.entries.borrow_mut().get_mut(token.index as usize) {
            entry.writable = false;
        }
    }

    /// Blocks the thread until the kernel has events, or for `time`, rounded up to milliseconds. The events are
    /// delivered by the next [`Reactor::poll`].
    ///
    /// # Errors
    /// When the kernel refuses to look.
    pub(super) fn wait(&self, time: Duration) -> io::Result<()> {
        let mut events = self.events.borrow_mut();
        if !events.is_empty() {
            return Ok(());
        }
        match self.take(&mut events, time) {
            // A signal: whoever sleeps looks around and sleeps again.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            other => other,
        }
    }

    fn take(&self, events: &mut Vec<epoll::Event>, time: Duration) -> io::Result<()> {
        let time = rustix::event::Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: time.subsec_nanos().into(),
        };
        epoll::wait(
            &self.epoll,
            rustix::buffer::spare_capacity(events),
            Some(&time),
        )?;
        Ok(())
    }

    /// Takes what the kernel has, without blocking: wakes tasks and tells `watched` the rest.
    /// Returns how many events there were.
    ///
    /// # Errors
    /// When the kernel refuses to look.
    pub fn poll(&self, mut watched: impl FnMut(u32, Readiness)) -> io::Result<usize> {
        let mut total = 0;
        loop {
            let mut events = self.events.borrow_mut();
            if events.is_empty() {
                match self.take(&mut events, Duration::ZERO) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    other => other?,
                }
            }
            let taken = events.len();
            total += taken;
            for event in events.iter() {
                self.deliver(event.data.u64(), event.flags, &mut watched);
            }
            events.clear();
            if taken < EVENTS_PER_POLL {
                return Ok(total);
            }
        }
    }

    fn deliver(&self, token: u64, flags: EventFlags, watched: &mut impl FnMut(u32, Readiness)) {
        if token == WAKE_TOKEN {
            take_woken_from_outside();
            return;
        }
        let index = (token & u64::from(u32::MAX)) as usize;
        let generation = (token >> 32) as u32;
        let closed = flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR);
        let readable = closed || flags.contains(EventFlags::IN);
        let writable = closed || flags.contains(EventFlags::OUT);
        let mut wakers = (None, None);
        let mut key = None;
        {
            let mut entries = self.entries.borrow_mut();
            let Some(entry) = entries
                .get_mut(index)
                .filter(|entry| entry.generation == generation)
            else {
                return;
            };
            entry.readable |= readable;
            entry.writable |= writable;
            match &mut entry.kind {
                Kind::Task { read, write } => {
                    if readable {
                        wakers.0 = read.take();
                    }
                    if writable {
                        wakers.1 = write.take();
                    }
                }
                Kind::Watch(watch) => key = Some(*watch),
            }
        }
        if let Some(waker) = wakers.0 {
            waker.wake();
        }
        if let Some(waker) = wakers.1 {
            waker.wake();
        }
        if let Some(key) = key {
            watched(
                key,
                Readiness {
                    readable,
                    writable,
                    closed,
                },
            );
        }
    }
}
