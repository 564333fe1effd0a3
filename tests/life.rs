//! The life of a page: rendered, streaming, away, parked, gone. One test per cell of the table, on
//! the real server, with the hooks counted.

mod common;
mod pages;

use autovia_testkit::{Client, Event, Page, Running, Server, Stream};
use common::{SHARDS, eventually, noted, probe, wait_noted};
use pages::{
    click, contexts, post_to_all_rooms, probe_with, sets, shows, small, until_value, wait_streams,
};
use serde_json::{Value, json};

/// A server on which some of the waits are one second.
fn quick(shards: usize, options: &[&str]) -> Server {
    let seconds = options.iter().flat_map(|option| [*option, "1"]);
    probe().shards(shards).args(seconds)
}

/// Connect, disconnect and clean-up hooks that ran so far.
fn hooks(server: &Running) -> [u64; 3] {
    ["connect", "disconnect", "cleanup"].map(|hook| noted(server, hook))
}

/// Ends a stream and waits until the server has seen it.
fn leave(server: &Running, stream: Stream) {
    let open = pages::streams(server);
    drop(stream);
    wait_streams(server, open - 1);
}

fn assert_gone(page: &Page) {
    let refused = page.try_stream(None).err().expect("no stream");
    assert_eq!(refused.status, 410, "{refused:?}");
    assert_eq!(page.act("add", Value::Null, Value::Null).status, 410);
}

/// Asserts that a stream begins with nothing: a click of its own page is what it gets first.
fn assert_begins_silent(page: &Page, stream: &mut Stream, count: u64) {
    stream.assert_silent_until(
        || click(page, "add", json!([])),
        |event| sets(event, "count", count),
    );
}

/// Reads a full sync, which is elements and then values, and gives the values.
fn full_sync(stream: &mut Stream) -> Value {
    let elements = stream.next_event();
    assert!(elements.is_elements(), "{elements:?}");
    let values = stream.next_event();
    assert!(values.is_signals(), "{values:?}");
    values.signals()
}

#[test]
fn rendered_and_gone_when_no_stream_opens() {
    for shards in SHARDS {
        let server = quick(shards, &["--render-seconds"]).start();
        // Given a page that was answered, when no stream opens in time,
        let page = Page::open(&server.client(), "/hooks");
        assert_eq!(contexts(&server), 1);
        wait_noted(&server, "cleanup", 1);
        // then it is gone, without having been present.
        assert_gone(&page);
        assert_eq!(hooks(&server), [0, 0, 1]);
    }
}

#[test]
fn rendered_and_only_marked_by_broadcasts() {
    for shards in SHARDS {
        // Given a page in room a that has no stream yet,
        let server = probe_with(shards);
        let page = Page::open_on(&server.client(), "/room/a", small(shards - 1));
        let renders = || noted(&server, &format!("render room a on {}", shards - 1));
        let before = renders();
        // when the room is broadcast by a page elsewhere, again and again,
        post_to_all_rooms(&server, small(shards - 1));
        // then nothing was rendered for it,
        assert_eq!(renders(), before);
        // and its stream begins with all of it.
        let mut stream = page.stream();
        stream.until(|event| shows(event, "3: hello"));
        assert_eq!(renders(), before + 1);
    }
}

#[test]
fn streaming_begins_with_nothing_when_nothing_changed() {
    for shards in SHARDS {
        let server = probe_with(shards);
        // Given a page, when its stream opens, then it gets nothing up to its first change.
        let page = Page::open(&server.client(), "/");
        let mut stream = page.stream();
        assert_begins_silent(&page, &mut stream, 1);
    }
}

#[test]
fn streaming_begins_with_all_when_something_changed_since_the_page() {
    for shards in SHARDS {
        let server = probe_with(shards);
        // Given a page that changed before its stream opened,
        let page = Page::open(&server.client(), "/");
        click(&page, "add", json!([]));
        // then the stream begins with elements and then values,
        let values = full_sync(&mut page.stream());
        assert_eq!(values["count"], 1);
        // but not with inputs that the server never wrote: what is typed there is newer.
        assert!(values.get("step").is_none(), "{values}");
        // One that the server wrote comes along.
        let page = Page::open(&server.client(), "/take");
        click(&page, "fill", json!([]));
        let values = full_sync(&mut page.stream());
        assert_eq!(values["draft"], "filled");
    }
}

#[test]
fn reopened_with_the_newest_id_it_gets_nothing_and_with_another_all() {
    for shards in SHARDS {
        let server = probe_with(shards);
        let page = Page::open(&server.client(), "/");
        let mut stream = page.stream();
        click(&page, "add", json!([]));
        stream.until(|event| sets(event, "count", 1));
        let older = stream.last_event_id().expect("events have ids").to_owned();
        click(&page, "add", json!([]));
        stream.until(|event| sets(event, "count", 2));
        let newest = stream.last_event_id().expect("events have ids").to_owned();
        leave(&server, stream);
        // Reopened by who has seen the newest event: nothing.
        let mut stream = page.reopen(Some(&newest));
        assert_begins_silent(&page, &mut stream, 3);
        leave(&server, stream);
        // By who has seen an older one, or none, or one that never was: all.
        for seen in [Some(older.as_str()), None, Some("999999"), Some("x")] {
            let mut stream = page.reopen(seen);
            let values = full_sync(&mut stream);
            assert_eq!(values["count"], 3, "{seen:?}");
            assert!(values.get("step").is_none(), "{values}");
            leave(&server, stream);
        }
    }
}

#[test]
fn reopened_before_the_old_stream_is_seen_to_end_it_gets_nothing_either() {
    for shards in SHARDS {
        let server = probe_with(shards);
        // Given a browser that has the newest event and whose network was lost without a word,
        let page = Page::open(&server.client(), "/");
        let mut lost = page.stream();
        click(&page, "add", json!([]));
        lost.until(|event| sets(event, "count", 1));
        // when it opens its stream again while the server still holds the old one,
        let newest = lost.last_event_id().expect("events have ids").to_owned();
        let mut stream = page.reopen(Some(&newest));
        // then it gets nothing up to the next change.
        assert_begins_silent(&page, &mut stream, 2);
        // A duplicate that has seen nothing gets all.
        assert_eq!(full_sync(&mut page.stream())["count"], 2);
    }
}

#[test]
fn away_it_stays_present_and_comes_back_with_what_it_missed() {
    for shards in SHARDS {
        let server = probe_with(shards);
        // Given a page that is away,
        let page = Page::open(&server.client(), "/hooks");
        let mut stream = page.stream();
        stream.until(|event| sets(event, "present", 1));
        let newest = stream.last_event_id().map(str::to_owned);
        leave(&server, stream);
        // when it changes meanwhile,
        click(&page, "add", json!([]));
        let mut other = Page::open(&server.client(), "/hooks").stream();
        other.until(|event| sets(event, "present", 2));
        // then it comes back to all of it, and no hook ran for its absence.
        let values = full_sync(&mut page.reopen(newest.as_deref()));
        assert_eq!(values["count"], 1);
        assert_eq!(values["present"], 2, "it counted itself all the time");
        assert_eq!(hooks(&server), [2, 0, 0]);
    }
}

#[test]
fn away_too_long_it_is_parked_and_comes_back_as_it_was() {
    for shards in SHARDS {
        let server = quick(shards, &["--away-seconds"]).start();
        let page = Page::open(&server.client(), "/hooks");
        let mut stream = page.stream();
        for count in 1..=3 {
            click(&page, "add", json!([]));
            stream.until(|event| sets(event, "count", count));
        }
        // Given a page whose stream ended, when the time is over,
        leave(&server, stream);
        wait_noted(&server, "disconnect", 1);
        // then it is no longer present, and still held.
        let fresh = Page::open(&server.client(), "/hooks");
        assert_eq!(fresh.signals["present"], 0);
        assert_eq!(hooks(&server), [1, 1, 0]);
        // It can even act, and comes back with its values, present again.
        click(&page, "add", json!([]));
        let mut stream = page.reopen(None);
        let events = stream.collect_until(|event| sets(event, "present", 1));
        assert!(
            events.iter().any(|event| sets(event, "count", 4)),
            "{events:?}"
        );
        wait_noted(&server, "connect", 2);
        assert_eq!(hooks(&server), [2, 1, 0]);
        // And once more.
        leave(&server, stream);
        wait_noted(&server, "disconnect", 2);
        page.reopen(None);
        wait_noted(&server, "connect", 3);
    }
}

#[test]
fn parked_unchanged_it_comes_back_to_nothing() {
    for shards in SHARDS {
        let server = quick(shards, &["--away-seconds"]).start();
        // Given a parked page of which the browser has the newest state (it has no hooks that
        // change it), when it comes back, then its DOM is right and nothing is sent.
        let page = Page::open(&server.client(), "/hooks-fail");
        let mut stream = page.stream();
        click(&page, "add", json!([]));
        stream.until(|event| sets(event, "count", 1));
        let newest = stream.last_event_id().map(str::to_owned);
        leave(&server, stream);
        server.wait_log("a disconnect hook fails");
        let mut stream = page.reopen(newest.as_deref());
        assert_begins_silent(&page, &mut stream, 2);
    }
}

#[test]
fn parked_too_long_it_is_gone() {
    for shards in SHARDS {
        let server = quick(shards, &["--away-seconds", "--park-seconds"]).start();
        let page = Page::open(&server.client(), "/hooks");
        let stream = page.stream();
        wait_noted(&server, "connect", 1);
        // Given a page whose stream ended, when both times are over,
        leave(&server, stream);
        wait_noted(&server, "cleanup", 1);
        // then it is gone for streams and actions, and each hook ran once.
        assert_gone(&page);
        assert_eq!(hooks(&server), [1, 1, 1]);
        let fresh = Page::open(&server.client(), "/hooks");
        assert_eq!(fresh.signals["present"], 0);
    }
}

#[test]
fn a_close_beacon_of_its_owner_shortens_the_absence() {
    for shards in SHARDS {
        // Given a server that waits for absent pages for long (30 s), and two pages.
        let server = probe_with(shards);
        let (mine, other) = (
            Page::open(&server.client(), "/hooks"),
            Page::open(&server.client(), "/hooks"),
        );
        let streams = [mine.stream(), other.stream()];
        wait_noted(&server, "connect", 2);
        // When one browser says that it leaves, then its page is soon no longer present,
        // whether the beacon or the end of the stream comes first.
        let beacon_first = shards == 1;
        let beacon = || assert_eq!(mine.close_beacon().status, 200);
        if beacon_first {
            beacon();
        }
        for stream in streams {
            leave(&server, stream);
        }
        if !beacon_first {
            beacon();
        }
        // A stranger's beacon for the other page is answered and counts for nothing.
        let stranger = Page::open(&server.client(), "/");
        let origin = stranger.client.origin();
        let answer = stranger.client.post(
            "/_session/close",
            &[("Origin", &origin), ("Content-Type", "text/plain")],
            &other.context,
        );
        assert_eq!(answer.status, 200, "the answer tells nothing");
        wait_noted(&server, "disconnect", 1);
        let mut stream = other.reopen(None);
        stream.until(|event| sets(event, "present", 1));
        assert_eq!(hooks(&server), [2, 1, 0], "the other page never left");
        // And who said that it leaves can come back (bfcache).
        let mut stream = mine.reopen(None);
        stream.until(|event| sets(event, "present", 2));
    }
}

#[test]
fn scripts_wait_for_a_page_that_is_away() {
    for shards in SHARDS {
        let server = probe_with(shards);
        let page = Page::open(&server.client(), "/");
        let mut stream = page.stream();
        assert_begins_silent(&page, &mut stream, 1);
        leave(&server, stream);
        // Given scripts that were sent while the page was away, when it comes back, then they run
        // in their order, and before the elements.
        click(&page, "script", json!([]));
        click(&page, "go", json!([]));
        let mut stream = page.reopen(None);
        let events: Vec<Event> = until_value(&mut stream, "count", 1);
        let order: Vec<&str> = events
            .iter()
            .filter(|event| event.is_elements())
            .map(|event| match event {
                event if shows(event, "window.ran") => "script",
                event if shows(event, "location.assign") => "redirect",
                _ => "elements",
            })
            .collect();
        assert_eq!(order, ["script", "redirect", "elements"]);
    }
}

#[test]
fn a_page_belongs_to_its_session() {
    for shards in SHARDS {
        // Given a page of one browser, when another browser asks for its stream or acts on it,
        let server = probe_with(shards);
        let page = Page::open(&server.client(), "/");
        let strangers = [
            Page::open(&server.client(), "/").client,
            Client::without_cookies(server.port()),
        ];
        for stranger in strangers {
            assert_eq!(stranger.get(&page.stream_path()).status, 410);
            let origin = stranger.origin();
            let body = json!({ "via_ctx": page.context }).to_string();
            let answer = stranger.post("/_action/add", &[("Origin", &origin)], body);
            assert_eq!(answer.status, 410);
        }
        // then it is told that there is none, and the page's own browser saw nothing of it.
        let mut stream = page.stream();
        assert_begins_silent(&page, &mut stream, 1);
    }
}

#[test]
fn nothing_is_left_when_all_have_gone() {
    for shards in SHARDS {
        let server = quick(shards, &["--away-seconds", "--park-seconds"])
            .args(["--render-seconds", "3"])
            .start();
        // Given pages in each state, when all their times are over, then none is counted.
        let streams: Vec<Stream> = (0..6)
            .map(|_| Page::open(&server.client(), "/hooks").stream())
            .collect();
        let _rendered: Vec<Page> = (0..6)
            .map(|_| Page::open(&server.client(), "/hooks"))
            .collect();
        wait_noted(&server, "connect", 6);
        drop(streams);
        wait_noted(&server, "cleanup", 12);
        eventually("no context", || (contexts(&server) == 0).then_some(()));
        assert_eq!(hooks(&server), [6, 6, 12]);
        assert_eq!(pages::streams(&server), 0);
    }
}
