//! The two binaries that the tests run, and the verbs that most test files need.
//!
//! `cargo test` builds the probe app with the other examples; `cargo test --test NAME` doesn't:
//! `cargo build --example probe` does.

// Each test file is a crate of its own, and none needs all of this.
#![allow(dead_code)]

use std::path::{Path, PathBuf};

pub use autovia_testkit::eventually;
use autovia_testkit::{Client, Connection, Event, Page, Running, Server, Stream, element_text};

/// The shard counts with which everything about shards is tried.
pub const SHARDS: [usize; 3] = [1, 2, 5];

/// The server's own binary, with its showcase.
pub fn autovia() -> Server {
    Server::new(env!("CARGO_BIN_EXE_autovia"))
}

/// The app under `tests/apps/probe/`.
pub fn probe() -> Server {
    let bin = Path::new(env!("CARGO_BIN_EXE_autovia"));
    let probe = bin
        .parent()
        .expect("a binary lies in a folder")
        .join("examples/probe");
    assert!(
        probe.exists(),
        "{} is missing: cargo build --example probe",
        probe.display()
    );
    Server::new(probe)
}

/// How often the probe noted `what` so far.
pub fn noted(server: &Running, what: &str) -> u64 {
    // Without a cookie: a page of a session could push out an older page of the same one.
    let page = Client::without_cookies(server.port()).get("/log");
    let log = element_text(page.text(), "log").expect("the log page shows its log");
    log.lines()
        .find_map(|line| line.strip_prefix(what)?.strip_prefix('=')?.parse().ok())
        .unwrap_or(0)
}

/// Waits until the probe has noted `what` so often.
pub fn wait_noted(server: &Running, what: &str, times: u64) {
    eventually(&format!("{what} noted {times} times"), || {
        (noted(server, what) >= times).then_some(())
    });
}

/// Reads on until the value `name` is sent, and gives it.
pub fn value(stream: &mut Stream, name: &str) -> serde_json::Value {
    let event = stream.until(|event| has_value(event, name));
    event.signals()[name].clone()
}

/// Whether an event sends the value `name`.
pub fn has_value(event: &Event, name: &str) -> bool {
    event.is_signals() && event.signals().get(name).is_some()
}

/// Reads on until a failure is told, and gives it.
pub fn failure(stream: &mut Stream) -> serde_json::Value {
    value(stream, "_via_error")
}

/// Sends a click, or another request, as bytes, and leaves its outcome to [`status`].
pub fn send(page: &Page, bytes: &[u8]) -> Connection {
    let mut connection = page.client.connect();
    connection.write(bytes).expect("the server takes it");
    connection
}

/// The outcome of a click that was sent.
pub fn status(mut connection: Connection) -> u16 {
    let response = connection.response(false);
    response.expect("the outcome arrives").status
}

/// Sends far more to a slow reader of `/take` than fits anywhere, and asserts that it reads the newest
/// in the end, without most of what was between, and goes on. Gives what it read until the newest.
pub fn overwhelm(page: &Page, stream: &mut Stream) -> Vec<Event> {
    const SENT: usize = 40;
    let send = |text: &str| {
        let inputs = serde_json::json!({ "draft": text });
        let answer = page.act("send", serde_json::json!([]), inputs);
        assert_eq!(answer.status, 200);
    };
    let text = |n: usize| format!("{n} {}", "x".repeat(60_000));
    (1..=SENT).for_each(|n| send(&text(n)));
    let brings =
        |event: &Event, text: &str| has_value(event, "sent") && event.signals()["sent"] == text;
    let newest = text(SENT);
    let events = stream.collect_until(|event| brings(event, &newest));
    assert!(events.len() < SENT, "{} events were kept", events.len());
    send("short");
    stream.until(|event| brings(event, "short"));
    events
}

/// A file of a test, in the folder that cargo keeps for such files.
pub fn file(name: &str, content: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).expect("cargo's folder for tests can be written to");
    path
}
