//! The life of a page: rendered, streaming, away, parked, gone.
//!
//! The table is in `docs/life-of-a-page.md`; each function here is one of its transitions.

use std::rc::Rc;
use std::time::Duration;

use super::counters::PARKED;
use super::shard::Shard;
use crate::page::{Context, Life};

/// A page whose tab was closed is no longer present after this.
const CLOSED_MS: u64 = 5000;

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX / 4)
}

impl Shard {
    /// A page was answered: its stream has to open in time. One that had to make room while its data
    /// was loaded is gone; its key may be another's by now.
    pub fn rendered(&self, context: &Context) {
        if context.is_gone() {
            return;
        }
        self.context_deadline(context, self.now() + ms(self.config().render_time));
    }

    /// The last stream ended: hidden, or the network was lost.
    pub fn go_away(&self, context: &Context) {
        context.life.set(Life::Away);
        // The beacon of a closing tab and the end of its stream come in either order.
        let closed = context.closed_ms.replace(0);
        let left = closed != 0 && self.now() < closed + CLOSED_MS;
        let away = ms(self.config().away_time);
        self.context_deadline(
            context,
            self.now() + if left { away.min(CLOSED_MS) } else { away },
        );
    }

    /// The browser said that it leaves the page; it may come back from its cache.
    pub fn tab_closed(&self, context: &Context) {
        let at = self.now() + CLOSED_MS;
        match context.life.get() {
            Life::Streaming => context.closed_ms.set(self.now()),
            Life::Away | Life::Rendered if context.deadline_ms.get() > at => {
                self.context_deadline(context, at)
            }
            _ => {}
        }
    }

    /// Moves on all whose time has come.
    pub fn pass_time(self: &Rc<Self>) {
        loop {
            let key = {
                let deadlines = self.deadlines.borrow();
                match deadlines.first() {
                    Some((at, key)) if *at <= self.now() => *key,
                    _ => return,
                }
            };
            let Some(context) = self.engine.context(key) else {
                self.deadlines
                    .borrow_mut()
                    .retain(|(_, other)| *other != key);
                continue;
            };
            self.context_deadline(&context, 0);
            match context.life.get() {
                Life::Away if !self.config().park_time.is_zero() => self.park(&context),
                Life::Rendered | Life::Away | Life::Parked => self.end(&context),
                Life::Streaming | Life::Gone => {}
            }
        }
    }

    /// No longer present; its values stay for a while.
    fn park(self: &Rc<Self>, context: &Rc<Context>) {
        context.life.set(Life::Parked);
        context.shrink();
        let at = self.now() + ms(self.config().park_time);
        self.context_deadline(context, at);
        context.parked_ms.set(at);
        self.parked.borrow_mut().insert((at, context.key));
        self.count(PARKED, 1);
        self.disconnect(context);
        let bound = self.config().parked_max.div_ceil(self.config().shards);
        while self.parked.borrow().len() > bound {
            let oldest = self.parked.borrow().first().map(|(_, key)| *key);
            let Some(oldest) = oldest.and_then(|key| self.engine.context(key)) else {
                return;
            };
            self.context_deadline(&oldest, 0);
            self.end(&oldest);
        }
    }

    fn disconnect(self: &Rc<Self>, context: &Rc<Context>) {
        if context.connected.replace(false) {
            let hooks = self.engine.page(context.page).hooks.disconnect.clone();
            self.run_hooks(context, hooks);
        }
    }

    /// A parked page that came back, or is gone, is no longer counted.
    pub fn leave_parked(&self, context: &Context) {
        let at = context.parked_ms.replace(0);
        if at != 0 && self.parked.borrow_mut().remove(&(at, context.key)) {
            self.count(PARKED, -1);
        }
    }

    /// Gone: the hooks run, then everything that it held is given back.
    pub fn end(self: &Rc<Self>, context: &Rc<Context>) {
        self.leave_parked(context);
        context.life.set(Life::Gone);
        self.disconnect(context);
        self.clean_up(context);
    }

    /// The oldest context of a session that has no stream makes room for a new one; `false` when
    /// all have one.
    pub fn make_room_in_session(self: &Rc<Self>, session: [u8; 16]) -> bool {
        let scope = crate::Scope::session(session);
        let contexts = self
            .engine
            .members_of(&scope)
            .into_iter()
            .filter_map(|key| self.engine.context(key));
        let oldest = contexts
            .filter(|context| !context.is_open() && !context.is_gone())
            .min_by_key(|context| context.serial());
        match oldest {
            Some(context) => {
                self.context_deadline(&context, 0);
                self.end(&context);
                true
            }
            None => false,
        }
    }
}
