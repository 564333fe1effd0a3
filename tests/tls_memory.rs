//! What an idle stream with TLS costs the server, its context included: the growth of the resident
//! memory from some hundred such streams to five times as many. Tables grow by doubling; over such a
//! factor that nearly cancels out.

mod common;

use autovia_testkit::{Authority, Client, Page, Running, Stream};
use common::probe;
use serde_json::{Value, json};

/// Streams that are there before anything is measured, and how many more come then. The test holds as
/// many sockets.
const BEFORE: usize = 500;
const MORE: usize = 2_000;

/// What an idle stream may cost: a promise.
const STREAM_MAX_BYTES: u64 = 6 * 1024;

/// Opens pages, each in a browser of its own, clicks once, and holds their streams.
fn open(client: &Client, count: usize, streams: &mut Vec<Stream>) {
    // One connection for all pages: what is measured is streams.
    let mut client = client.stranger();
    for _ in 0..count {
        client.clear_cookies();
        let response = client.get("/");
        let page = Page::read(client, "/", response);
        let mut stream = page.stream();
        assert_eq!(page.act("add", json!([]), Value::Null).status, 200);
        stream.until(|event| common::has_value(event, "count"));
        streams.push(stream);
        client = page.client;
    }
}

/// The resident memory once a later round trip has shown that nothing is left to do.
fn resident(server: &Running, client: &Client) -> u64 {
    assert_eq!(client.stranger().get("/_live").status, 200);
    server.resident_bytes()
}

#[test]
fn an_idle_stream_with_tls_is_small() {
    // The server inherits this: with huge pages memory would grow by 2 MiB at a time.
    rustix::thread::disable_transparent_huge_pages(true).expect("the kernel has them or not");
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let authority = Authority::new();
        let certificate = authority.issue(&["127.0.0.1"]);
        let server = probe()
            .shards(1)
            .arg("--render-seconds=600")
            .arg("--idle-seconds=600")
            .tls(&certificate)
            .start();
        let config = authority.client_config_for(version);
        let client = Client::new(server.port()).with_tls(config);
        let mut streams = Vec::new();
        open(&client, BEFORE, &mut streams);
        let before = resident(&server, &client);
        open(&client, MORE, &mut streams);
        let bytes = (resident(&server, &client) - before) / MORE as u64;
        println!("an idle stream with {version:?}: {bytes} bytes");
        assert!(bytes <= STREAM_MAX_BYTES, "{bytes} bytes per idle stream");
    }
}
