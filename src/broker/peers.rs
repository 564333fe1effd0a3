//! The other nodes, as far as they are heard: who is there, and whether something of theirs was missed.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::wire::relay::{Beacon, NodeId, Place};

/// A node that was not heard for so long is gone: three beacons, and some.
const GONE_AFTER: Duration = Duration::from_millis(7_000);

/// Nodes that are kept; more are heard, but not listed and not watched for gaps.
pub(super) const PEERS_MAX: usize = 1024;

/// What a message tells of those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// All were heard.
    Heard,
    /// Some are missing.
    Gap,
    /// The node was not heard before, and has said something.
    Unknown,
}

/// One other node.
#[derive(Clone, Debug)]
pub(crate) struct PeerState {
    pub build: Box<str>,
    pub lag_us: u64,
    pub last: Place,
    pub heard_at: Duration,
    pub messages: u64,
    pub gaps: u64,
}

#[derive(Default)]
pub(super) struct Peers {
    known: BTreeMap<NodeId, PeerState>,
}

impl Peers {
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = (NodeId, &PeerState)> {
        self.known.iter().map(|(id, peer)| (*id, peer))
    }

    /// When anybody was heard last.
    pub fn heard_at(&self) -> Option<Duration> {
        self.known.values().map(|peer| peer.heard_at).max()
    }

    /// Takes a stale message of `node` in.
    pub fn stale(&mut self, node: NodeId, place: Place, now: Duration) -> Before {
        self.heard(node, now, place, |last| {
            place.epoch == last.epoch && place.seq <= last.seq.saturating_add(1)
                // A node's next link goes on counting where its last one ended.
                || place.epoch > last.epoch && place.seq == last.seq.saturating_add(1)
        })
    }

    /// Takes a sign of life in.
    pub fn beacon(&mut self, node: NodeId, beacon: &Beacon<'_>, now: Duration) -> Before {
        let place = beacon.place;
        let before = self.heard(node, now, place, |last| place.seq <= last.seq);
        if let Some(peer) = self.known.get_mut(&node) {
            if *peer.build != *beacon.build {
                peer.build = (*beacon.build).into();
            }
            peer.lag_us = beacon.lag_us;
        }
        before
    }

    fn heard(
        &mut self,
        node: NodeId,
        now: Duration,
        place: Place,
        nothing_missed: impl Fn(Place) -> bool,
    ) -> Before {
        if let Some(peer) = self.known.get_mut(&node) {
            peer.heard_at = now;
            peer.messages += 1;
            let before = if nothing_missed(peer.last) {
                Before::Heard
            } else {
                peer.gaps += 1;
                Before::Gap
            };
            if (place.epoch, place.seq) > (peer.last.epoch, peer.last.seq) {
                peer.last = place;
            }
            return before;
        }
        if self.known.len() < PEERS_MAX {
            let peer = PeerState {
                build: "".into(),
                lag_us: 0,
                last: place,
                heard_at: now,
                messages: 1,
                gaps: 0,
            };
            self.known.insert(node, peer);
        }
        if place.seq > 0 {
            Before::Unknown
        } else {
            Before::Heard
        }
    }

    /// Forgets those that were not heard for long.
    pub fn expire(&mut self, now: Duration) {
        self.known
            .retain(|_, peer| now.saturating_sub(peer.heard_at) < GONE_AFTER);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: NodeId = NodeId(7);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn place(epoch: u64, seq: u64) -> Place {
        Place { epoch, seq }
    }

    fn beacon(epoch: u64, seq: u64) -> Beacon<'static> {
        Beacon {
            place: place(epoch, seq),
            number: 1,
            build: "1".into(),
            lag_us: 5,
            hello: false,
        }
    }

    #[test]
    fn a_gap_in_the_middle_and_the_loss_of_the_last_are_seen() {
        let mut peers = Peers::default();
        let said_nothing = peers.beacon(NODE, &beacon(1, 0), ms(0));
        assert_eq!(said_nothing, Before::Heard);
        assert_eq!(peers.stale(NODE, place(1, 1), ms(1)), Before::Heard);
        assert_eq!(peers.beacon(NODE, &beacon(1, 1), ms(2)), Before::Heard);
        let second_is_missing = peers.stale(NODE, place(1, 3), ms(3));
        assert_eq!(second_is_missing, Before::Gap);
        let doubled = peers.stale(NODE, place(1, 3), ms(4));
        assert_eq!(doubled, Before::Heard);
        let late = peers.stale(NODE, place(1, 2), ms(4));
        assert_eq!(late, Before::Heard);
        let last_is_missing = peers.beacon(NODE, &beacon(1, 4), ms(5));
        assert_eq!(last_is_missing, Before::Gap);
        let told_already = peers.beacon(NODE, &beacon(1, 4), ms(6));
        assert_eq!(told_already, Before::Heard);
        assert_eq!(peers.iter().next().unwrap().1.gaps, 2);
    }

    #[test]
    fn a_nodes_next_link_goes_on_counting() {
        let mut peers = Peers::default();
        peers.beacon(NODE, &beacon(1, 4), ms(0));
        assert_eq!(peers.beacon(NODE, &beacon(2, 4), ms(1)), Before::Heard);
        assert_eq!(peers.stale(NODE, place(2, 5), ms(1)), Before::Heard);
        assert_eq!(peers.stale(NODE, place(3, 9), ms(1)), Before::Gap);
    }

    #[test]
    fn what_a_node_said_before_it_was_heard_first_is_unknown() {
        let mut peers = Peers::default();
        assert_eq!(peers.stale(NODE, place(1, 1), ms(0)), Before::Unknown);
        let other = peers.beacon(NodeId(8), &beacon(4, 17), ms(0));
        assert_eq!(other, Before::Unknown);
    }

    #[test]
    fn silent_nodes_go_and_many_are_bounded() {
        let mut peers = Peers::default();
        for node in 0..2 * PEERS_MAX as u64 {
            peers.beacon(NodeId(node), &beacon(1, 0), ms(node));
        }
        assert_eq!(peers.len(), PEERS_MAX);
        peers.beacon(NODE, &beacon(1, 0), GONE_AFTER + ms(2000));
        peers.expire(GONE_AFTER + ms(2000));
        assert_eq!(peers.len(), 1);
    }
}
