//! What this node hears: others, and itself.

use std::time::Duration;

use super::super::peers::Before;
use super::{Effect, HeardScope, Node};
use crate::scope::Scope;
use crate::wire::relay::{Message, NodeId, decode};

/// A newcomer's question is answered within so long, spread over the nodes.
const HELLO_SPREAD: Duration = Duration::from_millis(200);

/// Everything becomes stale at most once in so long, however many gaps there are.
const RESYNC_EVERY: Duration = Duration::from_millis(1_000);

/// Scopes that are listed as heard.
pub(super) const HEARD_MAX: usize = 20;

impl Node {
    /// Takes a payload in.
    pub fn hear(&mut self, payload: &[u8], now: Duration, effects: &mut Vec<Effect>) {
        let (node, message) = match decode(payload) {
            Ok(Some(read)) => read,
            Ok(None) => return,
            Err(error) => {
                self.drop_message(&error.to_string());
                return;
            }
        };
        if node == self.id {
            self.hear_own(&message, now, effects);
            return;
        }
        self.counts.received += 1;
        if let Some(link) = &mut self.link {
            link.heard_others = Some(now);
        }
        match message {
            Message::Stale { scope, place } => {
                self.hear_scope(&scope, node, now, effects);
                if let Some(place) = place {
                    let before = self.peers.stale(node, place, now);
                    self.missed(before);
                }
            }
            Message::AllStale { place } => {
                self.peers.stale(node, place, now);
                self.resync_wanted = true;
            }
            Message::Beacon(beacon) => {
                let before = self.peers.beacon(node, &beacon, now);
                self.missed(before);
                if let Some(link) = self.link.as_mut().filter(|_| beacon.hello) {
                    let spread = HELLO_SPREAD.mul_f64((self.id.0 % 1000) as f64 / 1000.0);
                    link.next_beacon = link.next_beacon.min(now + spread);
                }
            }
        }
        self.resync(now, effects);
    }

    fn hear_scope(&mut self, name: &str, node: NodeId, now: Duration, effects: &mut Vec<Effect>) {
        // php-via's bare word for every page of every route.
        let name = if name == "route" { "route:*" } else { name };
        let scope = match Scope::parse(name) {
            Ok(scope) => scope,
            Err(error) => {
                self.drop_message(&error.to_string());
                return;
            }
        };
        let known = self.heard.iter().position(|heard| heard.scope == scope);
        let before = known.and_then(|index| self.heard.remove(index));
        self.heard.push_front(HeardScope {
            scope: scope.clone(),
            count: before.map_or(0, |before| before.count) + 1,
            node,
            at: now,
        });
        self.heard.truncate(HEARD_MAX);
        effects.push(Effect::Stale(scope));
    }

    /// A message that can't be used is dropped; the first ones are told to the log.
    fn drop_message(&mut self, reason: &str) {
        self.counts.dropped += 1;
        if self.counts.dropped.is_power_of_two() {
            tracing::warn!(
                dropped = self.counts.dropped,
                reason,
                "a message from the broker was dropped: is the channel shared with something else?"
            );
        }
    }

    fn hear_own(&mut self, message: &Message<'_>, now: Duration, effects: &mut Vec<Effect>) {
        let current = self.last.epoch;
        let Some(link) = &mut self.link else {
            return;
        };
        match message {
            Message::Stale {
                place: Some(place), ..
            }
            | Message::AllStale { place } => {
                if place.epoch == current {
                    self.came_back(place.seq, true);
                }
            }
            Message::Stale { place: None, .. } => {}
            Message::Beacon(beacon) => {
                if beacon.place.epoch != current {
                    return;
                }
                while let Some(out) = link.out.front()
                    && out.number <= beacon.number
                {
                    if out.number == beacon.number {
                        self.lag = Some(now.saturating_sub(out.sent));
                    }
                    link.out.pop_front();
                }
                let first = !std::mem::replace(&mut link.connected, true);
                self.came_back(beacon.place.seq, false);
                if first {
                    effects.push(Effect::Connected);
                    self.resync_wanted = true;
                    self.resynced = None;
                    self.resync(now, effects);
                }
            }
        }
    }

    fn missed(&mut self, before: Before) {
        self.counts.gaps += u64::from(before == Before::Gap);
        self.resync_wanted |= before != Before::Heard;
    }

    pub(super) fn resync(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let may = self
            .resynced
            .is_none_or(|at| now.saturating_sub(at) >= RESYNC_EVERY);
        if self.resync_wanted && may {
            self.resync_wanted = false;
            self.resynced = Some(now);
            self.counts.resyncs += 1;
            effects.push(Effect::Resync);
        }
    }
}
