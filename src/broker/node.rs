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
//!
//! - [`saying`]: what is published, and what is in flight until it came back
//! - [`hearing`]: what others said, and what that makes stale here

mod hearing;
mod saying;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use super::peers::{PeerState, Peers};
use super::pending::{Pending, Stale};
use super::{BrokerError, Direction};
use crate::scope::Scope;
use crate::wire::relay::{NodeId, Place};

/// How often a node says that it is there.
const BEACON_EVERY: Duration = Duration::from_millis(2_000);

/// How long a beacon may take to come back, and how often the node must have looked meanwhile: one
/// that gets no time to look is slow itself.
const BEACON_LOOKS: u64 = 25;
const BEACON_PATIENCE: Duration = Duration::from_millis(2_500);

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
