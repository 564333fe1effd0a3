//! The open streams of a shard: no task, no read buffer, one outbox each.
//!
//! A stream whose socket is full gets nothing new rendered: when it drains, it is told the
//! newest state at once. So an outbox holds at most one sync and is bounded in bytes and time.

use std::collections::VecDeque;
use std::rc::Rc;

use slab::Slab;

use super::counters::{BLOCKED, STREAMS};
use super::deflate::Deflater;
use super::shard::Shard;
use crate::http::Channel;
use crate::http::tls::{SEAL_MAX_BYTES, Session};
use crate::page::context::dirty;
use crate::page::{Context, Patch};
use crate::runtime::Readiness;
use crate::runtime::memory::shrink;

/// One open stream.
pub(crate) struct Stream {
    pub channel: Channel,
    pub context: Rc<Context>,
    pub(super) outbox: VecDeque<Patch>,
    pub(super) offset: usize,
    pub(super) queued: usize,
    /// Since when the socket has been full, in the shard's milliseconds; 0 is not.
    pub(super) blocked_ms: u64,
    /// Something was left out for it: it gets a full sync when it drains.
    pub(super) stale: bool,
    pub(super) opened_ms: u64,
    /// It ends when its outbox is empty.
    pub(super) ending: bool,
    /// It stands in the list of those to be sent to.
    pub(super) ready: bool,
    /// Its events are compressed.
    pub(super) gzip: bool,
}

/// All streams of a shard.
#[derive(Default)]
pub(crate) struct Streams {
    pub(super) slab: Slab<Stream>,
    /// Those that have something to send.
    pub(super) ready: Vec<u32>,
    /// Those whose socket is full.
    pub(super) blocked: Vec<u32>,
    pub(super) heartbeat_slice: u64,
    pub(super) heartbeat: Option<Patch>,
    /// When a page's surplus stream replaced its oldest last, by context.
    pub(super) replaced: std::collections::HashMap<u32, u64>,
    /// When a session was told last that it has nearly too many streams.
    pub(super) crowded: std::collections::HashMap<[u8; 16], u64>,
    /// What streams with TLS are sent in one batch, encrypted.
    pub(super) sealed: Vec<u8>,
    pub(super) deflater: Option<Deflater>,
}

impl Stream {
    /// Nothing waits to be sent.
    pub(super) fn is_sent(&self) -> bool {
        self.outbox.is_empty() && self.channel.tls().is_none_or(Session::is_sent)
    }

    /// Encrypts the next piece of the outbox to the end of `sealed`, unless encrypted bytes wait
    /// from before. Tells whether TLS still can.
    pub(super) fn seal(&mut self, sealed: &mut Vec<u8>) -> bool {
        let Some(tls) = self.channel.tls_mut() else {
            return true;
        };
        let start = sealed.len();
        if tls.is_sent()
            && let Some(front) = self.outbox.front()
        {
            let end = front.len().min(self.offset + SEAL_MAX_BYTES);
            if tls.seal(&front[self.offset..end], sealed).is_err() {
                tls.lies_at(0..0);
                return false;
            }
        }
        tls.lies_at(start..sealed.len());
        true
    }

    /// What is sent next, given what [`Stream::seal`] has encrypted.
    pub(super) fn next_bytes<'a>(&'a self, sealed: &'a [u8]) -> Option<&'a [u8]> {
        let bytes = match self.channel.tls() {
            None => &self.outbox.front()?[self.offset..],
            Some(tls) if tls.is_sent() => &sealed[tls.sealed()],
            Some(tls) => tls.unsent(),
        };
        (!bytes.is_empty()).then_some(bytes)
    }

    /// Of what [`Stream::next_bytes`] gave, `count` bytes are with the kernel.
    pub(super) fn took(&mut self, count: usize, sealed: &[u8]) {
        let taken = match self.channel.tls_mut() {
            None => count,
            Some(tls) if tls.is_sent() => {
                let range = tls.sealed();
                tls.keep(&sealed[range.start + count..range.end]);
                let front = self.outbox.front().map_or(0, |front| front.len());
                (front - self.offset).min(SEAL_MAX_BYTES)
            }
            // Encrypted long ago, and counted out of the outbox then.
            Some(tls) => {
                tls.sent(count);
                return;
            }
        };
        self.offset += taken;
        self.queued -= taken;
        let front = self.outbox.front().map_or(0, |front| front.len());
        if self.offset >= front {
            self.outbox.pop_front();
            self.offset = 0;
        }
    }

    /// Its socket is not full, and it goes on.
    pub(super) fn is_free(&self) -> bool {
        self.blocked_ms == 0 && !self.ending
    }

    /// Queues an event in the stream's coding; tells as [`Stream::queue`].
    fn push(&mut self, event: &Patch, deflater: &mut Option<Deflater>) -> bool {
        if self.gzip {
            self.queue(&deflater.get_or_insert_with(Deflater::new).deflate(event))
        } else {
            self.queue(event)
        }
    }

    /// Queues bytes; tells whether it has to be put on the list of those to be sent to.
    pub(super) fn queue(&mut self, bytes: &Patch) -> bool {
        self.queued += bytes.len();
        self.outbox.push_back(Rc::clone(bytes));
        self.blocked_ms == 0 && !std::mem::replace(&mut self.ready, true)
    }

    /// Bytes that wait for the reader.
    pub(super) fn waiting(&self) -> usize {
        self.queued + self.channel.tls().map_or(0, |tls| tls.unsent().len())
    }
}

impl Streams {
    pub fn len(&self) -> usize {
        self.slab.len()
    }

    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Queues an event.
    pub(super) fn push(&mut self, key: u32, patch: &Patch) {
        if let Some(stream) = self.slab.get_mut(key as usize)
            && stream.push(patch, &mut self.deflater)
        {
            self.ready.push(key);
        }
    }

    /// Queues events where the socket takes them; how many that were.
    pub(super) fn push_if_free(&mut self, key: u32, patches: &[Patch]) -> usize {
        let stream = self.slab.get_mut(key as usize);
        let Some(stream) = stream.filter(|stream| stream.is_free()) else {
            return 0;
        };
        for patch in patches {
            if stream.push(patch, &mut self.deflater) {
                self.ready.push(key);
            }
        }
        patches.len()
    }

    /// Puts a stream on the list of those to be sent to, once: twice would send its bytes twice.
    pub(super) fn make_ready(&mut self, key: u32) {
        if let Some(stream) = self.slab.get_mut(key as usize)
            && !std::mem::replace(&mut stream.ready, true)
        {
            self.ready.push(key);
        }
    }

    pub(super) fn take_ready(&mut self) -> Vec<u32> {
        let ready = std::mem::take(&mut self.ready);
        for key in &ready {
            if let Some(stream) = self.slab.get_mut(*key as usize) {
                stream.ready = false;
            }
        }
        ready
    }

    /// Takes a stream out of everything, so that whoever gets its key next inherits nothing.
    pub(super) fn take_out(&mut self, key: u32) -> Option<Stream> {
        let stream = self.slab.try_remove(key as usize)?;
        shrink(&mut self.slab);
        if stream.ready {
            self.ready.retain(|other| *other != key);
        }
        if stream.blocked_ms != 0 {
            self.blocked.retain(|other| *other != key);
        }
        Some(stream)
    }
}

impl Shard {
    /// Ends a stream. The page of the last one is away from now on.
    pub fn close_stream(self: &Rc<Self>, key: u32) {
        let Some(mut stream) = self.streams.borrow_mut().take_out(key) else {
            return;
        };
        self.count(STREAMS, -1);
        if stream.blocked_ms != 0 {
            self.count(BLOCKED, -1);
        }
        let context = Rc::clone(&stream.context);
        context.streams.borrow_mut().retain(|other| *other != key);
        if stream.stale || !stream.is_sent() {
            // What it was not told has to be told to the next one.
            context.add_dirty(dirty::FULL);
        }
        // Who has all is told so.
        stream.channel.say_goodbye();
        drop(stream);
        if context.streams.borrow().is_empty() && context.is_open() {
            self.go_away(&context);
        }
    }

    /// What the reactor saw on a stream's socket.
    pub fn on_readiness(self: &Rc<Self>, key: u32, readiness: Readiness) {
        if readiness.closed || (readiness.readable && self.heard_from(key)) {
            self.close_stream(key);
            return;
        }
        if readiness.writable {
            let mut streams = self.streams.borrow_mut();
            if let Some(stream) = streams.slab.get_mut(key as usize)
                && stream.blocked_ms != 0
            {
                stream.blocked_ms = 0;
                streams.blocked.retain(|other| *other != key);
                streams.make_ready(key);
                self.count(BLOCKED, -1);
            }
        }
    }

    /// A client has nothing to say on a stream: bytes, or an end, end it. Records of TLS's own, such
    /// as new keys, are no such bytes.
    fn heard_from(&self, key: u32) -> bool {
        let mut streams = self.streams.borrow_mut();
        let Some(stream) = streams.slab.get_mut(key as usize) else {
            return false;
        };
        let spoken = stream.channel.was_spoken_to();
        if !spoken && !stream.is_sent() && stream.blocked_ms == 0 {
            // The answer to a record of TLS's own.
            streams.make_ready(key);
        }
        spoken
    }
}
