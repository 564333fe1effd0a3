//! Which broadcasts reach the pages of other nodes, and which never leave theirs.

use autovia_testkit::Page;
use serde_json::{Value, json};

use crate::board::{Board, Watcher};
use crate::common::{file, noted};
use crate::spy::Spy;
use crate::stage::{Group, KINDS, Kind, on_each};

#[test]
fn what_a_node_posts_is_shown_on_every_shard_of_every_node() {
    on_each(&KINDS, |kind| {
        // Given three nodes,
        let group = Group::start(kind, 3);
        let mut board = Board::open(&group);
        let mut shelves = Watcher::on(&group.nodes[2], "/shelf/0");
        // when each posts,
        board.post_everywhere();
        // then all pages show all of it, by view and by load,
        board.wait_newest();
        for shelf in &mut shelves {
            shelf.wait_shows(board.newest(0));
        }
        // over one connection set per process.
        let connections = 3 * group.broker.connections_per_node();
        assert_eq!(group.broker.connections(), connections);
    });
}

#[test]
fn wildcards_routes_and_all_cross() {
    on_each(&KINDS, |kind| {
        let group = Group::start(kind, 2);
        let here = Watcher::on(&group.nodes[0], "/board/x");
        let mut there = Watcher::on(&group.nodes[1], "/board/x");
        for (number, action) in ["post-wild", "post-global", "post-route", "post"]
            .into_iter()
            .enumerate()
        {
            let text = format!("{number} by {action}");
            here[number % 2].act(action, text.as_str());
            for watcher in &mut there {
                watcher.shows_next(&text);
            }
        }
    });
}

#[test]
fn a_path_or_room_with_any_letters_crosses() {
    let group = Group::start(KINDS[0], 2);
    for path in [
        "/board/gr%C3%BC%C3%9Fe%20%E2%98%83",
        "/board/a%2Fb",
        "/board/%7Bid%7D",
    ] {
        let here = Watcher::on(&group.nodes[0], path).remove(0);
        let mut there = Watcher::on(&group.nodes[1], path).remove(0);
        for action in ["post", "post-route"] {
            let text = format!("{action} at {path}");
            here.act(action, text.as_str());
            there.shows_next(&text);
        }
    }
}

#[test]
fn a_tab_says_nothing_to_other_nodes() {
    on_each(&KINDS, |kind| {
        let group = Group::start(kind, 2);
        let mut spy = Spy::listen(&group.broker);
        let mut watcher = Watcher::on(&group.nodes[0], "/board/x").remove(0);
        // When a value of one tab changes, and after that a room,
        for _ in 0..3 {
            watcher.page.act("mine", Value::Null, Value::Null);
            watcher.stream.until(|event| event.is_signals());
        }
        watcher.act("post", "the room");
        // then the room is the first scope on the wire.
        let heard = spy.until(|json| json.get("scope").is_some());
        let last = heard.last().expect("the room is among them");
        assert!(last.starts_with("{\"scope\":\"board:x\""), "{heard:?}");
    });
}

#[test]
fn sessions_cross_under_one_key_as_a_hash() {
    let key = file("nodes-session-key", &format!("{}\n", "5a".repeat(32)));
    on_each(&KINDS, |kind| {
        // Given two nodes with one key, a browser with pages on both, and a stranger,
        let group = Group::with(kind, 2, |server| server.arg("--session-key-file").arg(&key));
        let mut spy = Spy::listen(&group.broker);
        let browser = group.nodes[0].client();
        let here = Page::open(&browser, "/board/x");
        let there = browser.at_port(group.nodes[1].server.port());
        let mut own = Watcher::open(Page::open(&there, "/own/x"));
        let mut strangers = Watcher::on(&group.nodes[1], "/own/x");
        // when the session is told on one node,
        here.act("post-session", json!(["for me"]), Value::Null);
        // then its page on the other node shows it,
        own.shows_next("for me");
        // and the strangers' don't.
        here.act("post-global", json!(["for all"]), Value::Null);
        for stranger in &mut strangers {
            stranger.shows_next("for all");
        }
        // The wire has a hash, not the id.
        let heard = spy.until(|json| json["scope"] == "global").concat();
        assert!(heard.contains("{\"scope\":\"session:"), "{heard}");
        let id = browser.cookie("via_session_id").expect("it has a session");
        assert!(
            !heard.contains(&id) && !heard.contains(&id[..16]),
            "{heard}"
        );
    });
}

#[test]
fn without_a_common_key_a_session_stays_on_its_node() {
    on_each(&KINDS, |kind| {
        let group = Group::start(kind, 2);
        let mut spy = Spy::listen(&group.broker);
        let here = Watcher::on(&group.nodes[0], "/board/x").remove(0);
        here.act("post-session", "for me");
        here.act("post-global", "for all");
        let heard = spy.until(|json| json.get("scope").is_some());
        let last = heard.last().expect("one has a scope");
        assert!(last.starts_with("{\"scope\":\"global\""), "{heard:?}");
        for node in &group.nodes {
            let told = node.server.log();
            let told = told
                .iter()
                .filter(|line| line.contains("--session-key-file"));
            assert_eq!(told.count(), 1);
        }
    });
}

#[test]
fn a_node_does_not_render_again_for_what_it_said_itself() {
    on_each(&KINDS, |kind| {
        let group = Group::start(kind, 2);
        let node = &group.nodes[0];
        let page = Page::open_on(&node.client(), "/room/x", 0);
        let mut stream = page.stream();
        let renders = || noted(&node.server, "render room x on 0");
        let before = renders();
        page.act("post", json!(["once"]), Value::Null);
        stream.until(|event| event.is_elements() && event.elements().contains("once"));
        // Its own word has come back.
        node.wait_count("published", 1);
        node.wait_count("waiting", 0);
        assert_eq!(renders(), before + 1);
    });
}

#[test]
fn apps_on_two_channels_of_one_broker_do_not_hear_each_other() {
    on_each(&KINDS, |kind| {
        let group = Group::start(kind, 2);
        let option = match kind {
            Kind::Redis => ["--broker-channel", "other:broadcast"],
            Kind::Nats => ["--broker-subject", "other.broadcast"],
        };
        let apart = group.another(|server| server.args(option));
        let mut watchers = Watcher::on(&apart, "/board/x");
        let here = Watcher::on(&group.nodes[0], "/board/x").remove(0);
        let mut there = Watcher::on(&group.nodes[1], "/board/x").remove(0);
        // When a node on the one channel posts,
        here.act("post", "on the one");
        there.wait_shows("on the one");
        // then the one on the other shows only what is said there.
        watchers[0].act("post", "on the other");
        for watcher in &mut watchers {
            watcher.shows_next("on the other");
        }
        assert_eq!((apart.count("peers"), apart.count("received")), (0, 0));
    });
}
