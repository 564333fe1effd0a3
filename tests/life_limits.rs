//! Bounds on what one page, one browser and all of them can hold.

mod common;
mod pages;

use autovia_testkit::{Client, Page, Stream};
use common::{SHARDS, eventually, has_value, noted, probe, value, wait_noted};
use pages::{click, contexts, probe_with, sets, wait_streams};
use serde_json::json;

#[test]
fn several_streams_of_one_page_work() {
    for shards in SHARDS {
        // Given three streams of one page (a duplicated tab), when it changes, then all get it.
        let server = probe_with(shards);
        let page = Page::open(&server.client(), "/hooks");
        let mut streams = [page.stream(), page.stream(), page.stream()];
        click(&page, "add", json!([]));
        for stream in &mut streams {
            stream.until(|event| sets(event, "count", 1));
        }
        // When some of them end, then the others go on and the page has not left.
        let [first, second, mut third] = streams;
        drop((first, second));
        wait_streams(&server, 1);
        click(&page, "add", json!([]));
        third.until(|event| sets(event, "count", 2));
        assert_eq!(noted(&server, "connect"), 1);
        assert_eq!(noted(&server, "disconnect"), 0);
    }
}

#[test]
fn a_ninth_stream_replaces_the_oldest_once_in_a_while() {
    for shards in SHARDS {
        // Given a page with eight streams,
        let server = probe_with(shards);
        let page = Page::open(&server.client(), "/");
        let mut streams: Vec<Stream> = (0..8).map(|_| page.stream()).collect();
        wait_streams(&server, 8);
        // when a ninth opens, then the oldest ends,
        let mut ninth = page.stream();
        streams.remove(0).rest();
        // a tenth so soon afterwards is refused in words,
        let refused = page.try_stream(None).err().expect("no tenth stream");
        assert_eq!(refused.status, 429);
        assert!(
            refused.text().contains("--streams-per-context"),
            "{}",
            refused.text()
        );
        // and the eight that are open work on.
        click(&page, "add", json!([]));
        for stream in streams.iter_mut().chain([&mut ninth]) {
            stream.until(|event| sets(event, "count", 1));
        }
        // Another page of the same browser has its own eight.
        Page::open(&page.client, "/").stream();
    }
}

#[test]
fn one_page_more_than_a_session_may_have_replaces_its_oldest_without_a_stream() {
    for shards in SHARDS {
        one_page_more(shards);
    }
}

fn one_page_more(shards: usize) {
    // Given a browser that has as many pages as it may, of which the second has a stream,
    let server = probe()
        .shards(shards)
        .args(["--contexts-per-session", "3"])
        .start();
    let browser = server.client();
    let pages: Vec<Page> = (0..3).map(|_| Page::open(&browser, "/hooks")).collect();
    let stream = pages[1].stream();
    // when it opens another, then the oldest without a stream is gone,
    let fourth = Page::open(&browser, "/hooks");
    wait_noted(&server, "cleanup", 1);
    assert_eq!(pages[0].try_stream(None).err().expect("gone").status, 410);
    // then the next oldest, never the one that is looked at.
    let fifth = Page::open(&browser, "/hooks");
    wait_noted(&server, "cleanup", 2);
    assert_eq!(pages[2].try_stream(None).err().expect("gone").status, 410);
    // When all of them are looked at, then a further one is refused in words.
    let streams = [stream, fourth.stream(), fifth.stream()];
    let refused = browser.get("/hooks");
    assert_eq!(refused.status, 429);
    assert!(
        refused.text().contains("--contexts-per-session"),
        "{}",
        refused.text()
    );
    // Another browser is not concerned, and who closes a page may open one.
    Page::open(&server.client(), "/hooks");
    drop(streams);
    wait_streams(&server, 0);
    Page::open(&browser, "/hooks");
}

#[test]
fn a_session_holds_no_more_pages_than_it_may_on_any_number_of_shards() {
    const LIMIT: usize = 20;
    for shards in SHARDS {
        // Given a browser that opens pages and looks at none of them, over one connection or many,
        let server = probe()
            .shards(shards)
            .args(["--contexts-per-session", &LIMIT.to_string()])
            .start();
        let browser = server.client();
        Page::open(&browser, "/hooks");
        for _ in 0..LIMIT {
            assert_eq!(browser.get("/hooks").status, 200);
            Page::open(&browser, "/hooks");
        }
        // then the surplus of its 41 pages goes.
        wait_noted(&server, "cleanup", (LIMIT + 1) as u64);
        let last = Page::open(&browser, "/hooks");
        click(&last, "add", json!([]));
    }
}

#[test]
fn more_pages_than_the_process_may_hold_are_refused() {
    for shards in SHARDS {
        // Given a server that is full, when another page is asked for, then it is told to come back.
        let server = probe().shards(shards).args(["--contexts-max", "5"]).start();
        let pages: Vec<Page> = (0..5).map(|_| Page::open(&server.client(), "/")).collect();
        let refused = server.client().get("/");
        assert_eq!(refused.status, 503);
        assert!(refused.header("retry-after").is_some());
        assert!(
            refused.text().contains("--contexts-max"),
            "{}",
            refused.text()
        );
        // Those that are open work.
        for page in &pages {
            let mut stream = page.stream();
            click(page, "add", json!([]));
            stream.until(|event| sets(event, "count", 1));
        }
    }
}

#[test]
fn parked_pages_are_bounded_and_the_oldest_go() {
    // Given a server that keeps two parked pages, when three are left one after the other,
    let server = probe()
        .shards(1)
        .args(["--away-seconds", "1", "--parked-max", "2"])
        .start();
    let pages: Vec<Page> = (1..=3)
        .map(|n| {
            let page = Page::open(&server.client(), "/hooks");
            drop(page.stream());
            wait_noted(&server, "disconnect", n);
            page
        })
        .collect();
    // then the first is gone, and the others come back.
    wait_noted(&server, "cleanup", 1);
    assert_eq!(pages[0].try_stream(None).err().expect("gone").status, 410);
    for page in &pages[1..] {
        let mut stream = page.stream();
        click(page, "add", json!([]));
        stream.until(|event| sets(event, "count", 1));
    }
    assert_eq!(noted(&server, "cleanup"), 1);
}

#[test]
fn five_thousand_pages_without_a_stream_leave_nothing() {
    const CONNECTIONS: usize = 4;
    for shards in SHARDS {
        // Given 5,000 pages that nobody looks at, over a few connections,
        let server = probe()
            .shards(shards)
            .args(["--render-seconds", "1"])
            .start();
        let port = server.port();
        std::thread::scope(|scope| {
            for _ in 0..CONNECTIONS {
                scope.spawn(|| {
                    let client = Client::without_cookies(port);
                    for _ in 0..5000 / CONNECTIONS {
                        assert_eq!(client.get("/").status, 200);
                    }
                });
            }
        });
        // when their time is over, then the count is zero again.
        eventually("no context", || (contexts(&server) == 0).then_some(()));
    }
}

#[test]
fn the_sixth_page_of_a_browser_is_told_that_it_is_the_last() {
    for shards in SHARDS {
        // Given a browser with five pages open,
        let server = probe().shards(shards).start();
        let client = server.client();
        let open = || {
            let page = Page::open(&client, "/");
            let stream = page.stream();
            (page, stream)
        };
        let mut five: Vec<_> = (0..5).map(|_| open()).collect();
        // when the sixth opens, then it is told, and the log has a line;
        let (_sixth, mut stream) = open();
        let hint = value(&mut stream, "_via_hint");
        assert!(
            hint.as_str()
                .is_some_and(|text| text.contains("six connections")),
            "{hint}"
        );
        let line = "a browser has 6 streams open by HTTP/1.1";
        server.wait_log(line);
        // the others are not told, nor is it told again when one page is left and another comes.
        drop(stream);
        drop(five.pop());
        eventually("five streams are left", || {
            (server.health()["connections"]["sse"] == 4).then_some(())
        });
        five.extend((0..2).map(|_| open()));
        for (page, stream) in &mut five {
            assert_eq!(page.act("add", json!([]), json!(null)).status, 200);
            let seen = stream.collect_until(|event| has_value(event, "count"));
            assert!(!seen.iter().any(|event| has_value(event, "_via_hint")));
        }
        let lines = server.log();
        assert_eq!(lines.iter().filter(|said| said.contains(line)).count(), 1);
    }
}

#[test]
fn a_browser_behind_a_proxy_is_told_nothing_of_its_connections() {
    let server = probe().shards(2).start();
    let client = server.client();
    let mut streams = Vec::new();
    for header in ["Via", "Forwarded", "X-Forwarded-For"] {
        for _ in 0..3 {
            let page = Page::open(&client, "/");
            let mut connection = client.connect();
            let request = client.encode("GET", &page.stream_path(), &[(header, "1.1 proxy")], b"");
            connection.write(&request).expect("it reads");
            assert_eq!(connection.response_head().expect("a head").status, 200);
            streams.push(connection);
        }
    }
    eventually("all are open", || {
        (server.health()["connections"]["sse"] == 9).then_some(())
    });
    assert!(
        !server
            .log()
            .iter()
            .any(|line| line.contains("streams open by HTTP/1.1"))
    );
}
