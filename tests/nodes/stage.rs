//! A broker, nodes that are joined to it, and proxies in between.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use autovia_testkit::{Client, Frame, NatsServer, Page, Proxy, Redis, Running, RunningNats};
use autovia_testkit::{RunningRedis, Server, element_text};

use crate::common::probe;

/// Shards of each node.
pub const SHARDS: u16 = 2;

/// A connected link may have been idle for long before the pause between two attempts is at its
/// longest, half a minute: what waits for a reconnection waits for more than that.
pub const RECONNECT_DEADLINE: Duration = Duration::from_secs(60);

/// Which broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Redis,
    Nats,
}

pub const KINDS: [Kind; 2] = [Kind::Redis, Kind::Nats];

/// Runs a test on all brokers at the same time: most of it waits.
pub fn on_each(kinds: &[Kind], test: impl Fn(Kind) + Sync) {
    let test = &test;
    std::thread::scope(|scope| {
        for &kind in kinds {
            std::thread::Builder::new()
                .name(format!("{kind:?}"))
                .spawn_scoped(scope, move || test(kind))
                .expect("a thread can be started");
        }
    });
}

/// A real broker.
pub enum Broker {
    Redis(RunningRedis),
    Nats(Mutex<RunningNats>),
}

impl Broker {
    pub fn start(kind: Kind) -> Self {
        match kind {
            Kind::Redis => Self::Redis(Redis::new().start()),
            Kind::Nats => Self::Nats(Mutex::new(NatsServer::new().start())),
        }
    }

    fn nats<T>(nats: &Mutex<RunningNats>, say: impl FnOnce(&mut RunningNats) -> T) -> T {
        say(&mut nats.lock().unwrap_or_else(|error| error.into_inner()))
    }

    pub fn redis(&self) -> &RunningRedis {
        match self {
            Self::Redis(redis) => redis,
            Self::Nats(_) => panic!("this broker is no Redis"),
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            Self::Redis(_) => Kind::Redis,
            Self::Nats(_) => Kind::Nats,
        }
    }

    pub fn driver(&self) -> &'static str {
        match self {
            Self::Redis(_) => "RedisBroker",
            Self::Nats(_) => "NatsBroker",
        }
    }

    pub fn port(&self) -> u16 {
        match self {
            Self::Redis(redis) => redis.port(),
            Self::Nats(nats) => Self::nats(nats, |nats| nats.port()),
        }
    }

    /// How a node that reaches it at this port is told.
    pub fn url(&self, port: u16) -> String {
        match self {
            Self::Redis(_) => format!("redis://127.0.0.1:{port}"),
            Self::Nats(_) => format!("nats://127.0.0.1:{port}"),
        }
    }

    pub fn kill(&self) {
        match self {
            Self::Redis(redis) => redis.kill9(),
            Self::Nats(nats) => Self::nats(nats, RunningNats::kill),
        }
    }

    pub fn restart(&self) {
        match self {
            Self::Redis(redis) => redis.restart(),
            Self::Nats(nats) => Self::nats(nats, RunningNats::restart),
        }
    }

    pub fn freeze(&self) {
        match self {
            Self::Redis(redis) => redis.stop(),
            Self::Nats(nats) => Self::nats(nats, |nats| nats.freeze()),
        }
    }

    pub fn thaw(&self) {
        match self {
            Self::Redis(redis) => redis.cont(),
            Self::Nats(nats) => Self::nats(nats, |nats| nats.thaw()),
        }
    }

    /// Has a NATS server take other settings while it runs.
    pub fn reload(&self, server: NatsServer) {
        match self {
            Self::Redis(_) => panic!("this broker is no NATS"),
            Self::Nats(nats) => Self::nats(nats, |nats| nats.reload(server)),
        }
    }

    /// Clients that are connected to it.
    pub fn connections(&self) -> usize {
        match self {
            // Whoever asks is one too.
            Self::Redis(redis) => redis.must(&["CLIENT", "LIST"]).text().lines().count() - 1,
            Self::Nats(nats) => {
                let seen = Self::nats(nats, |nats| nats.monitor("/connz"));
                let count = seen["num_connections"].as_u64().expect("a number");
                usize::try_from(count).expect("a number of connections")
            }
        }
    }

    /// Connections of one node.
    pub fn connections_per_node(&self) -> usize {
        match self {
            Self::Redis(_) => 2,
            Self::Nats(_) => 1,
        }
    }
}

/// One node, and the network between it and the broker.
pub struct Node {
    pub server: Running,
    pub proxy: Proxy,
    binary: Server,
}

impl Node {
    fn start(broker: &Broker, store: &Store, change: impl Fn(Server) -> Server) -> Self {
        let proxy = Proxy::start(broker.port());
        let binary = probe()
            .shards(SHARDS.into())
            // So that a wait on a quiet stream looks at its own deadline now and then.
            .args(["--heartbeat-seconds", "5"])
            .args(["--broker-url", &broker.url(proxy.port())])
            .arg("--store")
            .arg(store.path());
        let binary = change(binary);
        Self {
            server: binary.start(),
            proxy,
            binary,
        }
    }

    pub fn client(&self) -> Client {
        self.server.client()
    }

    pub fn status(&self, path: &str) -> u16 {
        Client::without_cookies(self.server.port()).get(path).status
    }

    /// A number that the node counts, as one of its shards knows it: those of a moment ago.
    pub fn count(&self, what: &str) -> u64 {
        let page = Client::without_cookies(self.server.port()).get("/peers");
        let counts = element_text(page.text(), "counts").expect("the page shows its counts");
        number_in(&counts, what)
    }

    pub fn is_connected(&self) -> bool {
        self.server.health()["broker"]["connected"] == true
    }

    /// Waits until the node counts so many.
    pub fn wait_count(&self, what: &str, wanted: u64) {
        self.wait(what, wanted..=wanted);
    }

    pub fn wait_count_at_least(&self, what: &str, least: u64) {
        self.wait(what, least..=u64::MAX);
    }

    pub fn wait_connected(&self) {
        self.wait("connected", 1..=1);
    }

    pub fn wait_degraded(&self) {
        self.wait("connected", 0..=0);
    }

    /// Reads the stream of `/peers` until what that page tells is as wanted.
    fn wait(&self, what: &str, wanted: RangeInclusive<u64>) {
        let start = Instant::now();
        let page = Page::open(&self.client(), "/peers");
        let (mut counts, mut stream) = (page.text("counts"), page.stream());
        while !wanted.contains(&number_in(&counts, what)) {
            // Heartbeats come here too, so a quiet stream is no way around the limit.
            assert!(
                start.elapsed() < RECONNECT_DEADLINE,
                "waited in vain for {what}={wanted:?}; the node tells {counts:?}"
            );
            match stream.next_frame() {
                Some(Frame::Event(event)) if event.is_elements() => {
                    counts = element_text(&event.elements(), "counts").unwrap_or(counts);
                }
                Some(_) => {}
                None => panic!("the stream ended; the node tells {counts:?}"),
            }
        }
    }

    /// SIGKILL, and the next life on the same port.
    pub fn kill_and_restart(&mut self) {
        self.server.kill9();
        let port = self.server.port().to_string();
        self.server = self.binary.clone().args(["--port", &port]).start();
    }
}

/// The number behind `what` in lines of `name=number`.
fn number_in(counts: &str, what: &str) -> u64 {
    let line = counts
        .lines()
        .find_map(|line| line.strip_prefix(what)?.strip_prefix('='));
    line.and_then(|value| value.parse().ok())
        .unwrap_or_else(|| panic!("no {what} in {counts:?}"))
}

/// A broker with nodes.
pub struct Group {
    pub nodes: Vec<Node>,
    pub broker: Broker,
    store: Store,
}

impl Group {
    /// So many nodes, all connected.
    pub fn start(kind: Kind, nodes: usize) -> Self {
        Self::with(kind, nodes, |server| server)
    }

    /// The same, with more options.
    pub fn with(kind: Kind, nodes: usize, change: impl Fn(Server) -> Server) -> Self {
        let group = Self::at(Broker::start(kind), nodes, change);
        group.wait_acquainted();
        group
    }

    /// Nodes at this broker; they need not be connected yet.
    pub fn at(broker: Broker, nodes: usize, change: impl Fn(Server) -> Server) -> Self {
        let store = Store::new();
        let nodes = (0..nodes)
            .map(|_| Node::start(&broker, &store, &change))
            .collect();
        Self {
            nodes,
            broker,
            store,
        }
    }

    /// One more node, which is not among them.
    pub fn another(&self, change: impl Fn(Server) -> Server) -> Node {
        let node = Node::start(&self.broker, &self.store, change);
        node.wait_connected();
        node
    }

    pub fn store(&self) -> &Path {
        self.store.path()
    }

    pub fn wait_connected(&self) {
        for node in &self.nodes {
            node.wait_connected();
        }
    }

    /// All are connected, and each has heard all others.
    pub fn wait_acquainted(&self) {
        self.wait_connected();
        for node in &self.nodes {
            node.wait_count("peers", self.nodes.len() as u64 - 1);
        }
    }
}

/// A folder that goes when the test does.
pub struct Store(PathBuf);

impl Store {
    pub fn new() -> Self {
        static NUMBER: Mutex<u32> = Mutex::new(0);
        let number = {
            let mut number = NUMBER.lock().unwrap();
            *number += 1;
            *number
        };
        let name = format!("store-{}-{number}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).expect("cargo's folder for tests can be written to");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // What stays behind in cargo's folder for tests fails no test.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
