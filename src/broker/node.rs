//! This node among the others: what it says, what it hears, and what follows. Without I/O or clock.
//!
//! **Connected means that a message came back.** A link counts from when the node has heard its own
//! first beacon on it, and as long as each beacon returns within [`BEACON_PATIENCE`].
//!
//! **Nothing is lost.** A scope that is to be published stays here until its message came back: what
//! was in flight when a link went, or was overtaken by a later message or beacon of this node, is
//! published again. What others said and did not arrive shows as a gap in their counting, at the
//! latest with their next beacon, and makes everything stale here; so does every new link. Stale
//! twice is as good as once, so doubles do no harm.

use std::collections::VecDeque;
use std::time::Duration;

use super::peers::{Before, PeerState, Peers};
use super::pending::{Pending, Stale};
use super::{BrokerError, Direction};
use crate::scope::Scope;
use crate::wire::relay::{Beacon, Message, NodeId, Place, decode, encode};

/// How often a node says that it is there.
const BEACON_EVERY: Duration = Duration::from_millis(2_000);

/// How long a beacon may take to come back, and how often the node must have looked meanwhile: one
/// that gets no time to look is slow itself.
const BEACON_LOOKS: u64 = 25;
const BEACON_PATIENCE: Duration = Duration::from_millis(2_500);

/// A newcomer's question is answered within so long, spread over the nodes.
const HELLO_SPREAD: Duration = Duration::from_millis(200);

/// Everything becomes stale at most once in so long, however many gaps there are.
const RESYNC_EVERY: Duration = Duration::from_millis(1_000);

/// The bound of what is in flight, in bytes of names: more waits, merged.
const FLIGHT_MAX_BYTES: usize = 256 * 1024;

/// Bytes of one batch of payloads, about.
const BATCH_BYTES: usize = 64 * 1024;

/// Scopes that are listed as heard.
const HEARD_MAX: usize = 20;

/// What follows from something heard, or from time passing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Another node made this scope stale.
    Stale(Scope),
    /// Something may have been missed: everything that crosses nodes is stale here.
    Resync,
    /// The link works in both directions.
    Connected,
}

/// A scope that others made stale.
#[derive(Clone, Debug)]
pub(crate) struct HeardScope {
    pub scope: Scope,
    pub count: u64,
    pub node: NodeId,
    pub at: Duration,
}

/// What the node counted since its start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub published: u64,
    pub republished: u64,
    pub received: u64,
    pub dropped: u64,
    pub gaps: u64,
    pub resyncs: u64,
}

/// A message that was sent on this link and did not come back yet.
struct Flight {
    seq: u64,
    what: Stale,
}

/// A beacon that was sent.
struct Out {
    number: u64,
    sent: Duration,
    /// The node's looks at its time before.
    looks: u64,
}

/// The link that is open.
struct Open {
    number: u64,
    /// Beacons that did not come back yet.
    out: VecDeque<Out>,
    looks: u64,
    next_beacon: Duration,
    /// Looks since the next beacon is due.
    late: u64,
    /// The first own beacon came back.
    connected: bool,
    heard_others: Option<Duration>,
}

pub(crate) struct Node {
    id: NodeId,
    build: Box<str>,
    last: Place,
    link: Option<Open>,
    pending: Pending,
    flight: VecDeque<Flight>,
    flight_bytes: usize,
    peers: Peers,
    heard: VecDeque<HeardScope>,
    lag: Option<Duration>,
    resync_wanted: bool,
    resynced: Option<Duration>,
    counts: Counts,
}

impl Node {
    pub fn new(id: NodeId, build: &str) -> Self {
        Self {
            id,
            build: build.into(),
            last: Place { epoch: 0, seq: 0 },
            link: None,
            pending: Pending::default(),
            flight: VecDeque::new(),
            flight_bytes: 0,
            peers: Peers::default(),
            heard: VecDeque::new(),
            lag: None,
            resync_wanted: false,
            resynced: None,
            counts: Counts::default(),
        }
    }

    pub fn id(&self) -> NodeId {
        self.id
    }

    /// The links so far.
    pub fn epoch(&self) -> u64 {
        self.last.epoch
    }

    pub fn is_connected(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.connected)
    }

    /// Whether a direction works, as far as that can be told.
    pub fn works(&self, direction: Direction, now: Duration) -> bool {
        let Some(link) = &self.link else {
            return false;
        };
        let others = link
            .heard_others
            .is_some_and(|at| now.saturating_sub(at) <= BEACON_EVERY + BEACON_PATIENCE);
        match direction {
            Direction::Publishing => link.connected,
            Direction::Receiving => link.connected || others,
        }
    }

    /// How long the last beacon took to come back.
    pub fn lag(&self) -> Option<Duration> {
        self.lag
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Scopes that wait or are in flight.
    pub fn waiting(&self) -> usize {
        self.pending.len() + self.flight.len()
    }

    pub fn peers(&self) -> impl Iterator<Item = (NodeId, &PeerState)> {
        self.peers.iter()
    }

    /// What others made stale, the newest first.
    pub fn heard(&self) -> impl Iterator<Item = &HeardScope> {
        self.heard.iter()
    }

    /// A link is open; its first word asks who else is there.
    pub fn link_up(&mut self, now: Duration) {
        self.last.epoch += 1;
        self.link = Some(Open {
            number: 0,
            out: VecDeque::new(),
            looks: 0,
            next_beacon: now,
            late: 0,
            connected: false,
            heard_others: None,
        });
    }

    /// The link is gone; what was in flight is to be said again.
    pub fn link_down(&mut self) {
        self.link = None;
        self.lag = None;
        while let Some(flight) = self.flight.pop_front() {
            self.say_again(&flight);
        }
    }

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

    /// The message `seq` of this node came back (`itself`), or one that was sent after it: what was
    /// sent before and did not come back is lost, and is said again.
    fn came_back(&mut self, seq: u64, itself: bool) {
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

    fn say_again(&mut self, flight: &Flight) {
        self.counts.republished += 1;
        self.pending.add(&flight.what);
        if self.flight.is_empty() {
            self.flight_bytes = 0;
        }
    }

    fn missed(&mut self, before: Before) {
        self.counts.gaps += u64::from(before == Before::Gap);
        self.resync_wanted |= before != Before::Heard;
    }

    fn resync(&mut self, now: Duration, effects: &mut Vec<Effect>) {
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

    /// Lets time pass.
    ///
    /// # Errors
    /// [`BrokerError::Silent`], when a beacon is overdue.
    pub fn tick(&mut self, now: Duration, effects: &mut Vec<Effect>) -> Result<(), BrokerError> {
        self.resync(now, effects);
        let Some(link) = &mut self.link else {
            return Ok(());
        };
        link.looks += 1;
        link.late = if link.next_beacon <= now {
            link.late + 1
        } else {
            0
        };
        if link.connected {
            self.peers.expire(now);
        }
        // What was said before does not get through, so that the beacon that is due can't be said.
        if now.saturating_sub(link.next_beacon) >= BEACON_PATIENCE && link.late >= BEACON_LOOKS {
            return Err(BrokerError::Silent {
                broken: Some(Direction::Publishing),
            });
        }
        let sent = match link.out.front() {
            Some(out)
                if now.saturating_sub(out.sent) >= BEACON_PATIENCE
                    && link.looks - out.looks >= BEACON_LOOKS =>
            {
                out.sent
            }
            _ => return Ok(()),
        };
        let others = self.peers.heard_at();
        let broken = if link.heard_others.is_some_and(|at| at > sent) {
            Some(Direction::Publishing)
        } else if others.is_some() {
            Some(Direction::Receiving)
        } else {
            None
        };
        Err(BrokerError::Silent { broken })
    }
}

#[cfg(test)]
#[path = "node_tests.rs"]
mod tests;
