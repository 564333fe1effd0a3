//! Nodes on a bus that loses, and links that go: what was published always shows in the end.

use std::time::Duration;

use proptest::prelude::*;

use super::hearing::HEARD_MAX;
use super::saying::{BATCH_BYTES, FLIGHT_MAX_BYTES};
use super::*;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A payload as php-via sends it.
fn php(scope: &str) -> Vec<u8> {
    format!("{{\"scope\":\"{scope}\",\"nodeId\":\"00000000000000aa\"}}").into_bytes()
}

/// Gives `node` its own payloads back.
fn echo(node: &mut Node, now: Duration) -> Vec<Effect> {
    let mut effects = Vec::new();
    for payload in node.payloads(now) {
        node.hear(&payload, now, &mut effects);
    }
    effects
}

fn connected(id: u64) -> Node {
    let mut node = Node::new(NodeId(id), "test");
    node.link_up(ms(0));
    assert_eq!(echo(&mut node, ms(0)), [Effect::Connected, Effect::Resync]);
    node
}

#[test]
fn connected_means_that_a_message_came_back() {
    let mut node = Node::new(NodeId(1), "test");
    node.link_up(ms(0));
    let payloads = node.payloads(ms(0));
    assert_eq!(payloads.len(), 1);
    assert!(!node.is_connected());
    let mut effects = Vec::new();
    node.hear(&payloads[0], ms(3), &mut effects);
    assert!(node.is_connected());
    assert_eq!(effects, [Effect::Connected, Effect::Resync]);
    assert_eq!(node.lag(), Some(ms(3)));
    assert_eq!(node.tick(ms(4), &mut effects), Ok(()));
}

#[test]
fn a_beacon_that_does_not_come_back_ends_the_link_within_five_seconds() {
    let mut node = connected(1);
    let mut now = ms(0);
    let mut effects = Vec::new();
    let end = loop {
        now += ms(10);
        node.payloads(now);
        if let Err(error) = node.tick(now, &mut effects) {
            break error;
        }
    };
    assert!(now < ms(5000), "{now:?}");
    assert_eq!(end, BrokerError::Silent { broken: None });
}

#[test]
fn a_publication_that_does_not_end_ends_the_link_within_five_seconds() {
    // All beacons came back, and from then on nothing more can be said.
    let mut node = connected(1);
    node.publish("room:a");
    assert_eq!(node.payloads(ms(10)).len(), 1);
    let mut now = ms(10);
    let mut effects = Vec::new();
    let end = loop {
        now += ms(50);
        if let Err(error) = node.tick(now, &mut effects) {
            break error;
        }
    };
    assert!(now < ms(5000), "{now:?}");
    let broken = Some(Direction::Publishing);
    assert_eq!(end, BrokerError::Silent { broken });
}

#[test]
fn which_direction_is_broken_is_told_by_the_others() {
    let mut other = connected(2);
    for heard in [true, false] {
        let mut node = connected(1);
        let mut effects = Vec::new();
        other.link_down();
        other.link_up(ms(0));
        for payload in other.payloads(ms(0)) {
            node.hear(&payload, ms(0), &mut effects);
        }
        node.payloads(ms(2000));
        if heard {
            node.hear(&php("room:a"), ms(3000), &mut effects);
        }
        let broken = match heard {
            true => Direction::Publishing,
            false => Direction::Receiving,
        };
        for _ in 1..BEACON_LOOKS {
            assert_eq!(node.tick(ms(4500), &mut effects), Ok(()));
        }
        assert_eq!(
            node.tick(ms(4500), &mut effects),
            Err(BrokerError::Silent {
                broken: Some(broken)
            })
        );
        assert!(node.works(Direction::Receiving, ms(4500)));
    }
}

#[test]
fn what_was_published_while_the_link_was_down_is_sent_once_it_is_up() {
    let mut node = Node::new(NodeId(1), "test");
    for scope in ["room:a", "room:b", "room:a"] {
        node.publish(scope);
    }
    assert!(node.payloads(ms(0)).is_empty());
    node.link_up(ms(5));
    let texts: Vec<String> = node
        .payloads(ms(5))
        .into_iter()
        .map(|payload| String::from_utf8(payload).unwrap())
        .collect();
    assert_eq!(texts.len(), 3);
    assert!(texts[0].contains("hello"), "{texts:?}");
    assert!(
        texts[1].contains("room:a") && texts[2].contains("room:b"),
        "{texts:?}"
    );
}

#[test]
fn what_did_not_come_back_is_said_again() {
    let mut node = connected(1);
    node.publish("room:a");
    node.publish("room:b");
    let payloads = node.payloads(ms(1));
    let mut effects = Vec::new();
    node.hear(&payloads[1], ms(2), &mut effects);
    let again = node.payloads(ms(3));
    assert_eq!(again.len(), 1);
    assert!(String::from_utf8_lossy(&again[0]).contains("room:a"));
    // The last one is lost: the next beacon tells.
    assert!(node.payloads(ms(1999)).is_empty());
    let beacon = node.payloads(ms(2000));
    node.hear(&beacon[0], ms(2001), &mut effects);
    let again = node.payloads(ms(2002));
    assert!(String::from_utf8_lossy(&again[0]).contains("room:a"));
    node.hear(&again[0], ms(2003), &mut effects);
    assert_eq!((node.waiting(), node.flight_bytes), (0, 0));
}

#[test]
fn a_slow_broker_turns_into_merging_and_never_into_memory() {
    let mut node = connected(1);
    let mut sent = 0;
    for round in 0..100_000 {
        node.publish(&format!("room:{}", round % 5000));
        if round % 100 == 0 {
            sent += node.payloads(ms(1)).len();
        }
    }
    assert!(node.flight_bytes <= FLIGHT_MAX_BYTES + BATCH_BYTES);
    let bound = (FLIGHT_MAX_BYTES + BATCH_BYTES) / size_of::<Stale>();
    assert!(sent < bound, "{sent} were sent though none came back");
    assert!(node.waiting() <= bound + 5000, "{}", node.waiting());
}

#[test]
fn php_vias_messages_are_heard_and_checked() {
    let mut node = connected(1);
    let mut effects = Vec::new();
    for scope in [
        "room:lobby",
        "route:\\/chat",
        "user:*:mail",
        "global",
        "route",
    ] {
        node.hear(&php(scope), ms(1), &mut effects);
    }
    for bad in ["", "*a", "a b", "tab", "session", "r{x}"] {
        node.hear(&php(bad), ms(1), &mut effects);
    }
    node.hear(b"garbage", ms(1), &mut effects);
    let stale = |name: &str| Effect::Stale(Scope::parse(name).unwrap());
    assert_eq!(
        effects,
        [
            "room:lobby",
            "route:/chat",
            "user:*:mail",
            "global",
            "route:*"
        ]
        .map(stale)
    );
    assert_eq!(node.counts().dropped, 7);
    assert_eq!(node.heard().next().map(|heard| heard.count), Some(1));
}

#[test]
fn a_million_new_names_leave_twenty() {
    let mut node = connected(1);
    let mut effects = Vec::new();
    for name in 0..1_000_000 {
        node.hear(&php(&format!("room:{name}")), ms(1), &mut effects);
        effects.clear();
    }
    assert_eq!(node.heard().count(), HEARD_MAX);
}

#[test]
fn everything_is_said_in_both_tongues() {
    let mut node = connected(1);
    node.publish_everything();
    let payloads = node.payloads(ms(1));
    let texts: Vec<_> = payloads
        .iter()
        .map(|payload| String::from_utf8_lossy(payload))
        .collect();
    assert_eq!(texts.len(), 2);
    assert!(texts[0].contains("\"kind\":\"all\"") && texts[1].contains("\"scope\":\"global\""));
    let mut other = connected(2);
    let mut effects = Vec::new();
    for payload in &payloads {
        other.hear(payload, ms(1200), &mut effects);
    }
    assert!(effects.contains(&Effect::Resync));
}

/// What a node did, in the order of time.
#[derive(Debug)]
enum Done {
    Published(u32),
    Heard(Effect),
}

/// Nodes on a bus: whatever one sends reaches all whose link is up, unless it is lost.
struct World {
    now: Duration,
    nodes: Vec<Node>,
    up: Vec<bool>,
    done: Vec<(usize, Done)>,
    next: u32,
}

impl World {
    fn new(nodes: usize) -> Self {
        Self {
            now: ms(0),
            nodes: (0..nodes as u64)
                .map(|id| Node::new(NodeId(id + 1), "test"))
                .collect(),
            up: vec![false; nodes],
            done: Vec::new(),
            next: 0,
        }
    }

    /// Passes `payload` on; `lost` says for whom not.
    fn deliver(&mut self, payload: &[u8], lost: impl Fn(usize) -> bool) {
        for to in 0..self.nodes.len() {
            if self.up[to] && !lost(to) {
                let mut effects = Vec::new();
                self.nodes[to].hear(payload, self.now, &mut effects);
                self.done
                    .extend(effects.into_iter().map(|effect| (to, Done::Heard(effect))));
            }
        }
    }

    /// A step of time, in which each node sends what it has.
    fn step(&mut self, lost: impl Fn(usize, usize) -> bool) {
        self.now += ms(50);
        for from in 0..self.nodes.len() {
            if !self.up[from] {
                continue;
            }
            for payload in self.nodes[from].payloads(self.now) {
                self.deliver(&payload, |to| lost(from, to));
            }
            let mut effects = Vec::new();
            if self.nodes[from].tick(self.now, &mut effects).is_err() {
                self.nodes[from].link_down();
                self.nodes[from].link_up(self.now);
            }
            self.done.extend(
                effects
                    .into_iter()
                    .map(|effect| (from, Done::Heard(effect))),
            );
        }
    }

    fn cut(&mut self, node: usize) {
        if std::mem::take(&mut self.up[node]) {
            self.nodes[node].link_down();
        }
    }

    fn mend(&mut self, node: usize) {
        if !std::mem::replace(&mut self.up[node], true) {
            self.nodes[node].link_up(self.now);
        }
    }

    fn publish(&mut self, node: usize) {
        self.nodes[node].publish(&format!("room:{}", self.next));
        self.done.push((node, Done::Published(self.next)));
        self.next += 1;
    }

    /// Publications after which some other node has neither heard of them nor been made all stale.
    fn missed(&self) -> Vec<(u32, usize)> {
        let mut missed = Vec::new();
        for (at, (from, done)) in self.done.iter().enumerate() {
            let Done::Published(number) = done else {
                continue;
            };
            let name = format!("room:{number}");
            for to in (0..self.nodes.len()).filter(|to| to != from) {
                let shown = self.done[at..].iter().any(|(node, done)| {
                    *node == to
                        && match done {
                            Done::Heard(Effect::Resync) => true,
                            Done::Heard(Effect::Stale(scope)) => scope.as_str() == name,
                            _ => false,
                        }
                });
                if !shown {
                    missed.push((*number, to));
                }
            }
        }
        missed
    }
}

#[derive(Clone, Debug)]
enum Event {
    Publish(usize),
    Cut(usize),
    Mend(usize),
    /// Steps in which this many of 8 messages are lost, by a pattern.
    Steps(u8, u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..3_usize).prop_map(Event::Publish),
        1 => (0..3_usize).prop_map(Event::Cut),
        2 => (0..3_usize).prop_map(Event::Mend),
        3 => (1..40_u8, any::<u64>()).prop_map(|(steps, pattern)| Event::Steps(steps, pattern)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn nothing_is_missed_for_good(events in proptest::collection::vec(event(), 1..60)) {
        let mut world = World::new(3);
        (0..3).for_each(|node| world.mend(node));
        for event in events {
            match event {
                Event::Publish(node) => world.publish(node),
                Event::Cut(node) => world.cut(node),
                Event::Mend(node) => world.mend(node),
                Event::Steps(steps, pattern) => {
                    for step in 0..u32::from(steps) {
                        let bits = pattern.rotate_left(step * 9);
                        world.step(|from, to| bits >> (from * 3 + to) & 1 == 1 && bits >> 20 & 3 == 0);
                    }
                }
            }
        }
        (0..3).for_each(|node| world.mend(node));
        // Five seconds without a fault.
        for _ in 0..100 {
            world.step(|_, _| false);
        }
        prop_assert_eq!(world.missed(), vec![]);
        for node in &world.nodes {
            prop_assert!(node.is_connected());
            prop_assert_eq!(node.waiting(), 0);
            prop_assert_eq!(node.peers().count(), 2);
        }
    }
}
