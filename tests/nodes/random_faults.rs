//! Many random faults with a fixed seed, several at a time, and posts between them. After each round
//! every page on every node shows the newest, and at the end nothing has leaked.
//!
//! `AUTOVIA_FAULTS` says how many (200), `AUTOVIA_FAULTS_SEED` which; a round is told before it begins,
//! so that a failure can be read and run again.

use std::sync::Mutex;
use std::time::Duration;

use autovia_testkit::{Cut, Direction, Flow, eventually_within};

use crate::board::Board;
use crate::frames::{cut_in_next_message, lose_next_message};
use crate::stage::{Group, KINDS, Node, RECONNECT_DEADLINE, on_each};

const FAULTS: usize = 200;
const SEED: u64 = 0x5eed_0007;
const NODES: usize = 4;

/// Links that a node may lose in one life: each pause is twice the one before.
const LOSSES_MAX: u32 = 2;

/// What a node may hold more at the end of its life than after its start: a leak of a few hundred
/// bytes per event shows in far more rounds only, one of buffers or pages here.
const GROWTH_MAX_BYTES: u64 = 32 * 1024 * 1024;

/// Descriptors that come and go: a kept connection, a file that is being read.
const FILES_SPARE: usize = 4;

/// Numbers from a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let z = z ^ (z >> 31);
        usize::try_from(z % limit as u64).expect("it is below a usize")
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// What happens to one node while others post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// A message to it is lost, whole.
    LoseMessage,
    /// Its network is slow.
    Slow,
    /// One direction stands still for a moment, or both.
    HoldUp,
    HoldDown,
    HoldBoth,
    /// The process stands still.
    Still,
    /// It is killed, and starts again.
    Restart,
    /// Its connections end.
    Reset,
    Close,
    ResetInMessage,
    /// Its network is away.
    Away,
    /// Some of what it says and hears is lost.
    Swallow,
}

const GENTLE: [Fault; 6] = [
    Fault::LoseMessage,
    Fault::Slow,
    Fault::HoldUp,
    Fault::HoldDown,
    Fault::HoldBoth,
    Fault::Still,
];

const LOSING: [Fault; 5] = [
    Fault::Reset,
    Fault::Close,
    Fault::ResetInMessage,
    Fault::Away,
    Fault::Swallow,
];

impl Fault {
    fn begin(self, node: &Node, group: &Group, dice: &mut Dice) {
        let (proxy, kind) = (&node.proxy, group.broker.kind());
        match self {
            Self::LoseMessage => {
                lose_next_message(proxy, kind, "board:");
            }
            Self::ResetInMessage => {
                cut_in_next_message(proxy, kind, "board:", Cut::Reset);
            }
            Self::Slow => proxy.delay(Duration::from_millis(10 + dice.below(300) as u64)),
            Self::HoldUp => proxy.flow(Direction::ToServer, Flow::Hold),
            Self::HoldDown => proxy.flow(Direction::ToClient, Flow::Hold),
            Self::HoldBoth => flow_both(node, Flow::Hold),
            Self::Swallow => flow_both(node, Flow::Lose),
            Self::Still => node.server.stop(),
            Self::Reset => proxy.cut(Cut::Reset),
            Self::Close => proxy.cut(Cut::Fin),
            Self::Away => proxy.away(),
            Self::Restart => {}
        }
    }

    fn end(self, node: &Node) {
        node.proxy.delay(Duration::ZERO);
        flow_both(node, Flow::Pass);
        for direction in [Direction::ToServer, Direction::ToClient] {
            node.proxy.edit(direction, |_| None);
        }
        node.proxy.back();
        if self == Self::Still {
            node.server.cont();
        }
    }
}

fn flow_both(node: &Node, flow: Flow) {
    for direction in [Direction::ToServer, Direction::ToClient] {
        node.proxy.flow(direction, flow);
    }
}

/// What a node held when its life began.
#[derive(Clone, Copy)]
struct Held {
    bytes: u64,
    files: usize,
}

impl Held {
    fn by(node: &Node) -> Self {
        Self {
            bytes: node.server.resident_bytes(),
            files: node.server.open_files(),
        }
    }

    fn assert_no_more(self, node: &Node) {
        let now = node.server.resident_bytes();
        assert!(
            now < self.bytes + GROWTH_MAX_BYTES,
            "it grew from {} to {now} bytes",
            self.bytes
        );
        eventually_within(RECONNECT_DEADLINE, "no more open files than before", || {
            (node.server.open_files() <= self.files + FILES_SPARE).then_some(())
        });
    }
}

/// Nodes, and what they went through.
struct Storm {
    group: Group,
    board: Board,
    dice: Dice,
    held: Vec<Held>,
    losses: [u32; NODES],
}

impl Storm {
    fn round(&mut self, number: usize) -> usize {
        if self.dice.below(8) == 0 {
            self.of_the_broker(number);
            return 1;
        }
        let faults: Vec<Fault> = (0..NODES).map(|node| self.choose(node)).collect();
        println!("{:?} round {number}: {faults:?}", self.group.broker.kind());
        for (node, fault) in faults.iter().enumerate() {
            if *fault == Fault::Restart {
                self.restart(node);
            }
            fault.begin(&self.group.nodes[node], &self.group, &mut self.dice);
        }
        self.post(|node| faults[node] != Fault::Still);
        for (node, fault) in faults.iter().enumerate() {
            fault.end(&self.group.nodes[node]);
        }
        self.board.wait_newest();
        faults.len()
    }

    fn choose(&mut self, node: usize) -> Fault {
        if self.losses[node] < LOSSES_MAX {
            if self.dice.below(4) == 0 {
                self.losses[node] += 1;
                return self.dice.pick(&LOSING);
            }
        } else if self.dice.below(3) == 0 {
            return Fault::Restart;
        }
        self.dice.pick(&GENTLE)
    }

    fn restart(&mut self, node: usize) {
        let restarted = &mut self.group.nodes[node];
        self.held[node].assert_no_more(restarted);
        restarted.kill_and_restart();
        self.losses[node] = 0;
        self.board.open_on(&self.group, node);
        self.held[node] = Held::by(&self.group.nodes[node]);
    }

    fn of_the_broker(&mut self, number: usize) {
        let kills =
            self.losses.iter().all(|losses| *losses < LOSSES_MAX) && self.dice.below(2) == 0;
        let what = if kills { "killed" } else { "frozen" };
        println!("{:?} round {number}: {what}", self.group.broker.kind());
        if kills {
            self.group.broker.kill();
            self.losses = self.losses.map(|losses| losses + 1);
        } else {
            self.group.broker.freeze();
        }
        self.post(|_| true);
        if kills {
            self.group.broker.restart();
        } else {
            self.group.broker.thaw();
        }
        self.board.wait_newest();
    }

    fn post(&mut self, may: impl Fn(usize) -> bool) {
        for _ in 0..=self.dice.below(6) {
            let node = self.dice.below(NODES);
            if may(node) {
                self.board.post(node);
            }
        }
    }
}

pub fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number, not {text:?}"))
    })
}

#[test]
fn random_faults_lose_nothing_and_leak_nothing() {
    let wanted = usize::try_from(number("AUTOVIA_FAULTS", FAULTS as u64)).expect("it fits");
    let seed = number("AUTOVIA_FAULTS_SEED", SEED);
    println!("{wanted} faults, AUTOVIA_FAULTS_SEED={seed}");
    let done = Mutex::new(0);
    on_each(&KINDS, |kind| {
        let group = Group::start(kind, NODES);
        let mut board = Board::open(&group);
        board.post_everywhere();
        board.wait_newest();
        let mut storm = Storm {
            held: group.nodes.iter().map(Held::by).collect(),
            board,
            group,
            dice: Dice(seed ^ kind as u64),
            losses: [0; NODES],
        };
        let mut round = 0;
        while *done.lock().unwrap() < wanted {
            round += 1;
            let faults = storm.round(round);
            *done.lock().unwrap() += faults;
        }
        let Storm { group, held, .. } = storm;
        group.wait_connected();
        for (node, held) in group.nodes.iter().zip(held) {
            held.assert_no_more(node);
            assert!(node.server.is_running());
        }
        let connections = NODES * group.broker.connections_per_node();
        eventually_within(
            RECONNECT_DEADLINE,
            "as many connections as at the start",
            || (group.broker.connections() == connections).then_some(()),
        );
    });
}
