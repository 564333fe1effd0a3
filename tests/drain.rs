//! SIGTERM and SIGINT: nothing new is taken, actions finish, streams are told to come back at
//! different times, and the process ends with 0, also when something doesn't want to end.

mod common;

use std::collections::BTreeSet;

use autovia_testkit::{Client, Connection, Page, Running};
use common::{SHARDS, eventually, probe, wait_noted};
use serde_json::json;

/// Sends a click and leaves its answer for later.
fn click(page: &Page, name: &str, argument: u32) -> Connection {
    let mut connection = page.client.connect();
    connection
        .write(&page.action(name).arguments(json!([argument])).bytes())
        .expect("the server takes the click");
    connection
}

fn assert_left(server: &Running, how: &str) {
    server.wait_log(how);
    assert_eq!(server.wait_exit().code(), Some(0), "{:?}", server.log());
    assert!(!server.is_running());
}

#[test]
fn actions_finish_and_streams_are_told_to_come_back() {
    for shards in SHARDS {
        // Given a page on each shard, with a stream, and one with an action in hand and one that waits,
        let server = probe().shards(shards).start();
        let pages = Page::one_per_shard(
            server.port(),
            "/failures",
            u16::try_from(shards).expect("few shards"),
        );
        let streams: Vec<_> = pages.iter().map(Page::stream).collect();
        let busy = &pages[shards - 1];
        let mut running = click(busy, "slow", 1500);
        wait_noted(&server, "slow started", 1);
        let mut waiting = click(busy, "ok", 0);
        // The click is with its page once a later one, on the same page, has been worked on.
        assert_eq!(busy.act("beside", json!([]), json!(null)).status, 200);

        // when it is asked to leave,
        server.ask_to_stop();

        // then every stream gets a pause to come back after, and ends,
        let mut pauses = BTreeSet::new();
        for mut stream in streams {
            let events = stream.rest();
            let last = events.last().expect("a stream says good-bye");
            let pause = last.retry.expect("it says when to come back");
            assert!((500..=5000).contains(&pause), "{last:?}");
            pauses.insert(pause);
        }
        assert!(
            pauses.len() > 1 || shards == 1,
            "all come back at once: {pauses:?}"
        );
        // nobody new is let in,
        eventually("a refused connection", || {
            let fresh = Client::without_cookies(server.port());
            fresh.try_request("GET", "/_health", &[], b"").err()
        });
        // and what was asked for before is finished, also what waited.
        for click in [&mut running, &mut waiting] {
            let outcome = click.response(false).expect("the outcome arrives");
            assert_eq!(outcome.status, 200);
        }
        assert_left(&server, "left in order");
    }
}

#[test]
fn an_idle_server_leaves_at_once_on_either_signal() {
    for shards in SHARDS {
        let server = probe().shards(shards).start();
        let kept = server.client();
        assert_eq!(kept.get("/_health").status, 200);
        server.interrupt();
        assert_left(&server, "left in order");

        let server = probe().shards(shards).start();
        server.ask_to_stop();
        assert_left(&server, "left in order");
    }
}

#[test]
fn what_does_not_end_in_time_is_cut_off() {
    // Given an action that waits for ever, when the time to drain is over, then the server leaves anyway.
    let server = probe().shards(2).args(["--drain-seconds", "1"]).start();
    let page = Page::open(&server.client(), "/failures");
    let _held = click(&page, "hold", 0);
    wait_noted(&server, "held", 1);
    server.ask_to_stop();
    assert_left(&server, "--drain-seconds are over");
}

#[test]
fn a_second_signal_does_not_wait() {
    let server = probe().shards(2).args(["--drain-seconds", "600"]).start();
    let page = Page::open(&server.client(), "/failures");
    let _held = click(&page, "hold", 0);
    wait_noted(&server, "held", 1);
    server.ask_to_stop();
    server.wait_log("leaving");
    server.interrupt();
    assert_left(&server, "asked a second time");
}

#[test]
fn draining_for_long_is_no_hang() {
    // Given an action that runs longer than a shard may hang, when the server drains,
    let server = probe()
        .shards(2)
        .args(["--hang-seconds", "1", "--drain-seconds", "60"])
        .start();
    let page = Page::open(&server.client(), "/failures");
    let mut running = click(&page, "slow", 3000);
    wait_noted(&server, "slow started", 1);
    server.ask_to_stop();
    // then it waits for the action.
    let outcome = running.response(false).expect("the outcome arrives");
    assert_eq!(outcome.status, 200);
    assert_left(&server, "left in order");
}
