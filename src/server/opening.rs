//! A stream is opened, or refused.

use std::collections::VecDeque;
use std::rc::Rc;

use super::counters::STREAMS;
use super::deflate::GZIP_HEADER;
use super::parcel::StreamTarget;
use super::shard::Shard;
use super::streams::Stream;
use crate::http::{Channel, HSTS, Response, http_date};
use crate::page::context::dirty;
use crate::page::{Context, Life};
use crate::wire::response::write_head;

/// A page's streams beyond the limit replace its oldest, at most once in this time.
const REPLACE_EVERY_MS: u64 = 10_000;

impl Shard {
    /// Opens a stream on a socket whose request was read whole.
    pub fn open_stream(self: &Rc<Self>, channel: Channel, target: StreamTarget) {
        let found = self
            .engine
            .find(&target.id)
            .filter(|context| Some(context.session_hash()) == target.session);
        let Some(context) = found.filter(|context| !context.is_gone()) else {
            self.refuse_stream(channel, 410, "this page is gone: load it again");
            return;
        };
        if self.closing.get() {
            self.refuse_stream(
                channel,
                503,
                "this server is about to leave: come back in a moment",
            );
            return;
        }
        if context.streams.borrow().len() >= self.config().streams_per_context
            && !self.replace_oldest(&context)
        {
            self.refuse_stream(channel, 429, &format!(
                "this page has {} streams open, no more are allowed (the limit is --streams-per-context)",
                self.config().streams_per_context
            ));
            return;
        }
        let before = context.life.replace(Life::Streaming);
        self.context_deadline(&context, 0);
        self.leave_parked(&context);
        context.closed_ms.set(0);
        let key = self.add_stream(channel, &context, target.gzip);
        let up_to_date = match before {
            Life::Rendered => !context.has(!dirty::LISTED),
            // Also while its old stream is not yet seen to have ended: who has the newest event
            // has missed nothing. A duplicate has none.
            Life::Away | Life::Parked | Life::Streaming => {
                !context.has(!dirty::LISTED)
                    && target
                        .last_event
                        .is_some_and(|last| last == context.last_event.get())
            }
            Life::Gone => false,
        };
        if !up_to_date {
            let reopened = before != Life::Streaming || target.last_event.is_some();
            if reopened && before != Life::Rendered {
                context.retell_inputs(target.last_event.unwrap_or(0));
            }
            context.add_dirty(dirty::FULL);
        }
        if context.has(!dirty::LISTED) {
            self.engine.list(&context, 0);
        }
        if !context.connected.replace(true) {
            let hooks = self.engine.page(context.page).hooks.connect.clone();
            self.run_hooks(&context, hooks);
        }
        if target.direct {
            self.hint_at_many_streams(&context);
        }
        tracing::debug!(shard = self.id, stream = key, page = %context.path(), "a stream opened");
    }

    fn add_stream(self: &Rc<Self>, channel: Channel, context: &Rc<Context>, gzip: bool) -> u32 {
        let mut head = Vec::with_capacity(256);
        let mut headers = smallvec::SmallVec::<[_; 8]>::from_slice(&[
            ("Content-Type", "text/event-stream"),
            ("Cache-Control", "no-cache"),
            ("X-Accel-Buffering", "no"),
            ("X-Content-Type-Options", "nosniff"),
            ("Connection", "close"),
        ]);
        headers.extend(self.common.hsts.as_deref().map(|value| (HSTS, value)));
        if self.config().compress_streams {
            headers.push(("Vary", "Accept-Encoding"));
        }
        if gzip {
            headers.push(("Content-Encoding", "gzip"));
        }
        write_head(&mut head, 200, &http_date(), &headers)
            .expect("the head of a stream is a valid head");
        if gzip {
            head.extend_from_slice(&GZIP_HEADER);
        }
        let mut streams = self.streams.borrow_mut();
        let entry = streams.slab.vacant_entry();
        let key = u32::try_from(entry.key()).expect("streams fit 32 bits");
        channel.watch(key);
        let stream = entry.insert(Stream {
            channel,
            context: Rc::clone(context),
            outbox: VecDeque::with_capacity(1),
            offset: 0,
            queued: 0,
            blocked_ms: 0,
            stale: false,
            opened_ms: self.now(),
            ending: false,
            ready: false,
            gzip,
        });
        if stream.queue(&head.into()) {
            streams.ready.push(key);
        }
        context.streams.borrow_mut().push(key);
        self.count(STREAMS, 1);
        self.nudge();
        key
    }

    pub(super) fn refuse_stream(self: &Rc<Self>, mut channel: Channel, status: u16, line: &str) {
        let response = Response::line(status, line).with_hsts(self.common.hsts.as_deref());
        let mut out = Vec::new();
        response.encode(false, true, &mut out);
        // A fresh socket takes a few hundred bytes; if not, there is nobody to tell.
        channel.try_write(&out).ok();
        channel.finish_writing();
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
}
