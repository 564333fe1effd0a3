//! What an idle stream by HTTP/2 costs the server, its context included: the growth of the resident
//! memory from some hundred such streams to five times as many. Tables grow by doubling; over such a
//! factor that nearly cancels out.

use autovia_testkit::{Client, Page};
use serde_json::{Value, json};

use crate::raw::Session;
use crate::{Stage, stage};

/// Streams that are there before anything is measured, and how many more come then.
const BEFORE: usize = 400;
const MORE: usize = 1_600;

/// What an idle stream may cost that has its connection for itself: a promise.
const ALONE_MAX_BYTES: u64 = 64 * 1024;

/// What an idle stream may cost of fifty on one connection, their share of it included: a promise.
const AMONG_FIFTY_MAX_BYTES: u64 = 12 * 1024;

/// Opens pages, each session with as many as one connection has streams, clicks each once, and holds
/// the connections.
fn open(stage: &Stage, count: usize, per_connection: usize, sessions: &mut Vec<Session>) {
    // One connection for all pages: what is measured is streams.
    let mut client: Client = stage.client.stranger();
    for _ in 0..count / per_connection {
        client.clear_cookies();
        let mut session = Session::open(stage);
        for _ in 0..per_connection {
            let response = client.get("/");
            let page = Page::read(client, "/", response);
            let stream = session.stream(&page);
            assert_eq!(page.act("add", json!([]), Value::Null).status, 200);
            session.wait(stream, "\"count\":1");
            client = page.client;
        }
        sessions.push(session);
    }
}

/// The resident memory once a later round trip has shown that nothing is left to do.
fn resident(stage: &Stage) -> u64 {
    assert_eq!(stage.client.stranger().get("/_live").status, 200);
    stage.server.resident_bytes()
}

fn bytes_per_stream(per_connection: usize) -> u64 {
    // The server inherits this: with huge pages memory would grow by 2 MiB at a time.
    rustix::thread::disable_transparent_huge_pages(true).expect("the kernel has them or not");
    let stage = stage(1, &["--render-seconds=600", "--idle-seconds=600"]);
    let mut sessions = Vec::new();
    open(&stage, BEFORE, per_connection, &mut sessions);
    let before = resident(&stage);
    open(&stage, MORE, per_connection, &mut sessions);
    let bytes = (resident(&stage) - before) / MORE as u64;
    println!("an idle stream by HTTP/2, {per_connection} on each connection: {bytes} bytes");
    bytes
}

#[test]
fn an_idle_stream_on_a_connection_of_its_own_is_bounded() {
    let bytes = bytes_per_stream(1);
    assert!(bytes <= ALONE_MAX_BYTES, "{bytes} bytes per idle stream");
}

#[test]
fn an_idle_stream_among_fifty_of_its_connection_is_bounded() {
    let bytes = bytes_per_stream(50);
    assert!(
        bytes <= AMONG_FIFTY_MAX_BYTES,
        "{bytes} bytes per idle stream"
    );
}
