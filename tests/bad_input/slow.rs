//! Those who send slowly, half, or nothing: cut after the configured time, and in nobody's way.

use std::io::ErrorKind;
use std::time::Duration;

use autovia_testkit::{Connection, Page, Running};
use serde_json::json;

use crate::common::{SHARDS, probe};

const HALF_A_HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nX: ";
const HALF_A_BODY: &[u8] = b"POST /_action/add HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{";
const HALF_A_CHUNK: &[u8] =
    b"POST /_action/add HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{";

fn impatient(shards: usize) -> Running {
    probe()
        .shards(shards)
        .args(["--header-seconds", "1", "--heartbeat-seconds", "1"])
        .start()
}

fn sent(server: &Running, bytes: &[u8]) -> Connection {
    let mut connection = server.client().connect();
    connection.write(bytes).expect("the server reads");
    connection
}

#[test]
fn a_request_that_stands_still_is_cut() {
    for shards in SHARDS {
        let server = impatient(shards);
        for (half, what) in [
            (HALF_A_HEAD, "head"),
            (b"G", "head"),
            (HALF_A_BODY, "body"),
            (HALF_A_CHUNK, "body"),
        ] {
            let mut connection = sent(&server, half);
            let answer = connection.response(false).expect("it is told why");
            assert_eq!(answer.status, 408, "{answer:?}");
            assert!(answer.text().contains(what), "{answer:?}");
            assert_eq!(connection.rest().expect("it is closed"), b"");
        }
    }
}

#[test]
fn a_head_that_comes_drop_by_drop_has_no_more_time() {
    // Given a client that sends a byte whenever it has waited in vain for a while,
    let server = impatient(1);
    let mut connection = sent(&server, HALF_A_HEAD);
    connection.set_patience(Duration::from_millis(100));
    let answer = loop {
        match connection.response(false) {
            Err(error) if error.kind() == ErrorKind::TimedOut => connection.write(b"a"),
            answer => break answer,
        }
        .expect("the server reads until it answers");
    };
    // then it is cut all the same, and the server goes on.
    assert_eq!(answer.expect("it is told why").status, 408);
    assert_eq!(server.client().get("/_health").status, 200);
}

#[test]
fn many_who_send_slowly_are_in_nobodys_way() {
    for shards in SHARDS {
        // Given a hundred connections that stand still in the middle of a request,
        let server = probe().shards(shards).start();
        let halves = [HALF_A_HEAD, HALF_A_BODY, HALF_A_CHUNK, b""];
        let held: Vec<_> = (0..100).map(|n| sent(&server, halves[n % 4])).collect();
        // then pages, clicks and streams are served.
        let page = Page::open(&server.client(), "/");
        let mut stream = page.stream();
        assert_eq!(page.act("add", json!([]), json!({"step": 1})).status, 200);
        stream.until(|event| event.is_signals() && event.signals()["count"] == 1);
        drop(held);
    }
}

#[test]
fn an_idle_connection_is_kept_longer_than_a_head_may_take() {
    for shards in SHARDS {
        // Given a connection that has had an answer, when it rests for longer than a head may take
        // (three heartbeats of a second are the clock),
        let server = impatient(shards);
        let mut connection = server.client().connect();
        assert!(connection.still_answers());
        let page = Page::open(&server.client(), "/");
        let mut stream = page.stream();
        for _ in 0..3 {
            stream.next_comment();
        }
        // then it still answers.
        assert!(connection.still_answers());
    }
}

#[test]
fn an_idle_connection_is_closed_in_the_end() {
    let server = probe().shards(2).args(["--idle-seconds", "1"]).start();
    for mut connection in [server.client().connect(), sent(&server, b"")] {
        assert_eq!(connection.rest().expect("it is closed"), b"");
    }
    let mut used = server.client().connect();
    assert!(used.still_answers());
    assert_eq!(used.rest().expect("it is closed"), b"");
}

#[test]
fn a_beacon_that_is_nonsense_is_answered_as_any_other() {
    let server = probe().shards(2).start();
    let page = Page::open(&server.client(), "/");
    let origin = page.client.origin();
    let headers = [("Origin", origin.as_str())];
    for body in [&b""[..], b"x", b"\xff\xfe", b"{}", &[b'a'; 70_000]] {
        let close = page.client.post("/_session/close", &headers, body);
        assert_eq!((close.status, close.body.len()), (200, 0));
    }
    assert_eq!(page.act("add", json!([]), json!({"step": 1})).status, 200);
}
