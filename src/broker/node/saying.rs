//! What this node says: scopes that are stale, and its beacon. Each word stays until it came back.

use std::time::Duration;

use super::super::pending::Stale;
use super::{BEACON_EVERY, Flight, Node, Out};
use crate::scope::Scope;
use crate::wire::relay::{Beacon, Message, Place, encode};

/// The bound of what is in flight, in bytes of names: more waits, merged.
pub(super) const FLIGHT_MAX_BYTES: usize = 256 * 1024;

/// Bytes of one batch of payloads, about.
pub(super) const BATCH_BYTES: usize = 64 * 1024;

impl Node {
    /// `scope` is stale for the others too.
    pub fn publish(&mut self, scope: &str) {
        self.pending.add_scope(scope);
    }

    /// Everything is stale for the others too.
    pub fn publish_everything(&mut self) {
        self.pending.add_everything();
    }

    /// There is something to be sent now.
    pub fn has_payloads(&self, now: Duration) -> bool {
        self.link.as_ref().is_some_and(|link| {
            link.next_beacon <= now
                || !self.pending.is_empty() && self.flight_bytes < FLIGHT_MAX_BYTES
        })
    }

    /// What is to be sent now, one batch.
    pub fn payloads(&mut self, now: Duration) -> Vec<Vec<u8>> {
        let mut payloads = Vec::new();
        let mut bytes = 0;
        if self.link.is_none() {
            return payloads;
        }
        // A link's first beacon goes before all else: it is the question who else is there.
        if self.link.as_ref().is_some_and(|link| link.number == 0) {
            payloads.extend(self.beacon(now));
        }
        while bytes < BATCH_BYTES && self.flight_bytes < FLIGHT_MAX_BYTES {
            let Some(what) = self.pending.take() else {
                break;
            };
            for payload in self.send(what) {
                bytes += payload.len();
                payloads.push(payload);
            }
        }
        payloads.extend(self.beacon(now));
        payloads
    }

    fn send(&mut self, what: Stale) -> Vec<Vec<u8>> {
        let mut payloads = Vec::new();
        match &what {
            Stale::Scope(name) => {
                let place = Some(self.next_place());
                let scope = (&**name).into();
                payloads.push(encode(self.id, &Message::Stale { scope, place }));
            }
            Stale::Everything => {
                // php-via nodes don't know the first; the second is their widest word.
                let place = self.next_place();
                payloads.push(encode(self.id, &Message::AllStale { place }));
                let place = Some(self.next_place());
                let scope = Scope::GLOBAL.as_str().into();
                payloads.push(encode(self.id, &Message::Stale { scope, place }));
            }
        }
        self.flight_bytes += what.bytes();
        self.flight.push_back(Flight {
            seq: self.last.seq,
            what,
        });
        payloads
    }

    fn next_place(&mut self) -> Place {
        self.last.seq += 1;
        self.counts.published += 1;
        self.last
    }

    /// The beacon, if one is due.
    fn beacon(&mut self, now: Duration) -> Option<Vec<u8>> {
        let link = self.link.as_mut().filter(|link| link.next_beacon <= now)?;
        link.number += 1;
        link.next_beacon = now + BEACON_EVERY;
        link.out.push_back(Out {
            number: link.number,
            sent: now,
            looks: link.looks,
        });
        let beacon = Beacon {
            place: self.last,
            number: link.number,
            build: (&*self.build).into(),
            lag_us: self
                .lag
                .map_or(0, |lag| u64::try_from(lag.as_micros()).unwrap_or(u64::MAX)),
            hello: link.number == 1,
        };
        Some(encode(self.id, &Message::Beacon(beacon)))
    }

    /// The message `seq` of this node came back (`itself`), or one that was sent after it: what was
    /// sent before and did not come back is lost, and is said again.
    pub(super) fn came_back(&mut self, seq: u64, itself: bool) {
        while let Some(flight) = self.flight.front()
            && flight.seq <= seq
        {
            let Some(flight) = self.flight.pop_front() else {
                return;
            };
            self.flight_bytes -= flight.what.bytes();
            if !(itself && flight.seq == seq) {
                self.counts.gaps += 1;
                self.say_again(&flight);
            }
        }
        if self.flight.is_empty() {
            self.flight_bytes = 0;
            self.flight.shrink_to(64);
        }
    }

    pub(super) fn say_again(&mut self, flight: &Flight) {
        self.counts.republished += 1;
        self.pending.add(&flight.what);
        if self.flight.is_empty() {
            self.flight_bytes = 0;
        }
    }
}
