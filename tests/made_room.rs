//! A page that had to make room for another of its session while its own data was loaded: it is gone,
//! and leaves nothing behind that another page could stumble over.

mod common;

use std::thread;

use autovia_testkit::{Client, Page};
use common::{eventually, has_value, probe, wait_noted};
use serde_json::{Value, json};

#[test]
fn a_page_that_made_room_while_it_was_loaded_disturbs_no_other() {
    // Given a browser that may have one page, and a page of it that waits for its data,
    let server = probe()
        .shards(1)
        .args(["--contexts-per-session", "1", "--render-seconds", "2"])
        .start();
    let browser = server.client();
    let first = Page::open(&browser, "/");
    let (held, other, mut stream) = thread::scope(|scope| {
        let held = scope.spawn(|| Page::open(&browser.clone(), "/held-load"));
        wait_noted(&server, "held load", 1);
        // when the browser opens another page, and the data comes,
        Page::open(&browser.clone(), "/");
        let release = Page::open(&Client::new(server.port()), "/failures");
        assert_eq!(release.act("release", json!([]), Value::Null).status, 200);
        let held = held.join().expect("it is answered");
        // (and a page of somebody else takes the place that was freed)
        let other = Page::open(&Client::new(server.port()), "/");
        let stream = other.stream();
        (held, other, stream)
    });
    // then that page is gone, as is the one before it,
    for gone in [&first, &held] {
        let refused = gone.try_stream(None).err().map(|refused| refused.status);
        assert_eq!(refused, Some(410));
    }
    // and when the time is over in which its stream had to open, the others are as they were.
    eventually("pages without a stream are gone", || {
        (server.health()["connections"]["contexts"] == 1).then_some(())
    });
    assert_eq!(other.act("add", json!([]), Value::Null).status, 200);
    stream.until(|event| has_value(event, "count") && event.signals()["count"] == 1);
}
