//! The corners of the life of a page: what must not move it on, what comes too late, and the
//! shortest lives.

mod common;
mod pages;

use autovia_testkit::{Client, Page, Running, Stream};
use common::{SHARDS, eventually, file, noted, probe, wait_noted};
use pages::{
    click, contexts, post_to_all_rooms, probe_with, sets, shows, small, streams, wait_streams,
};
use serde_json::{Value, json};

/// Connect, disconnect and clean-up hooks that ran so far.
fn hooks(server: &Running) -> [u64; 3] {
    ["connect", "disconnect", "cleanup"].map(|hook| noted(server, hook))
}

/// Waits until the server has seen a stream end, however it is ended.
fn see_end(server: &Running, end: impl FnOnce()) {
    let open = streams(server);
    end();
    wait_streams(server, open - 1);
}

/// Runs a test that mostly waits with each number of shards, all at the same time.
fn at_once(test: impl Fn(usize) + Sync) {
    std::thread::scope(|scope| {
        for shards in SHARDS {
            let test = &test;
            scope.spawn(move || test(shards));
        }
    });
}

#[test]
fn streaming_lasts_as_long_as_the_last_stream() {
    at_once(|shards| {
        // Given a page with two streams, and another one with one,
        let server = probe().shards(shards).args(["--away-seconds", "1"]).start();
        let (page, other) = (
            Page::open(&server.client(), "/hooks"),
            Page::open(&server.client(), "/hooks"),
        );
        let (first, mut second, lonely) = (page.stream(), page.stream(), other.stream());
        wait_noted(&server, "connect", 2);
        // when one stream of each ends, then only the page without any leaves,
        see_end(&server, || drop(first));
        see_end(&server, || drop(lonely));
        wait_noted(&server, "disconnect", 1);
        click(&page, "add", json!([]));
        second.until(|event| sets(event, "count", 1));
        assert_eq!(hooks(&server), [2, 1, 0]);
        assert_eq!(Page::open(&server.client(), "/hooks").signals["present"], 1);
        // and the first one with its last.
        see_end(&server, || drop(second));
        wait_noted(&server, "disconnect", 2);
    });
}

#[test]
fn away_it_is_however_its_stream_ended() {
    for shards in SHARDS {
        let server = probe_with(shards);
        let page = Page::open(&server.client(), "/hooks");
        let mut stream = page.stream();
        stream.until(|event| sets(event, "present", 1));
        // Given a stream that ends in order or by a reset,
        let ends: [fn(Stream); 2] = [drop, Stream::reset];
        for (end, count) in ends.into_iter().cycle().take(4).zip(1..) {
            let newest = stream.last_event_id().map(str::to_owned);
            see_end(&server, || end(stream));
            // when the page changes and comes back, then it has all, and no hook ran.
            click(&page, "add", json!([]));
            stream = page.reopen(newest.as_deref());
            stream.until(|event| sets(event, "count", count));
        }
        assert_eq!(hooks(&server), [1, 0, 0]);
    }
}

/// Leaves a page in room a, has its room change three times and asserts that this only marks it.
fn assert_only_marked(
    server: &Running,
    page: &Page,
    stream: Stream,
    shards: usize,
    gone: impl Fn(),
) -> Stream {
    let renders = || noted(server, &format!("render room a on {}", shards - 1));
    see_end(server, || drop(stream));
    gone();
    let before = renders();
    post_to_all_rooms(server, small(shards - 1));
    // Nothing was rendered for it meanwhile, and all of it once when it is back.
    assert_eq!(renders(), before);
    let mut stream = page.reopen(None);
    stream.until(|event| shows(event, "hello"));
    assert_eq!(renders(), before + 1);
    stream
}

#[test]
fn away_or_parked_it_is_only_marked_by_broadcasts() {
    at_once(|shards| {
        for away in ["30", "1"] {
            let server = probe()
                .shards(shards)
                .args(["--away-seconds", away])
                .start();
            let page = Page::open_on(&server.client(), "/room/a", small(shards - 1));
            let parked = || {
                if away == "1" {
                    wait_noted(&server, "left room a", 1);
                }
            };
            let stream = assert_only_marked(&server, &page, page.stream(), shards, parked);
            drop(stream);
        }
    });
}

#[test]
fn a_close_beacon_is_forgotten_when_the_page_comes_back() {
    at_once(|shards| {
        // Given a page that said that it leaves, and came back (back/forward cache),
        let server = probe_with(shards);
        let open = || Page::open(&server.client(), "/hooks");
        let (back, left, never) = (open(), open(), open());
        let (first, last) = (back.stream(), left.stream());
        wait_noted(&server, "connect", 2);
        assert_eq!(back.close_beacon().status, 200);
        see_end(&server, || drop(first));
        let again = back.reopen(None);
        // and one that did so before its stream was open, and one that said so last and left,
        assert_eq!(never.close_beacon().status, 200);
        assert_eq!(left.close_beacon().status, 200);
        see_end(&server, || drop(last));
        // when the last one is no longer present, then the first one is, also if it is hidden now.
        see_end(&server, || drop(again));
        wait_noted(&server, "disconnect", 1);
        wait_noted(&server, "cleanup", 1);
        assert_eq!(hooks(&server), [2, 1, 1]);
        let refused = never.try_stream(None).err().expect("it is gone");
        assert_eq!(refused.status, 410);
        let mut stream = back.reopen(None);
        stream.until(|event| sets(event, "present", 1));
        assert_eq!(hooks(&server), [2, 1, 1]);
    });
}

#[test]
fn parked_pages_are_bounded_on_every_shard() {
    at_once(|shards| {
        // Given a server that keeps two parked pages per shard, when three are left on one shard,
        let bound = (2 * shards).to_string();
        let server = probe()
            .shards(shards)
            .args(["--away-seconds", "1", "--parked-max", &bound])
            .start();
        let mut left = Vec::new();
        for n in 1..=3 {
            let page = Page::open_on(&server.client(), "/hooks", small(shards - 1));
            let mut stream = page.stream();
            click(&page, "add", json!([]));
            stream.until(|event| sets(event, "count", 1));
            see_end(&server, || drop(stream));
            wait_noted(&server, "disconnect", n);
            left.push(page);
        }
        // then the oldest is gone, and the others come back with their values.
        wait_noted(&server, "cleanup", 1);
        let refused = left[0].try_stream(None).err().expect("it is gone");
        assert_eq!(refused.status, 410);
        for page in &left[1..] {
            let mut stream = page.reopen(None);
            stream.until(|event| sets(event, "count", 1));
        }
        assert_eq!(hooks(&server), [5, 3, 1]);
    });
}

#[test]
fn without_parking_it_is_gone_when_it_is_no_longer_present() {
    at_once(|shards| {
        let server = probe()
            .shards(shards)
            .args(["--away-seconds", "1", "--park-seconds", "0"])
            .args(["--render-seconds", "5"])
            .start();
        let page = Page::open(&server.client(), "/hooks");
        let stream = page.stream();
        wait_noted(&server, "connect", 1);
        see_end(&server, || drop(stream));
        wait_noted(&server, "cleanup", 1);
        assert_eq!(hooks(&server), [1, 1, 1]);
        eventually("no context", || (contexts(&server) == 0).then_some(()));
    });
}

#[test]
fn gone_is_gone_whoever_asks_and_however_often() {
    at_once(|shards| {
        // Given a page that is gone,
        let server = probe()
            .shards(shards)
            .args(["--render-seconds", "1"])
            .start();
        let page = Page::open(&server.client(), "/hooks");
        wait_noted(&server, "cleanup", 1);
        for _ in 0..3 {
            // when its stream or an action is asked for, again and again, then it is a 410,
            let refused = page.try_stream(Some("1")).err().expect("no stream");
            assert_eq!((refused.status, refused.text().lines().count()), (410, 1));
            let refused = page.act("add", Value::Null, Value::Null);
            assert_eq!((refused.status, refused.text().lines().count()), (410, 1));
            // and a late beacon counts for nothing.
            assert_eq!(page.close_beacon().status, 200);
        }
        assert_eq!(hooks(&server), [0, 0, 1]);
        eventually("no context", || (contexts(&server) == 0).then_some(()));
    });
}

#[test]
fn a_page_of_another_node_is_gone_here() {
    for shards in SHARDS {
        // Given two servers that know the same sessions, and a page of the first one,
        let keys = file(
            &format!("nodes-{shards}.keys"),
            &format!("{}\n", "5e".repeat(32)),
        );
        let node = || {
            let server = probe().shards(shards).arg("--session-key-file").arg(&keys);
            server.start()
        };
        let (here, there) = (node(), node());
        let page = Page::open(&there.client(), "/hooks");
        let mut stream = page.stream();
        // when the same browser asks the second one for it,
        let browser: Client = page.client.at_port(here.port());
        let origin = browser.origin();
        assert_eq!(browser.get(&page.stream_path()).status, 410);
        let body = json!({ "via_ctx": page.context }).to_string();
        let refused = browser.post("/_action/add", &[("Origin", &origin)], body);
        assert_eq!(refused.status, 410);
        // then its session is known there,
        Page::open(&browser, "/hooks");
        assert_eq!(
            browser.cookie("via_session_id"),
            page.client.cookie("via_session_id")
        );
        // and the page lives on where it is.
        click(&page, "add", json!([]));
        stream.until(|event| sets(event, "count", 1));
    }
}
