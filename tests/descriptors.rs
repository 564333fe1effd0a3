//! Descriptors: sockets cross shards whichever tables these have, and a full table is a state, not an end.

mod common;
mod pages;

use std::path::Path;

use autovia_testkit::{Connection, Page, Running, Server};
use common::{eventually, probe, send, status};
use pages::{click, sets};
use serde_json::json;

const TABLES: [&str; 2] = ["shared", "per-shard"];

/// Open files that a small server may have: enough for two shards and some hundred connections.
const FEW: usize = 256;

#[test]
fn a_stream_goes_to_its_page_whichever_tables_shards_have() {
    for tables in TABLES {
        let server = probe()
            .shards(2)
            .args(["--descriptor-tables", tables])
            .start();
        server.wait_log(&format!("descriptor_tables=\"{tables}\""));
        // Given several streams of a page on each shard, whose connections come in on either,
        for page in Page::one_per_shard(server.port(), "/", 2) {
            let mut streams: Vec<_> = (0..6).map(|_| page.stream()).collect();
            // when the page changes,
            click(&page, "add", json!([]));
            // then each of them is told.
            for stream in &mut streams {
                stream.until(|event| sets(event, "count", 1));
            }
        }
    }
}

/// How many connections that are no streams this shard has, as a request on `connection` is told.
fn connections_of(shard: usize, connection: &mut Connection) -> u64 {
    let request = b"GET /_metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    connection.write(request).expect("the server reads");
    let metrics = connection.response(false).expect("it answers");
    let name = format!("autovia_connections{{shard=\"{shard}\"}} ");
    let lines = metrics.text().lines();
    let mut values = lines.filter_map(|line| line.strip_prefix(&name)?.parse().ok());
    values.next().expect("each shard is told")
}

/// A connection that this shard has accepted.
fn connection_at(server: &Running, shard: usize) -> Connection {
    let mut asking = server.client().connect();
    eventually("a connection at a shard", || {
        let before = connections_of(shard, &mut asking);
        let mut connection = server.client().connect();
        assert!(connection.still_answers());
        (connections_of(shard, &mut asking) > before).then_some(connection)
    })
}

/// Streams that are opened at once: many times what a lane between two shards holds.
const MANY: usize = 300;

#[test]
fn streams_that_find_no_room_on_their_way_to_a_busy_shard_wait_and_none_is_lost() {
    for tables in TABLES {
        // Given a shard that an action keeps from all else, and a connection at the other one,
        let server = probe()
            .shards(2)
            .args(["--descriptor-tables", tables, "--hang-seconds", "3600"])
            .args(["--streams-per-context", "1024"])
            .start();
        let page = Page::open_on(&server.client(), "/failures", 1);
        let other = Page::open_on(&server.client(), "/failures", 0);
        let mut free = connection_at(&server, 0);
        let mut act = |action: &str| {
            let request = other.action(action).bytes();
            free.write(&request).expect("the server reads");
            free.response(false).expect("it answers").status
        };
        let kept = send(&page, &page.action("keep-shard").bytes());
        eventually("a shard that is kept", || {
            (act("is-kept") == 200).then_some(())
        });
        // when many streams of its page are opened, half of them at the other,
        let request = page.client.encode("GET", &page.stream_path(), &[], b"");
        let mut streams: Vec<_> = (0..MANY).map(|_| send(&page, &request)).collect();
        // and the shard is let go,
        assert_eq!(act("release"), 200);
        assert_eq!(status(kept), 200);
        // then each stream is there and is told what happens.
        for stream in &mut streams {
            assert_eq!(stream.response_head().expect("a head").status, 200);
        }
        click(&page, "ok", json!([]));
        for stream in &mut streams {
            let mut told = String::new();
            while !told.contains("\"done\":1") {
                told += &String::from_utf8_lossy(&stream.some().expect("it goes on"));
            }
        }
    }
}

/// The probe with two shards, to be started by a shell that lowers the limit of open files.
fn small(tables: &str) -> Server {
    let shell = Path::new("/bin/sh");
    let script = format!("ulimit -n {FEW}; exec \"$0\" \"$@\"");
    Server::new(shell)
        .args(["-c", &script])
        .arg(probe().binary())
        .args([
            "--shards",
            "2",
            "--port",
            "0",
            "--descriptor-tables",
            tables,
        ])
}

#[test]
fn a_sandbox_without_tables_of_their_own_is_told_or_does_without_them() {
    // Given a machine on which each shard would have its own table,
    let server = small("auto").start();
    server.wait_log("descriptor_tables=\"per-shard\"");
    // when a sandbox forbids that, then all share one, and streams go to their pages,
    let server = small("auto").without_unshare().start();
    server.wait_log("descriptor_tables=\"shared\"");
    for page in Page::one_per_shard(server.port(), "/", 2) {
        let mut streams: Vec<_> = (0..6).map(|_| page.stream()).collect();
        click(&page, "add", json!([]));
        for stream in &mut streams {
            stream.until(|event| sets(event, "count", 1));
        }
    }
    // but who asked for them is told what to change.
    let server = probe().without_unshare();
    let output = server.run_to_end([
        "--shards",
        "2",
        "--port",
        "0",
        "--descriptor-tables",
        "per-shard",
    ]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = "allow unshare(CLONE_FILES) in the sandbox, or use shared or auto";
    assert!(output.stderr.contains(told), "{output:?}");
}

const HEALTH: &[u8] = b"GET /_health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

/// Asks on a new connection; the answer's status, and the connection.
fn ask(server: &Running) -> Option<(u16, Connection)> {
    let mut connection = server.client().connect();
    connection.write(HEALTH).ok()?;
    let answer = connection.response(false).ok()?;
    if answer.status == 503 {
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(answer.header("connection"), Some("close"));
    }
    Some((answer.status, connection))
}

#[test]
fn a_full_table_turns_connections_away_keeps_those_it_has_and_recovers() {
    for tables in TABLES {
        // Given a page with a stream on a server of few descriptors,
        let server = small(tables).start();
        let page = Page::open(&server.client(), "/");
        let mut stream = page.stream();
        let mut clicks = server.client().connect();
        assert!(clicks.still_answers());
        // when connections come and stay until one is answered 503,
        let mut held = Vec::new();
        let full = (0..4 * FEW).any(|_| match ask(&server) {
            Some((503, _)) => true,
            Some((status, connection)) => {
                assert_eq!(status, 200);
                held.push(connection);
                false
            }
            None => false,
        });
        assert!(full, "{} connections were taken", held.len());
        assert!(held.len() > FEW / 2, "only {} were taken", held.len());
        // then the log says so, once for so many,
        server.wait_log("connections are turned away with 503");
        // those that are open are served,
        for connection in held.iter_mut().step_by(20) {
            assert!(connection.still_answers());
        }
        let origin = page.client.origin();
        let body = json!({ "via_ctx": page.context, "_args": [] }).to_string();
        let headers = [
            ("Origin", origin.as_str()),
            ("Content-Type", "application/json"),
        ];
        let request = page
            .client
            .encode("POST", "/_action/add", &headers, body.as_bytes());
        clicks.write(&request).unwrap();
        assert_eq!(clicks.response(false).unwrap().status, 200);
        stream.until(|event| sets(event, "count", 1));
        // and when there is room again, new ones too.
        drop(held);
        eventually("a connection that is taken again", || {
            ask(&server).filter(|(status, _)| *status == 200)
        });
    }
}
