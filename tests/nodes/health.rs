//! What a node says of its link, and that its pages need none.

use autovia_testkit::{Client, Redis};

use crate::board::Board;
use crate::common::{noted, wait_noted};
use crate::stage::{Broker, Group, KINDS, Node, on_each};

fn statuses(node: &Node) -> [u16; 3] {
    ["/_health", "/_ready", "/_live"].map(|path| node.status(path))
}

#[test]
fn a_broker_that_goes_degrades_and_one_that_comes_back_mends() {
    on_each(&KINDS, |kind| {
        // Given two nodes, one of which is ready only with its link,
        let group = Group::start(kind, 2);
        let strict = group.another(|server| server.args(["--ready-when", "link"]));
        let mut board = Board::open(&group);
        assert_eq!(statuses(&group.nodes[0]), [200, 200, 200]);
        assert_eq!(statuses(&strict), [200, 200, 200]);
        let health = group.nodes[0].server.health();
        assert_eq!(health["status"], "ok");
        assert_eq!(health["broker"]["driver"], group.broker.driver());
        // when the broker is killed,
        group.broker.kill();
        for node in &group.nodes {
            node.wait_degraded();
            // then health says so, and pages are served all the same,
            assert_eq!(statuses(node), [503, 200, 200]);
            assert_eq!(node.server.health()["status"], "degraded");
        }
        strict.wait_degraded();
        assert_eq!(statuses(&strict), [503, 503, 200]);
        // with what is posted on their own node.
        for node in 0..2 {
            board.post(node);
            board.wait_own(node);
            wait_noted(&group.nodes[node].server, "broker error", 1);
        }
        // When it is back, each shows what the other posted meanwhile.
        group.broker.restart();
        board.wait_newest();
        group.wait_connected();
        strict.wait_connected();
        assert_eq!(statuses(&group.nodes[0]), [200, 200, 200]);
        assert_eq!(statuses(&strict), [200, 200, 200]);
    });
}

#[test]
fn a_broker_that_comes_later_is_found() {
    on_each(&KINDS, |kind| {
        // Given nodes that start without their broker,
        let broker = Broker::start(kind);
        broker.kill();
        let group = Group::at(broker, 2, |server| server);
        let mut board = Board::open(&group);
        for node in 0..2 {
            assert_eq!(statuses(&group.nodes[node]), [503, 200, 200]);
            board.post(node);
            board.wait_own(node);
            // when more than one attempt has failed,
            wait_noted(&group.nodes[node].server, "broker error", 2);
        }
        // and it comes,
        group.broker.restart();
        // then they meet, and what was posted before is shown.
        board.wait_newest();
        group.wait_acquainted();
    });
}

#[test]
fn a_hook_that_panics_harms_nothing() {
    on_each(&KINDS, |kind| {
        let group = Group::with(kind, 1, |server| server.arg("--hook-panics"));
        let node = &group.nodes[0];
        group.broker.kill();
        wait_noted(&node.server, "broker error", 2);
        node.server.wait_log("on_broker_error panicked");
        group.broker.restart();
        node.wait_connected();
        assert!(node.server.is_running());
    });
}

#[test]
fn no_secret_host_or_address_is_told() {
    const SECRET: &str = "geheim-4711";
    // Given a node with a password, which logs all it can,
    let broker = Broker::Redis(Redis::new().requirepass(SECRET).start());
    let group = Group::at(broker, 1, |server| {
        server
            .env("AUTOVIA_BROKER_PASSWORD", SECRET)
            .args(["--log-level", "trace"])
    });
    let node = &group.nodes[0];
    node.wait_connected();
    // when its login stops working, and works again,
    let redis = group.broker.redis();
    redis.must(&["CONFIG", "SET", "requirepass", "another"]);
    node.proxy.cut(autovia_testkit::Cut::Reset);
    wait_noted(
        &node.server,
        "broker error: the broker refused the login (WRONGPASS): check user name, password or token",
        1,
    );
    node.proxy.away();
    wait_noted(&node.server, "broker error", 3);
    let client = Client::without_cookies(node.server.port());
    let told: Vec<String> = ["/_health", "/_ready", "/log", "/peers"]
        .into_iter()
        .map(|path| client.get(path).text().to_owned())
        .chain(node.server.log())
        .collect();
    // then nothing that it says holds the password, nor, of the broker, host or port.
    let port = format!(":{}", node.proxy.port());
    for text in &told {
        assert!(!text.contains(SECRET), "{text}");
        let of_broker = text.contains("broker error") || text.contains("no link to the broker");
        assert!(
            !of_broker || !text.contains(&port) && !text.contains("127.0.0.1"),
            "{text}"
        );
    }
    assert!(noted(&node.server, "broker error") >= 3);
    node.server.wait_log("no link to the broker");
}
