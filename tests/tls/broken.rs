//! Clients that break the rules of TLS: each is refused, and others are served.

use std::io::{Read, Write};

use autovia_testkit::Page;

use crate::common::{SHARDS, probe};
use crate::{stream_of, with};

/// One record: its type, the version 3.1 or 3.3, its length.
fn record(kind: u8, length: u16, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, 3, 1];
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(content);
    bytes
}

/// The hello of a client that knows TLS 1.1 at most.
fn hello_of_1_1() -> Vec<u8> {
    let mut hello = vec![3, 2];
    hello.extend_from_slice(&[7; 32]);
    hello.push(0);
    hello.extend_from_slice(&[0, 4, 0xc0, 0x13, 0xc0, 0x14]);
    hello.extend_from_slice(&[1, 0]);
    // The kinds of signatures, without which nothing is begun: ECDSA P-256 with SHA-256.
    hello.extend_from_slice(&[0, 8, 0, 13, 0, 4, 0, 2, 4, 3]);
    let mut message = vec![1, 0, 0, u8::try_from(hello.len()).expect("short")];
    message.extend_from_slice(&hello);
    record(22, u16::try_from(message.len()).expect("short"), &message)
}

#[test]
fn handshakes_that_break_the_rules_are_refused_and_others_are_served() {
    for shards in SHARDS {
        let stage = with(probe().shards(shards).arg("--log-level=debug"));
        // The alerts of RFC 8446, 6: 50 decode error, 70 protocol version.
        let rows: [(&str, Vec<u8>, Option<u8>); 6] = [
            ("TLS 1.1", hello_of_1_1(), Some(70)),
            (
                "garbage in a handshake record",
                record(22, 40, &[0xff; 40]),
                None,
            ),
            (
                "a record that is too long",
                record(22, 0xffff, &[0; 20_000]),
                None,
            ),
            ("an empty hello", record(22, 4, &[1, 0, 0, 0]), Some(50)),
            (
                "data before the handshake",
                {
                    let mut bytes = hello_of_1_1();
                    bytes.splice(0..0, record(22, 1, &[1]));
                    bytes
                },
                None,
            ),
            ("a length of nothing", record(22, 0, &[]), None),
        ];
        for (what, bytes, alert) in rows {
            let mut connection = stage.raw();
            connection.write(&bytes).expect("it reads");
            connection.finish_writing().expect("it is open");
            let answer = connection.rest().expect("it ends");
            // An alert of version 3.3, or nothing where not even that is owed.
            let (kind, last) = (answer.first(), answer.last());
            assert!(matches!(kind, None | Some(&21)), "{what}: {answer:?}");
            assert!(
                alert.is_none() || last == alert.as_ref(),
                "{what}: {answer:?}"
            );
            stage.server.wait_log("a TLS handshake came to nothing");
            stage.assert_well();
        }
    }
}

#[test]
fn a_client_that_stops_in_the_middle_of_its_handshake_is_not_waited_for() {
    let stage = with(
        probe()
            .shards(2)
            .arg("--header-seconds=1")
            .arg("--log-level=debug"),
    );
    let hello = hello_of_1_1();
    for sent in [0, 1, 5, 20] {
        let mut connection = stage.raw();
        connection.write(&hello[..sent]).expect("it reads");
        assert_eq!(connection.rest().expect("it is closed"), b"", "{sent}");
    }
    stage
        .server
        .wait_log("it took longer than --header-seconds");
    stage.assert_well();
}

#[test]
fn records_that_are_broken_after_the_handshake_end_the_connection() {
    let stage = with(probe().shards(2));
    let bad = [
        ("no record", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("a record that nobody encrypted", record(23, 40, &[1; 40])),
        (
            "a record that is too long",
            record(23, 0xffff, &[1; 30_000]),
        ),
    ];
    for (what, bytes) in &bad {
        // Between requests,
        let mut connection = stage.client.connect();
        assert!(connection.still_answers());
        let _ = connection.socket().write_all(bytes);
        assert!(connection.rest().is_err(), "{what}: an alert ends it");
        // and on an open stream.
        let page = Page::open(&stage.client, "/");
        let mut stream = stream_of(&stage, &page);
        let _ = stream.socket().write_all(bytes);
        while stream
            .tls()
            .read(&mut [0; 4096])
            .is_ok_and(|count| count > 0)
        {}
        stage.assert_well();
    }
    // A piece of a record waits for its rest; an end without a goodbye is an end.
    let mut connection = stage.client.connect();
    assert!(connection.still_answers());
    connection
        .socket()
        .write_all(&bad[1].1[..20])
        .expect("it reads");
    connection.finish_writing().expect("it is open");
    assert!(connection.rest().is_err(), "it ends without a goodbye too");
    stage.assert_well();
}
