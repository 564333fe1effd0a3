//! Who gets a change: nobody but the tab, the route, the session, all, or a room.

mod common;
mod pages;

use autovia_testkit::{Client, Page};
use common::{SHARDS, probe};
use pages::{click, probe_with, sets, shows, small, text_in};
use serde_json::{Value, json};

#[test]
fn a_tab_keeps_its_values_to_itself() {
    for shards in SHARDS {
        // Given two tabs of one browser and one of another, all on one path.
        let server = probe_with(shards);
        let browser = server.client();
        let (mine, sibling) = (Page::open(&browser, "/"), Page::open(&browser, "/"));
        let stranger = Page::open(&server.client(), "/");
        let mut streams = [mine.stream(), sibling.stream(), stranger.stream()];
        // When one of them counts,
        click(&mine, "add", json!([]));
        streams[0].until(|event| sets(event, "count", 1));
        // then the others get nothing, not even an event.
        for (page, stream) in [(&sibling, 1), (&stranger, 2)] {
            streams[stream].assert_silent_until(
                || click(page, "add", json!([])),
                |event| sets(event, "count", 1),
            );
        }
    }
}

#[test]
fn a_route_is_the_concrete_path() {
    for shards in SHARDS {
        // Given pages on two concrete paths of one pattern.
        let server = probe_with(shards);
        let last = small(shards - 1);
        let a = [
            Page::open_on(&server.client(), "/route/a", 0),
            Page::open_on(&server.client(), "/route/a", last),
        ];
        let b = Page::open(&server.client(), "/route/b");
        let (mut on_a, mut on_b) = (a.each_ref().map(Page::stream), b.stream());
        // When a value of one path changes, and its route is broadcast,
        click(&a[0], "visit", json!([]));
        click(&a[1], "touch", json!([]));
        // then its pages see it,
        for stream in &mut on_a {
            stream.until(|event| sets(event, "visits", 1));
        }
        // and the other path has its own value and got nothing.
        on_b.assert_silent_until(
            || click(&b, "visit", json!([])),
            |event| sets(event, "visits", 1),
        );
    }
}

#[test]
fn a_session_is_one_browser() {
    for shards in SHARDS {
        // Given two tabs of one browser, and another browser.
        let server = probe_with(shards);
        let browser = server.client();
        let mine = [
            Page::open(&browser, "/session"),
            Page::open(&browser, "/session"),
        ];
        let other = Page::open(&server.client(), "/session");
        let (mut own, mut foreign) = (mine.each_ref().map(Page::stream), other.stream());
        // When one tab renames the user, and broadcasts the session,
        click(&mine[0], "rename", json!(["Ada"]));
        click(&mine[1], "touch", json!([]));
        // then both tabs show it,
        for stream in &mut own {
            stream.until(|event| shows(event, "I am Ada"));
        }
        // and the other browser got nothing until it renames its own user.
        click(&other, "rename", json!(["Bob"]));
        let events = foreign.collect_until(|event| shows(event, "I am Bob"));
        assert!(!format!("{events:?}").contains("Ada"), "{events:?}");
        // A tab that is opened later belongs to its browser too.
        assert_eq!(Page::open(&browser, "/session").text("name"), "I am Ada");
        assert_eq!(
            Page::open(&server.client(), "/session").text("name"),
            "I am Anonymous"
        );
    }
}

#[test]
fn no_session_id_appears_in_page_stream_or_log() {
    // Given a server that logs as much as it can.
    let server = probe().shards(2).args(["--log-level", "trace"]).start();
    let browser = server.client();
    let page = Page::open(&browser, "/session");
    let cookie = browser.cookie("via_session_id").expect("a session cookie");
    assert_eq!(cookie.len(), 32);
    // When a page of the session lives through an action, a broadcast and an error,
    let mut stream = page.stream();
    click(&page, "rename", json!(["Ada"]));
    let mut events = stream.collect_until(|event| shows(event, "Ada"));
    assert_eq!(page.act("rename", json!([5]), Value::Null).status, 422);
    events.extend(stream.collect_until(|event| event.signals().get("_via_error").is_some()));
    assert_eq!(page.act("nothing", json!([]), Value::Null).status, 404);
    page.close_beacon();
    let gone = Page::open(&server.client(), "/session");
    assert_eq!(gone.client.get(&page.stream_path()).status, 410);
    server.terminate();
    // then neither the id nor its random half is anywhere but in the cookie.
    let seen = [
        page.html().to_owned(),
        format!("{events:?} {:?}", stream.response),
        server.log().join("\n"),
    ];
    assert!(
        seen[2].len() > 500,
        "a server at trace level says more: {}",
        seen[2]
    );
    for text in &seen {
        assert!(!text.contains(&cookie[..16]), "{text}");
        assert!(!text.contains(&cookie[16..]), "{text}");
    }
}

#[test]
fn global_reaches_every_route() {
    for shards in SHARDS {
        // Given pages of two patterns, on every shard.
        let server = probe_with(shards);
        let count = small(shards);
        let counters = Page::one_per_shard(server.port(), "/global", count);
        let states = Page::one_per_shard(server.port(), "/state", count);
        let mut on_counters: Vec<_> = counters.iter().map(Page::stream).collect();
        let mut on_states: Vec<_> = states.iter().map(Page::stream).collect();
        // When a global value changes on one page, and another page broadcasts all,
        click(&states[0], "set", json!(["shown", "news"]));
        click(counters.last().unwrap(), "add", json!([]));
        click(&counters[0], "touch", json!([]));
        // then every page of every route has it.
        for stream in &mut on_counters {
            stream.until(|event| sets(event, "total", 1));
        }
        for stream in &mut on_states {
            stream.until(|event| shows(event, "news"));
        }
    }
}

#[test]
fn a_room_is_its_members_and_a_wildcard_is_all_rooms() {
    for shards in SHARDS {
        // Given pages in three rooms.
        let server = probe_with(shards);
        let open = |path| Page::open(&server.client(), path);
        let (a, b, c) = (open("/room/a"), open("/room/b"), open("/room/c"));
        let mut streams = [a.stream(), b.stream(), c.stream()];
        // When somebody posts in one room, then only that room shows it.
        click(&a, "post", json!(["only here"]));
        streams[0].until(|event| shows(event, "1: only here"));
        streams[1].assert_silent_until(
            || click(&b, "post", json!(["in b"])),
            |event| shows(event, "1: in b"),
        );
        // When all rooms are broadcast at once, then each shows what is new in it, not what was
        // rendered before.
        click(&c, "wild", json!(["for all"]));
        streams[0].until(|event| shows(event, "2: for all"));
        streams[1].until(|event| shows(event, "2: for all"));
        let fresh = streams[2].next_event();
        assert_eq!(text_in(&fresh, "messages"), "0:", "the room c has no post");
    }
}

#[test]
fn two_routes_in_one_scope_get_their_own_html() {
    for shards in SHARDS {
        // Given three pages in one scope: two paths of one pattern, and another pattern.
        let server = probe_with(shards);
        let count = small(shards);
        let paths = ["/pair/left", "/pair/right", "/pair-list"];
        let pages = paths.map(|path| Page::one_per_shard(server.port(), path, count));
        let mut streams = pages
            .each_ref()
            .map(|pages| pages.iter().map(Page::stream).collect::<Vec<_>>());
        for round in 1..=3 {
            // When the scope is broadcast,
            click(&pages[round % 3][0], "say", json!([]));
            // then each page gets its own HTML and no other's.
            let wanted = ["left says", "right says", "list says"];
            for (streams, wanted) in streams.iter_mut().zip(wanted) {
                for stream in streams {
                    let event = stream.until(|event| shows(event, &format!("says {round}")));
                    assert_eq!(text_in(&event, "pair"), format!("{wanted} {round}"));
                }
            }
        }
    }
}

#[test]
fn a_users_text_forges_no_scope() {
    // Given rooms whose names look like wildcards, separators and escapes, and the room `a`.
    let server = probe_with(2);
    let hostile = [
        "%2A", "a%2A", "*", "a:b", "a%3Ab", "a.2a", ".2a", "..", "a%20", "a%00b", "%C3%A9",
    ];
    let open = |name: &str| {
        let client = Client::new(server.port());
        let path = format!("/room/{name}");
        let answer = client.get(&path).status;
        match answer {
            200 => Some(Page::open(&client, &path)),
            // What is no clean path gets no page at all.
            400 => None,
            other => panic!("{path}: {other}"),
        }
    };
    let a = open("a").expect("a plain name");
    let mut on_a = a.stream();
    let pages: Vec<Page> = hostile.iter().filter_map(|name| open(name)).collect();
    assert!(pages.len() >= 6, "most of these names are allowed");
    // When each of them is posted in,
    for page in &pages {
        let mut stream = page.stream();
        click(page, "post", json!(["forged"]));
        stream.until(|event| shows(event, ": forged"));
    }
    // then the room `a` hears nothing of it.
    on_a.assert_silent_until(
        || click(&a, "post", json!(["true"])),
        |event| shows(event, "1: true"),
    );
}
