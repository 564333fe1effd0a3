//! The turn of a shard: look, mark, render, send; sleep only when nothing is left.

use std::collections::BTreeSet;
use std::rc::Rc;

use autovia_shards::{Invalidation, Received};

use super::counters::{CROSSINGS, QUIET, TURNS};
use super::parcel::Parcel;
use super::resting;
use super::shard::Shard;
use crate::runtime::sends::Sends;
use crate::runtime::wake::Sleeper;
use crate::runtime::{Reactor, spawn, yield_now};
use crate::scope::Scope;

/// The invalidation that stands for all.
pub(crate) const EVERYTHING: Invalidation = Invalidation {
    kind: u64::MAX,
    scope: u64::MAX,
};

/// What only the task of the turns uses.
pub(crate) struct Turns {
    pub reactor: Rc<Reactor>,
    pub sleeper: Sleeper,
    pub sends: Sends,
}

impl Shard {
    /// Turns until the process ends.
    pub async fn run_turns(self: Rc<Self>, mut turns: Turns) {
        let mut results = Vec::new();
        loop {
            self.take_nudge();
            self.turn(&mut turns, &mut results);
            // Tasks that this turn woke run before it is decided whether to sleep.
            yield_now().await;
            if self.has_work() {
                continue;
            }
            let may_sleep = self
                .endpoint
                .borrow_mut()
                .may_sleep(|| self.blocking.is_quiet());
            if !may_sleep {
                continue;
            }
            let due = self.engine.next_due_ms().map(|at| self.instant(at));
            let deadline = [self.timers.next_deadline(), due, self.next_overdue()]
                .into_iter()
                .flatten()
                .min();
            turns
                .sleeper
                .sleep(deadline, |waker| self.is_nudged(waker))
                .await;
            self.endpoint.borrow_mut().woke();
        }
    }

    fn turn(self: &Rc<Self>, turns: &mut Turns, results: &mut Vec<i32>) {
        self.tick();
        self.count(TURNS, 1);
        self.engine.begin_turn();
        if let Err(error) = turns
            .reactor
            .poll(|key, readiness| match resting::key_of(key) {
                Some(key) => self.stir(key),
                None => self.on_readiness(key, readiness),
            })
        {
            tracing::error!(shard = self.id, %error, "the epoll instance failed");
        }
        self.blocking.deliver();
        self.receive();
        self.timers.fire(std::time::Instant::now());
        self.close_overdue();
        self.pass_time();
        self.heartbeat();
        self.engine.sweep();
        self.start_refreshes();
        self.tell_dirty();
        self.send_ready(&mut turns.sends, results);
        self.close_doomed();
        self.tell_shards();
        self.say_whether_quiet();
    }

    fn has_work(&self) -> bool {
        let streams = self.streams.borrow();
        self.nudge_pending()
            || self.engine.has_dirty()
            || self.engine.has_outgoing()
            || streams.has_ready()
            || self.has_held()
    }

    /// What came from other shards.
    fn receive(self: &Rc<Self>) {
        let mut parcels = Vec::new();
        let mut marks = Vec::new();
        let mut everything = false;
        let received = self
            .endpoint
            .borrow_mut()
            .receive(|from, received| match received {
                Received::Invalidation(invalidation) => marks.push(invalidation),
                Received::Everything => everything = true,
                Received::Parcel(parcel) => parcels.push((from, parcel)),
            });
        if received == 0 {
            return;
        }
        self.count(CROSSINGS, i64::try_from(received).unwrap_or(0));
        for Invalidation { kind, scope } in marks {
            self.engine
                .invalidate_hash(u8::try_from(kind).unwrap_or(u8::MAX), scope);
        }
        if everything {
            self.engine.invalidate_everything();
        }
        for (from, parcel) in parcels {
            self.unpack(from, parcel);
        }
        // There may be more than one call takes.
        self.nudge();
    }

    fn unpack(self: &Rc<Self>, from: usize, parcel: Parcel) {
        match parcel {
            Parcel::Request { reply, work } => {
                let shard = Rc::clone(self);
                spawn(async move {
                    let response = Box::pin(Rc::clone(&shard).perform(*work)).await;
                    if shard
                        .send(
                            from,
                            Parcel::Response {
                                reply,
                                response: Box::new(response),
                            },
                        )
                        .is_err()
                    {
                        tracing::error!(
                            shard = shard.id,
                            to = from,
                            "an answer was lost: the lane is full"
                        );
                    }
                });
            }
            Parcel::Response { reply, response } => {
                let sender = self.replies.borrow_mut().try_remove(reply);
                if let Some(sender) = sender {
                    sender.send(*response);
                }
            }
            Parcel::Stream(open, tls) => self.unpack_stream(*open, tls),
            Parcel::Peers(peers) => self.set_peers(peers),
            Parcel::Publish(_) => {
                tracing::error!(
                    shard = self.id,
                    "a shard was sent what is for the link shard"
                );
            }
            Parcel::Broadcast(scope) => match Scope::parse(&scope) {
                Ok(scope) => self.engine.invalidate(&scope),
                Err(error) => {
                    tracing::error!(shard = self.id, %error, "a broadcast from another shard was dropped")
                }
            },
        }
    }

    /// Tells the others what this turn made stale, once each.
    fn tell_shards(&self) {
        self.send_held();
        let outgoing = self.engine.take_outgoing();
        self.publish(outgoing.published);
        if self.config().shards > 1 {
            for name in outgoing.names {
                for to in (0..self.config().shards).filter(|to| *to != self.id) {
                    if self.send(to, Parcel::Broadcast(name.clone())).is_err() {
                        // Nothing is dropped in silence: what can't be named makes all stale.
                        self.endpoint.borrow_mut().invalidate(to, EVERYTHING);
                    }
                }
            }
            let mut endpoint = self.endpoint.borrow_mut();
            for (kind, scope) in outgoing.invalidations {
                let invalidation = Invalidation {
                    kind: u64::from(kind),
                    scope,
                };
                for to in (0..self.config().shards).filter(|to| *to != self.id) {
                    endpoint.invalidate(to, invalidation);
                }
            }
        }
        self.endpoint.borrow_mut().flush();
    }

    /// Hands the scopes of this turn to the link shard; what its lane can't take becomes "all".
    fn publish(&self, scopes: BTreeSet<String>) {
        if scopes.is_empty() {
            return;
        }
        let link = self.config().shards;
        let parcel = Parcel::Publish(scopes.into_iter().collect());
        let refused = self.endpoint.borrow_mut().send(link, parcel).is_err();
        if refused {
            self.endpoint.borrow_mut().invalidate(link, EVERYTHING);
        }
    }

    /// A draining shard says when nothing is left to do; it may be asked for more afterwards.
    fn say_whether_quiet(&self) {
        if self.closing.get() {
            let quiet = self.connections.get() == 0
                && self.is_idle()
                && self.replies.borrow().is_empty()
                && !self.has_held()
                && self.streams.borrow().len() == 0;
            self.common.board.set(self.id, QUIET, u64::from(quiet));
        }
    }
}
