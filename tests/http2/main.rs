//! HTTP/2: pages, clicks and streams by it, as a client of another implementation sees them, and
//! clients that break its rules.

#[path = "../common/mod.rs"]
mod common;

mod broken;
mod memory;
mod raw;
mod streams;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use autovia_testkit::{Authority, Client, Connection, Page, Running};
use common::{SHARDS, probe};
use serde_json::{Value, json};

struct Stage {
    authority: Authority,
    server: Running,
    client: Client,
}

fn stage(shards: usize, arguments: &[&str]) -> Stage {
    let authority = Authority::new();
    let certificate = authority.issue(&["127.0.0.1"]);
    let server = probe()
        .shards(shards)
        .args(arguments.iter().copied())
        .tls(&certificate)
        .start();
    let client = Client::new(server.port()).with_tls(authority.client_config());
    Stage {
        authority,
        server,
        client,
    }
}

impl Stage {
    /// A connection that has chosen a protocol, if the server takes it.
    fn connect(&self, protocols: &[&str]) -> Connection {
        let mut config = (*self.authority.client_config()).clone();
        config.alpn_protocols = protocols.iter().map(|&name| name.into()).collect();
        let client = self.client.stranger().with_tls(Arc::new(config));
        client.connect()
    }

    /// curl over HTTP/2.
    fn curl(&self, page: &Page, arguments: &[&str], path: &str) -> Command {
        let mut curl = Command::new("curl");
        let cookie = page.client.cookie("__Host-via_session_id");
        curl.args([
            "--silent",
            "--no-buffer",
            "--include",
            "--http2",
            "--max-time",
            "60",
        ])
        .arg("--cacert")
        .arg(self.authority.ca_file())
        .arg("--cookie")
        .arg(format!(
            "__Host-via_session_id={}",
            cookie.unwrap_or_default()
        ))
        .args(["--header", &format!("Origin: {}", self.client.origin())])
        .args(arguments)
        .arg(format!("{}{path}", self.server.base_url()))
        .stdout(Stdio::piped());
        curl
    }

    fn assert_well(&self) {
        let page = Page::open(&self.client.stranger(), "/");
        assert_eq!(page.act("add", json!([]), Value::Null).status, 200);
        let log = self.server.log().join("\n");
        assert!(!log.contains("panic"), "{log}");
    }
}

fn said(mut curl: Command) -> String {
    let output = curl.output().expect("curl is on this machine");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Reads what a running curl says, until `text`.
fn read_until(lines: &mut impl BufRead, text: &str) {
    let mut seen = String::new();
    while !seen.contains(text) {
        let before = seen.len();
        lines.read_line(&mut seen).expect("it is text");
        assert!(seen.len() > before, "it ended without {text:?}: {seen}");
    }
}

fn start(mut curl: Command) -> (Child, impl BufRead) {
    let mut child = curl.spawn().expect("curl is on this machine");
    let lines = BufReader::new(child.stdout.take().expect("a pipe"));
    (child, lines)
}

#[test]
fn pages_clicks_and_streams_of_every_shard_go_by_http_2() {
    for shards in SHARDS {
        let stage = stage(shards, &["--hsts-seconds=9"]);
        for shard in 0..u16::try_from(shards).expect("few shards") {
            // Given a page of some shard, and two streams of it by HTTP/2 on any shard,
            let page = Page::open_on(&stage.client, "/", shard);
            let mut streams: Vec<_> = (0..2)
                .map(|_| start(stage.curl(&page, &[], &page.stream_path())))
                .collect();
            for (_, lines) in &mut streams {
                read_until(lines, "HTTP/2 200");
                read_until(lines, "content-type: text/event-stream");
            }
            // when something is clicked by HTTP/2,
            let body = json!({ "via_ctx": page.context, "_args": [] }).to_string();
            let answer = said(stage.curl(&page, &["--data", &body], "/_action/add"));
            assert!(answer.starts_with("HTTP/2 200"), "{answer}");
            assert!(
                answer.contains("strict-transport-security: max-age=9"),
                "{answer}"
            );
            // then each stream tells it.
            for (mut child, mut lines) in streams {
                read_until(&mut lines, "\"count\":1");
                child.kill().expect("it runs");
                child.wait().expect("it ends");
            }
        }
        let page = Page::open(&stage.client, "/");
        let file = said(stage.curl(&page, &[], "/via.css"));
        assert!(
            file.starts_with("HTTP/2 200") && file.len() > 20_000,
            "{}",
            file.len()
        );
        let head = said(stage.curl(&page, &["--head"], "/"));
        assert!(head.starts_with("HTTP/2 200"), "{head}");
        let missing = said(stage.curl(&page, &[], "/nowhere"));
        assert!(missing.starts_with("HTTP/2 404"), "{missing}");
        let large = "x".repeat(1_100_000);
        let mut curl = stage.curl(&page, &["--data", "@-"], "/_action/add");
        let mut child = curl.stdin(Stdio::piped()).spawn().expect("curl");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(large.as_bytes()).expect("it reads");
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        let refused = String::from_utf8_lossy(&output.stdout);
        assert!(refused.contains("HTTP/2 413"), "{refused}");
        stage.assert_well();
    }
}

#[test]
fn a_server_that_leaves_ends_streams_and_connections_in_order() {
    let stage = stage(2, &[]);
    let page = Page::open(&stage.client, "/");
    let (mut child, mut lines) = start(stage.curl(&page, &[], &page.stream_path()));
    read_until(&mut lines, "HTTP/2 200");
    stage.server.ask_to_stop();
    read_until(&mut lines, "retry:");
    // curl ends with 0 only where the stream has ended as HTTP/2 has it.
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert_eq!(stage.server.wait_exit().code(), Some(0));
}

#[test]
fn it_is_spoken_where_both_want_it() {
    let with = stage(1, &[]);
    let without = stage(1, &["--http2=false"]);
    let chosen = |stage: &Stage, protocols: &[&str]| {
        let mut connection = stage.connect(protocols);
        let name = connection.tls().conn.alpn_protocol().map(<[u8]>::to_vec);
        name.map(|name| String::from_utf8(name).expect("a name"))
    };
    assert_eq!(chosen(&with, &["h2", "http/1.1"]).as_deref(), Some("h2"));
    assert_eq!(chosen(&with, &["http/1.1"]).as_deref(), Some("http/1.1"));
    assert_eq!(chosen(&with, &[]), None);
    assert_eq!(
        chosen(&without, &["h2", "http/1.1"]).as_deref(),
        Some("http/1.1")
    );
}

#[test]
fn of_tokio_the_server_has_the_traits_alone() {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--package",
            "autovia",
            "--edges",
            "normal,features",
        ])
        .args(["--invert", "tokio", "--prefix", "none", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .expect("cargo runs");
    let tree = String::from_utf8_lossy(&output.stdout);
    let lines = tree
        .lines()
        .filter_map(|line| line.strip_prefix("tokio feature \""));
    let mut features: Vec<_> = lines.filter_map(|line| line.split('"').next()).collect();
    features.sort_unstable();
    features.dedup();
    assert_eq!(features, ["bytes", "default", "io-util", "sync"], "{tree}");
}
