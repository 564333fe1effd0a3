//! Connections without a request: they may wait longer than a head may take, and not for ever.

mod common;

use common::probe;

#[test]
fn an_idle_connection_has_the_time_of_the_idle_not_of_a_head() {
    // Given two connections, one that never spoke and one between two requests,
    let server = probe()
        .arg("--header-seconds=1")
        .arg("--idle-seconds=60")
        .start();
    let client = server.client();
    let mut silent = client.connect();
    let mut between = client.connect();
    assert!(between.still_answers());

    // when a head that began later is cut for its slowness,
    let mut slow = client.connect();
    slow.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        .unwrap();
    let cut = slow.rest().unwrap();
    assert!(
        cut.starts_with(b"HTTP/1.1 408 "),
        "{}",
        String::from_utf8_lossy(&cut)
    );

    // then both still answer.
    assert!(silent.still_answers());
    assert!(between.still_answers());
}

#[test]
fn an_idle_connection_is_closed_when_its_time_is_over() {
    let server = probe().arg("--idle-seconds=1").start();
    let mut connection = server.client().connect();
    assert!(connection.still_answers());
    assert_eq!(
        connection.rest().unwrap(),
        b"",
        "it is closed without a word"
    );
}

/// The timer of each established connection to `port` of 127.0.0.1, as the kernel shows it: its kind (2 is
/// keep-alive) and the hundredths of a second until it fires.
fn timers(port: u16) -> Vec<(u8, u64)> {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the kernel shows its connections");
    // With the address: other programs' sockets have the same number at other addresses of loopback.
    let address = u32::from_ne_bytes([127, 0, 0, 1]);
    let local = format!("{address:08X}:{port:04X}");
    let rows = table
        .lines()
        .skip(1)
        .map(|row| row.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row[1] == local && row[3] == "01")
        .map(|row| {
            let (kind, when) = row[5].split_once(':').expect("a kind and a time");
            let when = u64::from_str_radix(when, 16).expect("a number");
            (kind.parse().expect("a number"), when)
        })
        .collect()
}

#[test]
fn the_kernel_asks_after_the_peer_of_an_idle_stream() {
    // Given a stream on which nothing happens,
    let server = probe().arg("--heartbeat-seconds=0").start();
    let page = autovia_testkit::Page::open(&server.client(), "/");
    let stream = page.stream();

    // then the kernel will ask after its peer within ten seconds; without a sign of life for 25 seconds it
    // ends the connection.
    let timers = timers(server.port());
    assert!(!timers.is_empty());
    assert!(
        timers
            .iter()
            .all(|(kind, when)| *kind == 2 && *when <= 1000),
        "{timers:?}"
    );
    drop(stream);
}

#[test]
fn of_many_connections_the_kernel_asks_after_some_and_heartbeats_find_the_rest() {
    // Given a shard that holds 4,100 connections,
    let server = probe().shards(1).start();
    let connections: Vec<_> = (0..4100)
        .map(|_| {
            let mut connection = server.client().connect();
            assert!(connection.still_answers());
            connection
        })
        .collect();
    // then the kernel asks after the peers of 4,096: more would ask in crowds that queues do not hold.
    let timers = timers(server.port());
    let asked = timers.iter().filter(|(kind, _)| *kind == 2).count();
    assert!(asked >= 4000, "{asked} of {}", timers.len());
    assert!(timers.len() - asked >= connections.len() - 4096, "{asked}");
}
