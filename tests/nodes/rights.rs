//! What an operator does to live links: connections that are ended, rights that are withdrawn, and a
//! name that moves to another server.

use autovia_testkit::{NatsServer, Proxy, Redis};

use crate::board::{Board, Watcher};
use crate::common::{eventually, probe, wait_noted};
use crate::stage::{Broker, Group, Kind, SHARDS, Store};

#[test]
fn the_operator_kills_the_subscriptions() {
    let group = Group::start(Kind::Redis, 2);
    let mut board = Board::open(&group);
    let redis = group.broker.redis();
    redis.must(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    board.post_everywhere();
    board.wait_newest();
    group.wait_connected();
    for node in &group.nodes {
        wait_noted(&node.server, "broker error", 1);
    }
}

/// Nodes with a user of their own, and the least rights.
fn with_least_rights() -> Group {
    let rights =
        "user node on >secret resetchannels &via:broadcast -@all +subscribe +publish +ping";
    let redis = Redis::new().acl(rights).start();
    let group = Group::at(Broker::Redis(redis), 2, |server| {
        server
            .env("AUTOVIA_BROKER_PASSWORD", "secret")
            .args(["--broker-username", "node"])
    });
    group.wait_acquainted();
    group
}

/// Withdraws a right from live links, then gives it back.
fn withdrawn(withdraw: &[&str], give_back: &[&str], told: &str) {
    let group = with_least_rights();
    let mut board = Board::open(&group);
    board.post_everywhere();
    board.wait_newest();
    let redis = group.broker.redis();
    redis.must(&[&["ACL", "SETUSER", "node"], withdraw].concat());
    for node in 0..2 {
        // Each finds out by itself, says why, and goes on with its own pages.
        group.nodes[node].wait_degraded();
        wait_noted(&group.nodes[node].server, told, 1);
        board.post(node);
        board.wait_own(node);
    }
    redis.must(&[&["ACL", "SETUSER", "node"], give_back].concat());
    board.wait_newest();
    group.wait_connected();
}

const NOT_RECEIVING: &str = "broker error: the broker denied a right for receiving (NOPERM): see the guide for the rights that are needed";
const NOT_PUBLISHING: &str = "broker error: the broker denied a right for publishing (NOPERM): see the guide for the rights that are needed";

#[test]
fn the_channel_is_withdrawn_from_live_links() {
    withdrawn(&["resetchannels"], &["&via:broadcast"], NOT_RECEIVING);
}

#[test]
fn publishing_is_withdrawn_from_live_links() {
    withdrawn(&["-publish"], &["+publish"], NOT_PUBLISHING);
}

/// A NATS server whose one user may publish on and subscribe to these subjects.
fn nats(publish: &str, subscribe: &str) -> NatsServer {
    let permissions =
        format!(", permissions: {{ publish: [\"{publish}\"], subscribe: [\"{subscribe}\"] }}");
    NatsServer::new().user("node", "secret", &permissions)
}

/// Takes a right away while links live, then gives it back.
fn withdrawn_at_nats(publish: &str, subscribe: &str, told: &str) {
    let server = nats("via.broadcast", "via.broadcast").start();
    let group = Group::at(Broker::Nats(server.into()), 2, |server| {
        server
            .env("AUTOVIA_BROKER_PASSWORD", "secret")
            .args(["--broker-username", "node"])
    });
    group.wait_acquainted();
    let mut board = Board::open(&group);
    board.post_everywhere();
    board.wait_newest();
    group.broker.reload(nats(publish, subscribe));
    for node in 0..2 {
        group.nodes[node].wait_degraded();
        wait_noted(&group.nodes[node].server, told, 1);
        board.post(node);
        board.wait_own(node);
    }
    group.broker.reload(nats("via.broadcast", "via.broadcast"));
    board.wait_newest();
    group.wait_connected();
}

#[test]
fn the_subject_is_withdrawn_from_live_links() {
    withdrawn_at_nats(
        "via.broadcast",
        "another",
        "broker error: the broker denied a right for receiving (Permissions Violation): see the guide for the rights that are needed",
    );
}

#[test]
fn publishing_on_the_subject_is_withdrawn_from_live_links() {
    withdrawn_at_nats(
        "another",
        "via.broadcast",
        "broker error: the broker denied a right for publishing (Permissions Violation): see the guide for the rights that are needed",
    );
}

#[test]
fn the_name_moves_to_another_server() {
    // Given two nodes that know their broker by a name, which is the first server's,
    let (first, second) = (Redis::new().start(), Redis::new().start());
    let store = Store::new();
    let hosts = store.path().join("hosts");
    let point_at = |proxy: &Proxy| {
        std::fs::write(&hosts, format!("127.0.0.1:{}", proxy.port())).expect("it can be written")
    };
    let proxies = [&first, &second].map(|redis| Proxy::start(redis.port()));
    point_at(&proxies[0]);
    let start = || {
        let by_name = format!("resolver={}", hosts.display());
        probe()
            .shards(SHARDS.into())
            .args(["--app-broker", &by_name, "--heartbeat-seconds", "5"])
            .arg("--store")
            .arg(store.path())
            .start()
    };
    let nodes = [start(), start()];
    let page = |node: usize| {
        let page = autovia_testkit::Page::open(&nodes[node].client(), "/board/x");
        Watcher::open(page)
    };
    let (here, mut there) = (page(0), page(1));
    for node in &nodes {
        eventually("a link", || {
            (node.health()["broker"]["connected"] == true).then_some(())
        });
    }
    here.act("post", "at the first");
    there.wait_shows("at the first");
    // when the first dies, the name has no address for a while, and then is the second's,
    std::fs::write(&hosts, "").expect("it can be written");
    proxies[0].away();
    let unresolved = "broker error: the broker's name could not be resolved: check --broker-url and the resolver";
    for node in &nodes {
        wait_noted(node, unresolved, 1);
    }
    here.act("post", "in between");
    point_at(&proxies[1]);
    // then both meet there.
    there.wait_shows("in between");
    here.act("post", "at the second");
    there.wait_shows("at the second");
    second.wait_subscribers("via:broadcast", 2);
}
