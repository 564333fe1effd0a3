//! Views, loads and hooks that fail: the first page is a 500 in the site's dress, a later failure
//! leaves what is shown and says so, and nobody else notices.

mod common;

use autovia_testkit::{Event, Page, Response, Running};
use common::{SHARDS, eventually, failure, has_value, noted, probe, value, wait_noted};
use serde_json::{Value, json};

fn act(page: &Page, name: &str) -> u16 {
    page.act(name, json!([]), json!(null)).status
}

fn contexts(server: &Running) -> Value {
    server.health()["connections"]["contexts"].clone()
}

/// A 500 in the site's dress that tells nothing of the inside.
fn assert_dressed(response: &Response) {
    assert_eq!(response.status, 500, "{response:?}");
    assert_eq!(
        response.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(response.header("cache-control"), Some("no-store"));
    let html = response.text();
    assert!(html.contains("/via.css"), "{html}");
    for internal in [
        "panic",
        ".rs",
        "src/",
        "data-signals",
        "via_ctx",
        "no data today",
    ] {
        assert!(!html.contains(internal), "{internal} in {html}");
    }
}

#[test]
fn a_page_that_cannot_be_shown_is_a_500_and_leaves_nothing_behind() {
    for shards in SHARDS {
        for (path, logged) in [
            ("/view-panics", "this view always panics"),
            ("/load-fails", "no data today"),
        ] {
            // Given somebody with an open page,
            let server = probe().shards(shards).start();
            let open = Page::open(&server.client(), "/");
            let mut stream = open.stream();
            // when pages fail on every shard,
            for _ in 0..3 * shards {
                assert_dressed(&server.client().get(path));
            }
            // then the log says which page, and why,
            let line = server.wait_log(&format!("page={path}"));
            assert!(line.contains(logged), "{line}");
            assert!(line.contains("shard="), "{line}");
            // no context is left of them,
            eventually("one context", || (contexts(&server) == 1).then_some(()));
            // and the open page goes on.
            let add = open.act("add", json!([]), json!({"step": 3}));
            assert_eq!(add.status, 200);
            assert_eq!(value(&mut stream, "count"), 3);
        }
    }
}

#[test]
fn a_load_that_takes_too_long_is_a_500_while_others_are_served() {
    // Given a load that outlasts its limit, when a page waits for it, then others are served,
    let server = probe().shards(1).args(["--load-timeout", "1"]).start();
    let mut waits = server.client().connect();
    let request = server.client().encode("GET", "/slow-load", &[], b"");
    waits.write(&request).expect("the server reads");
    let page = Page::open(&server.client(), "/");
    assert_eq!(page.act("add", json!([]), json!({"step": 1})).status, 200);
    // and it is told to the one who waited.
    assert_dressed(&waits.response(false).expect("an answer"));
    server.wait_log("--load-timeout");
}

#[test]
fn a_load_that_fails_later_leaves_what_is_shown() {
    for shards in SHARDS {
        // Given a page on each shard that shows what was loaded,
        let server = probe().shards(shards).start();
        let last = u16::try_from(shards).expect("few shards");
        let pages = Page::one_per_shard(server.port(), "/load-fails-later", last);
        let mut streams: Vec<_> = pages.iter().map(Page::stream).collect();
        let beside = Page::open(&server.client(), "/");
        let mut others = beside.stream();
        // when its data can't be loaded any more,
        assert_eq!(act(&pages[0], "break"), 200);
        for stream in &mut streams {
            // then each is told so, in words that hold nothing of the reason, and gets no HTML,
            let events = stream.collect_until(|event| has_value(event, "_via_error"));
            assert!(!events.iter().any(Event::is_elements), "{events:?}");
            let told = &events.last().expect("the failure").signals()["_via_error"];
            let text = told["text"].as_str().expect("a text");
            assert!(!text.contains("no data now"), "{text}");
        }
        server.wait_log("no data now");
        // others see nothing of it,
        others.assert_silent_until(
            || {
                let add = beside.act("add", json!([]), json!({"step": 1}));
                assert_eq!(add.status, 200);
            },
            |event| has_value(event, "count"),
        );
        // a page that is opened now gets the error page,
        assert_dressed(&server.client().get("/load-fails-later"));
        // and when it can be loaded again, then all have it.
        assert_eq!(act(&pages[0], "mend"), 200);
        for stream in &mut streams {
            let html = stream.until(Event::is_elements).elements();
            assert!(html.contains("id=\"value\""), "{html}");
        }
    }
}

#[test]
fn a_view_that_fails_later_leaves_what_is_shown() {
    for shards in SHARDS {
        let server = probe().shards(shards).start();
        let page = Page::open(&server.client(), "/view-fails-later");
        let other = Page::open(&server.client(), "/view-fails-later");
        let (mut stream, mut others) = (page.stream(), other.stream());
        // Given a page whose view panics from now on,
        let events = {
            assert_eq!(act(&page, "break"), 200);
            stream.collect_until(|event| has_value(event, "_via_error"))
        };
        assert!(!events.iter().any(Event::is_elements), "{events:?}");
        let told = events.last().expect("the failure").signals()["_via_error"].clone();
        let text = told["text"].as_str().expect("a text");
        for internal in ["panics in an update", ".rs", "assertion"] {
            assert!(!text.contains(internal), "{text}");
        }
        let line = server.wait_log("page=/view-fails-later");
        assert!(line.contains("this view panics in an update"), "{line}");
        // then its actions run and its values arrive, without the same words again,
        let event = stream.assert_silent_until(
            || assert_eq!(act(&page, "ok"), 200),
            |event| has_value(event, "ok"),
        );
        assert_eq!(event.signals()["ok"], 1);
        // and another page of the same kind is as it was.
        let event = others.assert_silent_until(
            || assert_eq!(act(&other, "ok"), 200),
            |event| has_value(event, "ok"),
        );
        assert_eq!(event.signals()["ok"], 1);
    }
}

#[test]
fn a_part_that_fails_while_its_page_is_sent_keeps_its_place_and_is_told() {
    for shards in SHARDS {
        let server = probe().shards(shards).start();
        let page = Page::open(&server.client(), "/part-fails-later");
        let mut stream = page.stream();
        // Given a page that is sent whole while its component fails, then its place is there, the user is told,
        assert_eq!(act(&page, "next"), 200);
        let events = stream.collect_until(|event| has_value(event, "_via_error"));
        let sent = events.iter().find(|event| event.is_elements());
        let html = sent.expect("the page").argument("elements").expect("HTML");
        assert!(html.contains("round 1"), "{html}");
        assert!(html.contains(r#"<div id="c-part"></div>"#), "{html}");
        let line = server.wait_log("page=/part-fails-later");
        assert!(line.contains("this part panics in round 1"), "{line}");
        // and it is shown again, and alone, as soon as it can be.
        assert_eq!(act(&page, "next"), 200);
        let html = stream
            .until(|event| event.is_elements())
            .argument("elements")
            .expect("HTML");
        assert!(
            html.contains("round 2") && html.contains("<b>part 0</b>"),
            "{html}"
        );
        assert_eq!(act(&page, "part"), 200);
        let html = stream
            .until(|event| event.is_elements())
            .argument("elements")
            .expect("HTML");
        assert!(
            html.contains("<b>part 1</b>") && !html.contains("round"),
            "{html}"
        );
    }
}

#[test]
fn hooks_that_fail_are_logged_and_harm_nothing() {
    for shards in SHARDS {
        // Given a page whose hooks fail,
        let server = probe()
            .shards(shards)
            .args(["--away-seconds", "1", "--park-seconds", "0"])
            .start();
        let page = Page::open(&server.client(), "/hooks-fail");
        let mut stream = page.stream();
        // when its stream opens, then the failure is in the log and the page works,
        let line = server.wait_log("page=/hooks-fail");
        assert!(line.contains("a connect hook panics"), "{line}");
        assert_eq!(act(&page, "add"), 200);
        assert_eq!(value(&mut stream, "count"), 1);
        // and when it leaves, then it is freed all the same.
        drop(stream);
        server.wait_log("a disconnect hook fails");
        eventually("no context", || (contexts(&server) == 0).then_some(()));
    }
}

#[test]
fn a_period_goes_on_beside_pages_that_fail() {
    let server = probe().shards(2).start();
    wait_noted(&server, "app tick on 0", 1);
    let page = Page::open(&server.client(), "/failures");
    let mut stream = page.stream();
    assert_eq!(act(&page, "panics"), 500);
    assert_eq!(failure(&mut stream)["action"], "panics");
    let ticks = noted(&server, "app tick on 0");
    wait_noted(&server, "app tick on 0", ticks + 2);
}
