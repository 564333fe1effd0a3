//! The open streams of a shard: no task, no read buffer, one outbox each.
//!
//! A stream whose socket is full gets nothing new rendered: when it drains, it is told the
//! newest state at once. So an outbox holds at most one sync and is bounded in bytes and time.

use std::collections::VecDeque;
use std::rc::Rc;

use slab::Slab;

use super::counters::{EVENTS, STREAMS};
use super::parcel::OpenStream;
use super::shard::Shard;
use crate::http::{Response, http_date};
use crate::page::context::dirty;
use crate::page::{Context, Life, Patch};
use crate::runtime::sends::{Send, Sends};
use crate::runtime::{Readiness, Socket, random};
use crate::wire::response::write_head;
use crate::wire::sse;

/// The heartbeat's sweep is cut into so many slices.
const HEARTBEAT_SLICES: u64 = 64;

/// A page's streams beyond the limit replace its oldest, at most once in this time.
const REPLACE_EVERY_MS: u64 = 10_000;

/// One open stream.
pub(crate) struct Stream {
    pub socket: Socket,
    pub context: Rc<Context>,
    outbox: VecDeque<Patch>,
    offset: usize,
    queued: usize,
    /// Since when the socket has been full, in the shard's milliseconds; 0 is not.
    blocked_ms: u64,
    /// Something was left out for it: it gets a full sync when it drains.
    stale: bool,
    opened_ms: u64,
    /// It ends when its outbox is empty.
    ending: bool,
    /// It stands in the list of those to be sent to.
    ready: bool,
}

/// All streams of a shard.
#[derive(Default)]
pub(crate) struct Streams {
    slab: Slab<Stream>,
    /// Those that have something to send.
    ready: Vec<u32>,
    /// Those whose socket is full.
    blocked: Vec<u32>,
    heartbeat_slice: u64,
    heartbeat: Option<Patch>,
    /// When a page's surplus stream replaced its oldest last, by context.
    replaced: std::collections::HashMap<u32, u64>,
}

impl Streams {
    pub fn len(&self) -> usize {
        self.slab.len()
    }

    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    fn push(&mut self, key: u32, patch: &Patch) {
        if let Some(stream) = self.slab.get_mut(key as usize) {
            stream.queued += patch.len();
            stream.outbox.push_back(Rc::clone(patch));
            if stream.blocked_ms == 0 {
                self.make_ready(key);
            }
        }
    }

    /// Puts a stream on the list of those to be sent to, once: twice would send its bytes twice.
    fn make_ready(&mut self, key: u32) {
        if let Some(stream) = self.slab.get_mut(key as usize)
            && !std::mem::replace(&mut stream.ready, true)
        {
            self.ready.push(key);
        }
    }

    fn take_ready(&mut self) -> Vec<u32> {
        let ready = std::mem::take(&mut self.ready);
        for key in &ready {
            if let Some(stream) = self.slab.get_mut(*key as usize) {
                stream.ready = false;
            }
        }
        ready
    }

    /// Takes a stream out of everything, so that whoever gets its key next inherits nothing.
    fn take_out(&mut self, key: u32) -> Option<Stream> {
        let stream = self.slab.try_remove(key as usize)?;
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
    /// Opens a stream on a socket whose request was read whole.
    pub fn open_stream(self: &Rc<Self>, open: OpenStream<Socket>) {
        let found = self
            .engine
            .find(&open.id)
            .filter(|context| Some(context.session_hash()) == open.session);
        let Some(context) = found.filter(|context| !context.is_gone()) else {
            self.refuse_stream(open.socket, 410, "this page is gone: load it again");
            return;
        };
        if self.closing.get() {
            self.refuse_stream(
                open.socket,
                503,
                "this server is about to leave: come back in a moment",
            );
            return;
        }
        if context.streams.borrow().len() >= self.config().streams_per_context
            && !self.replace_oldest(&context)
        {
            self.refuse_stream(open.socket, 429, &format!(
                "this page has {} streams open, no more are allowed (the limit is --streams-per-context)",
                self.config().streams_per_context
            ));
            return;
        }
        let before = context.life.replace(Life::Streaming);
        self.context_deadline(&context, 0);
        self.leave_parked(&context);
        context.closed_ms.set(0);
        let key = self.add_stream(open.socket, &context);
        let up_to_date = match before {
            Life::Rendered => !context.has(!dirty::LISTED),
            Life::Away | Life::Parked => {
                !context.has(!dirty::LISTED)
                    && open
                        .last_event
                        .is_some_and(|last| last == context.last_event.get())
            }
            // A second stream of an open page knows nothing yet.
            Life::Streaming | Life::Gone => false,
        };
        if !up_to_date {
            context.add_dirty(dirty::FULL);
        }
        if context.has(!dirty::LISTED) {
            self.engine.list(&context, 0);
        }
        if !context.connected.replace(true) {
            let hooks = self.engine.page(context.page).hooks.connect.clone();
            self.run_hooks(&context, hooks);
        }
        tracing::debug!(shard = self.id, stream = key, page = %context.path(), "a stream opened");
    }

    fn add_stream(self: &Rc<Self>, socket: Socket, context: &Rc<Context>) -> u32 {
        let mut head = Vec::with_capacity(256);
        write_head(
            &mut head,
            200,
            &http_date(),
            &[
                ("Content-Type", "text/event-stream"),
                ("Cache-Control", "no-cache"),
                ("X-Accel-Buffering", "no"),
                ("X-Content-Type-Options", "nosniff"),
                ("Connection", "close"),
            ],
        )
        .expect("the head of a stream is a valid head");
        let mut streams = self.streams.borrow_mut();
        let entry = streams.slab.vacant_entry();
        let key = u32::try_from(entry.key()).expect("streams fit 32 bits");
        socket.watch(key);
        entry.insert(Stream {
            socket,
            context: Rc::clone(context),
            outbox: VecDeque::with_capacity(1),
            offset: 0,
            queued: 0,
            blocked_ms: 0,
            stale: false,
            opened_ms: self.now(),
            ending: false,
            ready: false,
        });
        streams.push(key, &head.into());
        context.streams.borrow_mut().push(key);
        self.count(STREAMS, 1);
        self.nudge();
        key
    }

    fn refuse_stream(self: &Rc<Self>, socket: Socket, status: u16, line: &str) {
        let response = Response::line(status, line);
        let mut out = Vec::new();
        response.encode(false, true, &mut out);
        // A fresh socket takes a few hundred bytes; if not, there is nobody to tell.
        socket.try_write(&out).ok();
        socket.finish_writing();
    }

    /// Makes room for one more stream of a page, not too often; tells whether it did.
    fn replace_oldest(self: &Rc<Self>, context: &Rc<Context>) -> bool {
        let now = self.now();
        let last = self.streams.borrow().replaced.get(&context.key).copied();
        if last.is_some_and(|last| now < last + REPLACE_EVERY_MS) {
            return false;
        }
        let oldest = {
            let streams = self.streams.borrow();
            let keys = context.streams.borrow();
            keys.iter().copied().min_by_key(|key| {
                streams
                    .slab
                    .get(*key as usize)
                    .map_or(0, |stream| stream.opened_ms)
            })
        };
        let Some(oldest) = oldest else { return false };
        {
            let mut streams = self.streams.borrow_mut();
            streams
                .replaced
                .retain(|_, at| now < *at + REPLACE_EVERY_MS);
            streams.replaced.insert(context.key, now);
        }
        self.close_stream(oldest);
        true
    }

    /// Ends a stream. The page of the last one is away from now on.
    pub fn close_stream(self: &Rc<Self>, key: u32) {
        let Some(stream) = self.streams.borrow_mut().take_out(key) else {
            return;
        };
        self.count(STREAMS, -1);
        let context = Rc::clone(&stream.context);
        context.streams.borrow_mut().retain(|other| *other != key);
        if stream.stale || !stream.outbox.is_empty() {
            // What it was not told has to be told to the next one.
            context.add_dirty(dirty::FULL);
        }
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
            }
        }
    }

    /// A client has nothing to say on a stream: bytes, or an end, end it.
    fn heard_from(&self, key: u32) -> bool {
        let streams = self.streams.borrow();
        let mut byte = [0; 16];
        streams
            .slab
            .get(key as usize)
            .is_some_and(|stream| stream.socket.try_read(&mut byte).is_some())
    }

    /// Renders for all that are dirty, and queues what they are told.
    pub fn tell_dirty(self: &Rc<Self>) {
        let now = self.now();
        let mut patches: Vec<Patch> = Vec::new();
        for key in self.engine.take_dirty() {
            let Some(context) = self
                .engine
                .context(key)
                .filter(|context| context.has(dirty::LISTED))
            else {
                continue;
            };
            if !context.is_open() {
                self.remember(&context);
                continue;
            }
            if context.lacks_loads() {
                self.remember(&context);
                self.load_missing(&context);
                continue;
            }
            if !self.engine.may_send(&context, now) {
                continue;
            }
            let open: smallvec::SmallVec<[u32; 2]> = {
                let mut streams = self.streams.borrow_mut();
                let keys = context.streams.borrow();
                keys.iter()
                    .copied()
                    .filter(|key| {
                        let Some(stream) = streams.slab.get_mut(*key as usize) else {
                            return false;
                        };
                        let free = stream.blocked_ms == 0 && !stream.ending;
                        stream.stale |= !free;
                        free
                    })
                    .collect()
            };
            if open.is_empty() {
                self.remember(&context);
                continue;
            }
            patches.clear();
            self.engine.patches(&context, now, &mut patches);
            self.count(
                EVENTS,
                i64::try_from(patches.len() * open.len()).unwrap_or(0),
            );
            let mut streams = self.streams.borrow_mut();
            for key in open {
                for patch in &patches {
                    streams.push(key, patch);
                }
            }
        }
    }

    /// A page that can't be told now is told all when it can.
    fn remember(&self, context: &Context) {
        let bits = context.dirty.get();
        context
            .dirty
            .set(bits & (dirty::SCRIPT | dirty::ERROR) | dirty::FULL);
    }

    /// Sends what the outboxes hold, in as few system calls as possible.
    pub fn send_ready(self: &Rc<Self>, sends: &mut Sends, results: &mut Vec<i32>) {
        loop {
            let ready = self.streams.borrow_mut().take_ready();
            if ready.is_empty() {
                return;
            }
            let outcome = {
                let streams = self.streams.borrow();
                let mut keys = Vec::with_capacity(ready.len());
                let mut batch = Vec::with_capacity(ready.len());
                for key in ready {
                    let Some(stream) = streams.slab.get(key as usize) else {
                        continue;
                    };
                    let Some(front) = stream.outbox.front() else {
                        continue;
                    };
                    keys.push(key);
                    batch.push(Send {
                        fd: stream.socket.raw(),
                        bytes: &front[stream.offset..],
                    });
                }
                sends.send(&batch, results).map(|()| keys)
            };
            match outcome {
                Ok(keys) => {
                    for (key, result) in keys.into_iter().zip(results.iter()) {
                        self.sent(key, *result);
                    }
                }
                Err(error) => {
                    tracing::error!(shard = self.id, %error, "a batch of sends was refused");
                    return;
                }
            }
        }
    }

    fn sent(self: &Rc<Self>, key: u32, result: i32) {
        let now = self.now();
        let mut streams = self.streams.borrow_mut();
        let streams = &mut *streams;
        let Some(stream) = streams.slab.get_mut(key as usize) else {
            return;
        };
        let full = match usize::try_from(result) {
            Ok(count) => {
                stream.offset += count;
                stream.queued -= count;
                let front = stream.outbox.front().map_or(0, |front| front.len());
                if stream.offset >= front {
                    stream.outbox.pop_front();
                    stream.offset = 0;
                }
                false
            }
            // Only a try that met a full socket is promised an event when there is room.
            Err(_) if -result == libc::EAGAIN => true,
            Err(_) => {
                self.doomed.borrow_mut().push(key);
                return;
            }
        };
        if full {
            stream.blocked_ms = now;
            streams.blocked.push(key);
        } else if !stream.outbox.is_empty() {
            streams.make_ready(key);
        } else if stream.ending {
            self.doomed.borrow_mut().push(key);
        } else if std::mem::take(&mut stream.stale) {
            let context = Rc::clone(&stream.context);
            self.engine.list(&context, dirty::FULL);
        }
    }

    /// Closes what can't be sent to any more, and those who read too slowly.
    pub fn close_doomed(self: &Rc<Self>) {
        let doomed = std::mem::take(&mut *self.doomed.borrow_mut());
        for key in doomed {
            self.close_stream(key);
        }
        let (now, config) = (self.now(), self.config());
        let limit = u64::try_from(config.outbox_time.as_millis()).unwrap_or(u64::MAX);
        let slow: Vec<(u32, usize)> = {
            let streams = self.streams.borrow();
            let blocked = streams
                .blocked
                .iter()
                .filter_map(|key| Some((*key, streams.slab.get(*key as usize)?)));
            blocked
                .filter(|(_, stream)| {
                    now >= stream.blocked_ms + limit || stream.queued > config.outbox_bytes
                })
                .map(|(key, stream)| (key, stream.queued))
                .collect()
        };
        for (key, bytes) in slow {
            tracing::warn!(
                shard = self.id,
                bytes,
                "a stream was closed: its reader was too slow (--outbox-seconds, --outbox-bytes)"
            );
            self.close_stream(key);
        }
    }

    /// Comments for idle streams, a slice of them at a time.
    pub fn heartbeat(self: &Rc<Self>) {
        let Some(period) = self.config().heartbeat_time else {
            return;
        };
        let period = u64::try_from(period.as_millis())
            .unwrap_or(u64::MAX)
            .max(HEARTBEAT_SLICES);
        let mut streams = self.streams.borrow_mut();
        let slice = self.now() / (period / HEARTBEAT_SLICES);
        let from = streams
            .heartbeat_slice
            .max(slice.saturating_sub(HEARTBEAT_SLICES));
        streams.heartbeat_slice = slice;
        if streams.slab.is_empty() {
            return;
        }
        let patch = Rc::clone(streams.heartbeat.get_or_insert_with(|| {
            let mut comment = Vec::new();
            sse::comment(&mut comment, "");
            comment.into()
        }));
        for slice in from..slice {
            let start = usize::try_from(slice % HEARTBEAT_SLICES).unwrap_or(0);
            let last = streams.slab.capacity();
            for key in (start..last).step_by(64) {
                let idle = streams
                    .slab
                    .get(key)
                    .is_some_and(|stream| stream.outbox.is_empty() && stream.blocked_ms == 0);
                if idle {
                    streams.push(u32::try_from(key).unwrap_or(u32::MAX), &patch);
                }
            }
        }
    }

    /// Tells every stream to come back, spread over time, and ends it.
    pub fn end_streams(self: &Rc<Self>) {
        let mut streams = self.streams.borrow_mut();
        let keys: Vec<u32> = streams
            .slab
            .iter()
            .filter_map(|(key, _)| u32::try_from(key).ok())
            .collect();
        for key in keys {
            let mut event = Vec::new();
            sse::retry(&mut event, 500 + random::below(4500));
            streams.push(key, &event.into());
            if let Some(stream) = streams.slab.get_mut(key as usize) {
                stream.ending = true;
            }
        }
        self.nudge();
    }
}
