//! What a page costs the server while nobody looks at it: the growth of the resident memory from some
//! thousand such pages to four times as many, each with a session of its own and a value that it
//! has changed. Small tables grow by doubling; over a factor of four that cancels out.

mod common;

use std::time::Duration;

use autovia_testkit::{Client, Page, Running, Stream, eventually_within};
use common::{probe, value};
use serde_json::{Value, json};

/// Pages that are there before anything is measured, and how many more come then.
const BEFORE: usize = 1_000;
const MORE: usize = 3_000;

/// What a parked page may cost: a promise.
const PARKED_MAX_BYTES: u64 = 1024;

/// An away page still knows what it showed.
const AWAY_MAX_BYTES: u64 = 1536;

/// A connection that waits for its next request holds a socket and its place in two tables.
const IDLE_CONNECTION_MAX_BYTES: u64 = 512;

/// Pages are gone after a second or two, and a peak is seen to be over as soon.
const GIVEN_BACK_LIMIT: Duration = Duration::from_secs(60);

/// Opens pages, each in a browser of its own, clicks once, and leaves them.
fn leave_pages(server: &Running, count: usize) {
    // One connection for all: what is measured is pages.
    let mut client = Client::new(server.port());
    for _ in 0..count {
        client.clear_cookies();
        let response = client.get("/");
        assert_eq!(response.status, 200, "{}", response.text());
        let page = Page::read(client, "/", response);
        assert_eq!(page.act("add", json!([]), Value::Null).status, 200);
        drop(page.stream());
        client = page.client;
    }
}

/// A page that is told how many of its kind are present, and with it who is parked.
struct Watch(Stream);

impl Watch {
    fn start(server: &Running) -> Self {
        let mut stream = Page::open(&server.client(), "/hooks").stream();
        while value(&mut stream, "present") != 1 {}
        Self(stream)
    }

    /// Waits until a page that is left now is parked: all that were left before are so too.
    fn wait_parked(&mut self, server: &Running) {
        drop(Page::open(&server.client(), "/hooks").stream());
        while value(&mut self.0, "present") != 2 {}
        while value(&mut self.0, "present") != 1 {}
    }
}

fn cost(server: &Running, mut settle: impl FnMut()) -> u64 {
    leave_pages(server, BEFORE);
    settle();
    let before = server.resident_bytes();
    leave_pages(server, MORE);
    settle();
    (server.resident_bytes() - before) / MORE as u64
}

fn server(away_seconds: u32) -> Running {
    // The server inherits this: with huge pages memory would grow by 2 MiB at a time.
    rustix::thread::disable_transparent_huge_pages(true).expect("the kernel has them or not");
    let server = probe().shards(1).arg("--render-seconds=600");
    server.arg(format!("--away-seconds={away_seconds}")).start()
}

#[test]
fn a_parked_page_is_small() {
    let server = server(1);
    let mut watch = Watch::start(&server);
    let bytes = cost(&server, || watch.wait_parked(&server));
    println!("a parked page: {bytes} bytes");
    assert!(bytes <= PARKED_MAX_BYTES, "{bytes} bytes per parked page");
}

#[test]
fn an_away_page_is_small() {
    let server = server(600);
    let bytes = cost(&server, || ());
    println!("an away page: {bytes} bytes");
    assert!(bytes <= AWAY_MAX_BYTES, "{bytes} bytes per away page");
}

#[test]
fn an_idle_connection_is_small() {
    // Given connections that have had an answer and are kept,
    let server = server(600);
    let kept = |count: usize| -> Vec<_> {
        let open = |_| {
            let mut connection = server.client().connect();
            assert!(connection.still_answers());
            connection
        };
        (0..count).map(open).collect()
    };
    let _first = kept(BEFORE);
    let before = server.resident_bytes();
    // when more of them come,
    let _more = kept(MORE);
    // then each costs little.
    let bytes = (server.resident_bytes() - before) / MORE as u64;
    println!("an idle connection: {bytes} bytes");
    assert!(
        bytes <= IDLE_CONNECTION_MAX_BYTES,
        "{bytes} bytes per idle connection"
    );
}

/// Pages that are looked at, each in a browser of its own.
fn watched_pages(server: &Running, count: usize) -> Vec<Stream> {
    let mut client = Client::new(server.port());
    let mut streams = Vec::new();
    for _ in 0..count {
        client.clear_cookies();
        let response = client.get("/");
        let page = Page::read(client, "/", response);
        streams.push(page.stream());
        client = page.client;
    }
    streams
}

/// Pages of all shards.
fn pages(server: &Running) -> u64 {
    let metrics = server.client().get("/_metrics");
    let counts = metrics
        .text()
        .lines()
        .filter(|line| line.starts_with("autovia_pages"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    counts.sum()
}

#[test]
fn after_a_peak_memory_is_given_back() {
    // Given so many pages that it is worth a look through all memory when they have gone,
    rustix::thread::disable_transparent_huge_pages(true).expect("the kernel has them or not");
    let server = probe().shards(1).arg("--away-seconds=1");
    let server = server.arg("--park-seconds=0").start();
    let before = server.resident_bytes();
    let streams = watched_pages(&server, 5_000);
    let peak = server.resident_bytes();
    // when all are left, then most of what they took is soon the machine's again.
    drop(streams);
    eventually_within(GIVEN_BACK_LIMIT, "most of the memory given back", || {
        let kept = server.resident_bytes().saturating_sub(before);
        (pages(&server) == 0 && kept < (peak - before) / 2).then_some(())
    });
}
