//! Shared signals: who may write them, who hears of it, how long they live, and a full table.

mod common;
mod pages;

use autovia_testkit::{Client, Page, Running, Stream};
use common::{SHARDS, eventually, failure, probe};
use pages::{click, contexts, probe_with, sets, shows, small, until_value};
use serde_json::{Value, json};

#[test]
fn an_equal_value_is_no_broadcast() {
    for shards in SHARDS {
        // Given viewers of one value on every shard.
        let server = probe_with(shards);
        let viewers = Page::one_per_shard(server.port(), "/global", small(shards));
        let mut streams: Vec<Stream> = viewers.iter().map(Page::stream).collect();
        // When it is set to what it is, then nobody hears of it,
        click(&viewers[0], "same", json!([]));
        click(&viewers[shards - 1], "same", json!([]));
        click(&viewers[0], "add", json!([]));
        // up to the first real change.
        for (n, stream) in streams.iter_mut().enumerate() {
            if n == 0 {
                // Who clicked gets its own value beside the shared one.
                until_value(stream, "total", 1);
            } else {
                let first = stream.next_event();
                assert!(sets(&first, "total", 1), "{first:?}");
            }
        }
    }
}

#[test]
fn browsers_write_a_shared_input_for_all_members_of_its_scope() {
    for shards in SHARDS {
        // Given two tabs of one browser and a tab of another.
        let server = probe_with(shards);
        let browser = server.client();
        let mine = Page::open(&browser, "/session");
        let sibling = Page::open(&browser, "/session");
        let stranger = Page::open(&server.client(), "/session");
        let (mut beside, mut foreign) = (sibling.stream(), stranger.stream());
        // When one tab types a topic, then the other tab of its session gets it,
        let typed = json!({ "topic": "shards" });
        assert_eq!(mine.act("touch", Value::Null, typed).status, 200);
        beside.until(|event| sets(event, "topic", "shards"));
        // a later one too, and the other browser doesn't.
        assert_eq!(Page::open(&browser, "/session").signals["topic"], "shards");
        assert_eq!(stranger.signals["topic"], "none");
        click(&stranger, "rename", json!(["Bob"]));
        let events = foreign.collect_until(|event| shows(event, "Bob"));
        assert!(!format!("{events:?}").contains("shards"), "{events:?}");
        // What is not of its type is refused.
        let wrong = json!({ "topic": 5 });
        assert_eq!(mine.act("touch", Value::Null, wrong).status, 422);
    }
}

#[test]
fn a_shared_value_above_the_limit_is_told_by_name_size_and_option() {
    for shards in [1, 2] {
        let server = probe_with(shards);
        let page = Page::open(&server.client(), "/note/long");
        let mut stream = page.stream();
        let response = page.act("write", json!(["x".repeat(255)]), Value::Null);
        assert_eq!(response.status, 500);
        let text = failure(&mut stream)["text"].as_str().unwrap().to_owned();
        for part in ["`note`", "257", "256", "--shared-value-bytes"] {
            assert!(text.contains(part), "{text}");
        }
        click(&page, "write", json!(["x".repeat(254)]));
        stream.until(|event| sets(event, "note", "x".repeat(254)));
    }
}

/// A server on which a page that is left is soon gone, with room for eight shared signals.
fn small_table(shards: usize) -> Running {
    probe()
        .shards(shards)
        .args(["--shared-rows", "8"])
        .args(["--away-seconds", "1", "--park-seconds", "0"])
        .start()
}

fn wait_until_all_are_gone(server: &Running) {
    eventually("all pages to be gone", || {
        (contexts(server) == 0).then_some(())
    });
}

/// A page of the room with its stream.
fn enter(server: &Running, room: &str) -> (Page, Stream) {
    let page = Page::open(&server.client(), &format!("/note/{room}"));
    let stream = page.stream();
    (page, stream)
}

#[test]
fn the_last_member_of_a_room_frees_its_rows() {
    for shards in SHARDS {
        let server = small_table(shards);
        for round in 0..3 {
            // Given as many rooms as there are rows, with two members each,
            let rooms: Vec<_> = (0..8)
                .flat_map(|room| [room, room])
                .map(|room| enter(&server, &format!("r{round}-{room}")))
                .collect();
            for (page, _) in &rooms {
                click(page, "write", json!(["somebody"]));
            }
            // when all have left, then other rooms have the rows.
            drop(rooms);
            wait_until_all_are_gone(&server);
        }
        // A room that was left begins anew.
        let (page, mut stream) = enter(&server, "r0-0");
        assert_eq!(page.signals["note"], "");
        click(&page, "write", json!(["again"]));
        stream.until(|event| sets(event, "note", "again"));
        assert!(
            !server.log().iter().any(|line| line.contains("got no row")),
            "{:?}",
            server.log()
        );
    }
}

#[test]
fn a_full_table_is_told_and_stops_no_page() {
    for shards in [1, 2] {
        let server = small_table(shards);
        // Given a table of which six of eight rows are used: all is quiet.
        let mut rooms: Vec<_> = (0..6).map(|n| enter(&server, &format!("r{n}"))).collect();
        assert!(!server.log().iter().any(|line| line.contains("80 %")));
        // When the seventh comes, then the log warns once, with the option that makes room.
        rooms.push(enter(&server, "r6"));
        let line = server.wait_log("80 %");
        assert!(
            line.contains("WARN") && line.contains("--shared-rows"),
            "{line}"
        );
        rooms.push(enter(&server, "r7"));
        // When a ninth room is opened, then its page is there, with the value's beginning,
        let (ninth, mut ninth_stream) = enter(&server, "r8");
        assert_eq!(ninth.signals["note"], "");
        // and who writes the value is told what is full, and how to make room.
        let response = ninth.act("write", json!(["hello"]), Value::Null);
        assert_eq!(response.status, 500);
        let text = failure(&mut ninth_stream)["text"]
            .as_str()
            .unwrap()
            .to_owned();
        for part in ["`note`", "8", "--shared-rows"] {
            assert!(text.contains(part), "{text}");
        }
        // The others work on.
        let (page, stream) = &mut rooms[0];
        click(page, "write", json!(["still here"]));
        stream.until(|event| sets(event, "note", "still here"));
        // And once somebody has left, there is room for the next.
        drop((rooms, ninth, ninth_stream));
        wait_until_all_are_gone(&server);
        let (page, mut stream) = enter(&server, "r9");
        click(&page, "write", json!(["room"]));
        stream.until(|event| sets(event, "note", "room"));
    }
}

#[test]
fn values_of_routes_and_sessions_outlive_their_pages() {
    for shards in SHARDS {
        let server = probe()
            .shards(shards)
            .args(["--render-seconds", "3"])
            .start();
        // Given values that pages left behind,
        let browser = server.client();
        click(&Page::open(&browser, "/route/x"), "visit", json!([]));
        click(&Page::open(&browser, "/global"), "add", json!([]));
        click(&Page::open(&browser, "/session"), "rename", json!(["Ada"]));
        // when all of those are gone,
        wait_until_all_are_gone(&server);
        // then the route's and the global value are there for everybody,
        for _ in 0..shards * 2 {
            let anybody = Client::new(server.port());
            assert_eq!(Page::open(&anybody, "/route/x").signals["visits"], 1);
            assert_eq!(Page::open(&anybody, "/global").signals["total"], 1);
            assert_eq!(
                Page::open(&anybody, "/session").signals["name"],
                "Anonymous"
            );
            // and the session's for its own browser.
            assert_eq!(Page::open(&browser, "/session").signals["name"], "Ada");
        }
    }
}
