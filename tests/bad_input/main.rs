//! Bad input: one table of raw requests, each with what comes back, and after each a check that
//! others are served. Nothing panics, nothing of the inside is told, memory stays bounded.

#[path = "../common/mod.rs"]
mod common;

mod actions;
mod framing;
mod heads;
mod slow;
mod targets;

use autovia_testkit::{Page, Response, Running};
use common::{SHARDS, probe};
use serde_json::json;

/// What happens to the connection after the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// It is closed: where the next request begins is not certain, or nobody should send more.
    Closed,
    /// It goes on.
    Open,
}

/// One bad request.
struct Row {
    what: String,
    bytes: Vec<u8>,
    status: u16,
    then: Then,
}

fn closed(what: impl Into<String>, bytes: impl Into<Vec<u8>>, status: u16) -> Row {
    Row {
        what: what.into(),
        bytes: bytes.into(),
        status,
        then: Then::Closed,
    }
}

fn open(what: impl Into<String>, bytes: impl Into<Vec<u8>>, status: u16) -> Row {
    Row {
        what: what.into(),
        bytes: bytes.into(),
        status,
        then: Then::Open,
    }
}

/// Words that would tell something of the inside.
const INTERNAL: [&str; 7] = ["panic", ".rs", "src/", "unwrap", "Some(", "Err(", "None"];

/// One plain line, or for a page that isn't there the site's dress.
fn assert_harmless(row: &Row, response: &Response) {
    let text = response.text();
    for word in INTERNAL {
        assert!(!text.contains(word), "{}: {text}", row.what);
    }
    match response.header("content-type") {
        Some("text/html; charset=utf-8") => {
            assert_eq!(row.status, 404, "{}: {text}", row.what);
            assert!(text.contains("/via.css"), "{}: {text}", row.what);
        }
        Some("text/plain; charset=utf-8") if row.bytes.starts_with(b"HEAD ") => {}
        Some("text/plain; charset=utf-8") => {
            let one = text.ends_with('\n') && text.trim_end().lines().count() == 1;
            assert!(one, "{}: {text:?}", row.what);
            assert!(text.len() < 300, "{}: {text:?}", row.what);
        }
        other => panic!("{}: an answer of the type {other:?}", row.what),
    }
}

fn assert_row(server: &Running, row: &Row) {
    let (response, mut connection) = server.client().exchange(&row.bytes);
    let what = &row.what;
    assert_eq!(response.status, row.status, "{what}: {}", response.text());
    assert_harmless(row, &response);
    match row.then {
        Then::Closed => {
            assert_eq!(response.header("connection"), Some("close"), "{what}");
            let rest = connection.rest().expect("the server closes");
            assert_eq!(rest, b"", "{what}");
        }
        Then::Open => assert!(connection.still_answers(), "{what}"),
    }
}

#[test]
fn bad_requests_are_answered_and_others_are_served() {
    for shards in SHARDS {
        // Given somebody with an open page, and a page that the requests are about,
        let server = probe().shards(shards).start();
        let witness = Page::open(&server.client(), "/failures");
        let mut stream = witness.stream();
        let target = Page::open(&server.client(), "/");
        let stranger = server.client();
        stranger.get("/");
        let rows: Vec<Row> = [
            heads::rows(),
            framing::rows(),
            targets::rows(&target, &stranger),
            actions::rows(&target, &stranger),
        ]
        .into_iter()
        .flatten()
        .collect();
        assert!(rows.len() >= 300, "only {} rows", rows.len());
        let before = server.resident_bytes();

        // when each comes, then it is answered as it should be, and the next click works.
        for row in &rows {
            assert_row(&server, row);
            let click = witness.act("ok", json!([]), json!(null));
            assert_eq!(click.status, 200, "after {}", row.what);
        }

        // At the end nothing is left of them: no panic, no page, no memory, no click that was lost.
        let all = json!(rows.len());
        stream.until(|event| common::has_value(event, "done") && event.signals()["done"] == all);
        let log = server.log().join("\n");
        assert!(!log.contains("panic"), "{log}");
        let grown = server.resident_bytes().saturating_sub(before);
        assert!(grown < 32 << 20, "{grown} bytes more than before");
        assert_eq!(server.health()["connections"]["contexts"], 3);
        drop(stream);
        assert_eq!(server.terminate().code(), Some(0));
    }
}
