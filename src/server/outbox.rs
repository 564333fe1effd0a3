//! What streams are told: rendered for the dirty, sent in batches, cut off where nobody reads.

use std::rc::Rc;

use super::counters::{BLOCKED, EVENTS, SLOW, STREAM_BYTES};
use super::shard::Shard;
use super::streams::Streams;
use crate::page::context::dirty;
use crate::page::{Context, Patch};
use crate::runtime::random;
use crate::runtime::sends::{Send, Sends};
use crate::wire::sse;

/// What is encrypted for one batch, at most, but for the last stream's piece.
const SEALED_MAX_BYTES: usize = 1024 * 1024;

/// The heartbeat's sweep is cut into so many slices.
const HEARTBEAT_SLICES: u64 = 64;

impl Shard {
    /// Renders for all that are dirty, and queues what they are told.
    pub fn tell_dirty(self: &Rc<Self>) {
        let listed = self.engine.take_dirty();
        if listed.is_empty() {
            return;
        }
        let mut events = 0;
        let mut patches: Vec<Patch> = Vec::new();
        for key in &listed {
            if let Some(context) = self.engine.context(*key) {
                events += self.tell(&context, &mut patches);
            }
        }
        self.count(EVENTS, i64::try_from(events).unwrap_or(0));
        self.engine.reuse_dirty(listed);
    }

    /// Tells one page what is new, now or when it can be told; the number of events that it gets.
    fn tell(self: &Rc<Self>, context: &Rc<Context>, patches: &mut Vec<Patch>) -> usize {
        if !context.has(dirty::LISTED) {
            return 0;
        }
        if !context.is_open() {
            self.remember(context);
            return 0;
        }
        if context.lacks_loads() {
            self.remember(context);
            self.load_missing(context);
            return 0;
        }
        if !self.engine.may_send(context, self.now()) {
            return 0;
        }
        if self.free_streams(context) == 0 {
            self.remember(context);
            return 0;
        }
        patches.clear();
        self.engine.patches(context, self.now(), patches);
        let mut events = 0;
        let mut streams = self.streams.borrow_mut();
        for key in &*context.streams.borrow() {
            events += streams.push_if_free(*key, patches);
        }
        events
    }

    /// How many of a page's streams take something now; the others are to be told all later.
    fn free_streams(&self, context: &Context) -> usize {
        let mut free = 0;
        let mut streams = self.streams.borrow_mut();
        for key in &*context.streams.borrow() {
            if let Some(stream) = streams.slab.get_mut(*key as usize) {
                let is_free = stream.is_free();
                stream.stale |= !is_free;
                free += usize::from(is_free);
            }
        }
        free
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
        if let Some(deflater) = &mut self.streams.borrow_mut().deflater {
            deflater.forget();
        }
        loop {
            let ready = self.streams.borrow_mut().take_ready();
            if ready.is_empty() {
                return;
            }
            let ready = self.seal_ready(ready);
            let outcome = {
                let streams = self.streams.borrow();
                let mut keys = Vec::with_capacity(ready.len());
                let mut batch = Vec::with_capacity(ready.len());
                for key in ready {
                    let Some(stream) = streams.slab.get(key as usize) else {
                        continue;
                    };
                    let Some(bytes) = stream.next_bytes(&streams.sealed) else {
                        continue;
                    };
                    keys.push(key);
                    batch.push(Send {
                        fd: stream.channel.raw(),
                        bytes,
                    });
                }
                sends.send(&batch, results).map(|()| keys)
            };
            match outcome {
                Ok(keys) => {
                    let mut streams = self.streams.borrow_mut();
                    let mut bytes = 0;
                    for (key, result) in keys.into_iter().zip(results.iter()) {
                        bytes += i64::from((*result).max(0));
                        self.sent(&mut streams, key, *result);
                    }
                    self.count(STREAM_BYTES, bytes);
                }
                Err(error) => {
                    tracing::error!(shard = self.id, %error, "a batch of sends was refused");
                    return;
                }
            }
        }
    }

    /// Encrypts the next piece for those of `ready` that have TLS. Where that is more than a batch
    /// holds, the rest is ready for the next one.
    fn seal_ready(self: &Rc<Self>, mut ready: Vec<u32>) -> Vec<u32> {
        if self.common.tls.is_none() {
            return ready;
        }
        let mut streams = self.streams.borrow_mut();
        let Streams { slab, sealed, .. } = &mut *streams;
        sealed.clear();
        let mut count = 0;
        for key in &ready {
            if sealed.len() >= SEALED_MAX_BYTES {
                break;
            }
            count += 1;
            if let Some(stream) = slab.get_mut(*key as usize)
                && !stream.seal(sealed)
            {
                self.doomed.borrow_mut().push(*key);
            }
        }
        for key in ready.drain(count..) {
            streams.make_ready(key);
        }
        ready
    }

    fn sent(self: &Rc<Self>, streams: &mut Streams, key: u32, result: i32) {
        let Some(stream) = streams.slab.get_mut(key as usize) else {
            return;
        };
        let full = match usize::try_from(result) {
            Ok(count) => {
                stream.took(count, &streams.sealed);
                false
            }
            // Only a try that met a full socket is promised an event when there is room.
            Err(_) if -result == libc::EAGAIN => {
                if stream.channel.is_secure() {
                    // What is encrypted is encrypted: it is sent before anything else.
                    stream.took(0, &streams.sealed);
                }
                true
            }
            Err(_) => {
                self.doomed.borrow_mut().push(key);
                return;
            }
        };
        if full {
            stream.blocked_ms = self.now();
            streams.blocked.push(key);
            self.count(BLOCKED, 1);
        } else if !stream.is_sent() {
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
        let slow: Vec<(u32, usize, Rc<Context>)> = {
            let streams = self.streams.borrow();
            let blocked = streams
                .blocked
                .iter()
                .filter_map(|key| Some((*key, streams.slab.get(*key as usize)?)));
            blocked
                .filter(|(_, stream)| {
                    now >= stream.blocked_ms + limit || stream.waiting() > config.outbox_bytes
                })
                .map(|(key, stream)| (key, stream.waiting(), Rc::clone(&stream.context)))
                .collect()
        };
        for (key, bytes, context) in slow {
            self.count(SLOW, 1);
            tracing::warn!(
                shard = self.id,
                bytes,
                page = %context.path(),
                scopes = %self.engine.scope_names(&context).join(" "),
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
                    .is_some_and(|stream| stream.is_sent() && stream.blocked_ms == 0);
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
