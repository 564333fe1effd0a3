//! Well-formed requests for what isn't there, isn't meant so, or isn't the sender's.

use autovia_testkit::{Client, Page};

use super::{Row, closed, open};

/// Another text of the same form: what stands at `at` is another character.
pub fn changed(text: &str, at: usize) -> String {
    let other = if text.as_bytes()[at] == b'A' {
        "B"
    } else {
        "A"
    };
    format!("{}{other}{}", &text[..at], &text[at + 1..])
}

/// Context ids that are none, with what each is.
pub fn malformed_ids(page: &Page) -> Vec<(&'static str, String)> {
    let id = &page.context;
    vec![
        ("an empty id", String::new()),
        ("a short id", id[..25].to_owned()),
        ("a long id", format!("{id}A")),
        ("a padded id", format!("{}=", &id[..25])),
        ("an id of another alphabet", format!("{}+", &id[..25])),
        ("an id with a space", format!(" {}", &id[..25])),
        ("an id of another version", changed(id, 0)),
        ("an id in two ways", format!("{}B", &id[..25])),
        (
            "an id that is a path",
            "../../../../../etc/passwd/".to_owned(),
        ),
        ("an id that is no ASCII", "ä".repeat(13)),
    ]
}

/// Ids of the right form that lead to no page.
pub fn unknown_ids(page: &Page) -> Vec<(&'static str, String)> {
    let id = &page.context;
    vec![
        ("an id of another node", changed(id, 3)),
        (
            "an id of a shard that isn't there",
            format!("{}__{}", &id[..7], &id[9..]),
        ),
        ("an id that nobody has", changed(id, 15)),
    ]
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

pub fn rows(page: &Page, stranger: &Client) -> Vec<Row> {
    let client = &page.client;
    let get = |path: &str| client.encode("GET", path, &[], b"");
    let mut rows = Vec::new();
    for path in [
        "/no/such/page",
        "/no/such/page?x=1",
        "//",
        "/_action",
        "/_sse/",
        "/_health/",
        "/datastar.js/x",
        "/params/2026",
        "/params/2026/a/b",
        "/%C3%A4",
    ] {
        rows.push(open(path, get(path), 404));
    }
    for path in [
        "/..",
        "/../x",
        "/a/../b",
        "/a/./b",
        "/%2e%2e/x",
        "/%2E%2E%2Fx",
        "/a%2f..%2fb",
        "/params/2026/%2e%2e",
        "/a%5cb",
        "/params/%5c..%5cx/a",
        "/%zz",
        "/%",
        "/%2",
        "/%ff",
        "/%c0%af",
        "/params/x/%00",
        "/_action/%ff",
    ] {
        rows.push(open(path, get(path), 400));
    }
    for (method, path) in [
        ("POST", "/"),
        ("PUT", "/"),
        ("PATCH", "/"),
        ("DELETE", "/"),
        ("OPTIONS", "/"),
        ("POST", "/_sse"),
        ("HEAD", "/_sse"),
        ("PUT", "/_sse"),
        ("GET", "/_action/add"),
        ("HEAD", "/_action/add"),
        ("DELETE", "/_action/add"),
        ("OPTIONS", "/_action/add"),
        ("GET", "/_session/close"),
        ("PUT", "/_session/close"),
        ("POST", "/_health"),
        ("POST", "/datastar.js"),
        ("DELETE", "/via.css"),
    ] {
        let bytes = client.encode(method, path, &[], b"");
        rows.push(open(format!("{method} {path}"), bytes, 405));
    }
    // The query of a stream.
    for query in [
        String::new(),
        "?".to_owned(),
        "?x=1".to_owned(),
        "?datastar".to_owned(),
        "?datastar=".to_owned(),
        "?datastar=%zz".to_owned(),
        "?datastar=%ff".to_owned(),
        "?datastar=x".to_owned(),
        "?datastar=[]".to_owned(),
        "?datastar=1".to_owned(),
        "?datastar=null".to_owned(),
        "?datastar={}".to_owned(),
        format!("?datastar={}", encoded("{\"via_ctx\":1}")),
        format!("?datastar={}", encoded("{\"via_ctx\":null}")),
        format!("?datastar={}", encoded("{\"via_ctx\":[\"a\"]}")),
        format!("?datastar={}", encoded("{\"via_ctx\":{}}")),
        format!("?datastar={}", encoded("{\"via_ctx\":\"a\"")),
        format!(
            "?datastar={}",
            encoded("{\"via_ctx\":\"a\",\"via_ctx\":\"b\"}")
        ),
        format!(
            "?datastar={}",
            encoded(&format!("{{\"x\":{}", "[".repeat(900)))
        ),
        format!("{}&datastar={{}}", &page.stream_path()["/_sse".len()..]),
    ] {
        let bytes = get(&format!("/_sse{query}"));
        rows.push(open(format!("stream {query}"), bytes, 400));
    }
    let stream_of = |id: &str| {
        let json = serde_json::json!({ "via_ctx": id }).to_string();
        format!("/_sse?datastar={}", encoded(&json))
    };
    for (what, id) in malformed_ids(page) {
        rows.push(open(format!("stream: {what}"), get(&stream_of(&id)), 400));
    }
    // To whom a stream is refused is found out where its page lives, and the socket stays there.
    for (what, id) in unknown_ids(page) {
        let mut row = closed(format!("stream: {what}"), get(&stream_of(&id)), 410);
        if !what.contains("nobody") {
            row.then = super::Then::Open;
        }
        rows.push(row);
    }
    let stolen = stranger.encode("GET", &page.stream_path(), &[], b"");
    rows.push(closed("a stranger's stream", stolen, 410));
    let anonymous = client.encode("GET", &page.stream_path(), &[("Cookie", "x=y")], b"");
    rows.push(closed("a stream without a session", anonymous, 410));
    let foreign = [("Origin", "http://evil.example")];
    let bytes = client.encode("GET", &page.stream_path(), &foreign, b"");
    rows.push(open("a foreign origin's stream", bytes, 403));
    let bytes = client.encode("GET", "/", &foreign, b"");
    rows.push(open("a foreign origin's page", bytes, 403));
    // A stream takes the connection: nothing may follow it there.
    let bytes = client.encode(
        "GET",
        &page.stream_path(),
        &[("Content-Length", "2")],
        b"{}",
    );
    rows.push(open("a stream with a body", bytes, 400));
    rows
}
