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
