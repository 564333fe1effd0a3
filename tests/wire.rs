//! What a browser gets over HTTP: the page in its shell, the files, the headers of both, and what
//! is told without a page.

mod common;

use std::path::Path;

use autovia_testkit::{Page, Response, attribute_values};
use common::{SHARDS, autovia, probe, value};
use serde_json::{Value, json};

/// The files that a page needs.
const FILES: [(&str, &str); 5] = [
    ("/datastar.js", "text/javascript; charset=utf-8"),
    ("/autovia.js", "text/javascript; charset=utf-8"),
    ("/autovia-page.js", "text/javascript; charset=utf-8"),
    ("/via.css", "text/css; charset=utf-8"),
    ("/favicon.svg", "image/svg+xml"),
];

fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[test]
fn the_shell_carries_the_context_and_every_value_and_later_html_neither() {
    for shards in SHARDS {
        let server = probe().shards(shards).start();
        let page = Page::open(&server.client(), "/");
        // Given a page, then one element seeds its context and all of its values,
        let seeds = attribute_values(page.html(), "data-signals");
        assert_eq!(seeds.len(), 1, "{}", page.html());
        assert_eq!(
            Value::Object(page.signals.clone()),
            json!({"via_ctx": page.context, "count": 0, "step": 1})
        );
        assert_eq!(page.context.len(), 26);
        // also shared ones,
        let global = Page::open(&server.client(), "/global");
        assert_eq!(
            Value::Object(global.signals.clone()),
            json!({"via_ctx": global.context, "total": 0, "mine": 0})
        );
        // the shell opens the stream and knows which values are inputs,
        assert_eq!(attribute_values(page.html(), "data-init"), ["@stream()"]);
        assert_eq!(
            attribute_values(page.html(), "data-via-inputs"),
            [r#"["step"]"#]
        );
        assert_eq!(attribute_values(page.html(), "data-via-heartbeat"), ["45"]);

        // and when its HTML changes, then what is sent has neither context nor seeds.
        let room = Page::open(&server.client(), "/room/a");
        let mut stream = room.stream();
        assert_eq!(room.act("post", json!(["hello"]), json!(null)).status, 200);
        let html = stream.until(|event| event.is_elements()).elements();
        assert!(html.contains("1: hello"), "{html}");
        for absent in ["via_ctx", "data-signals", room.context.as_str(), "<html"] {
            assert!(!html.contains(absent), "{absent} in {html}");
        }
    }
}

#[test]
fn a_stream_needs_only_the_context_in_its_address() {
    let server = probe().shards(2).start();
    let page = Page::open(&server.client(), "/");
    assert!(page.stream_path().starts_with("/_sse?datastar=%7B"));
    let mut stream = page.stream();
    assert_eq!(page.act("add", json!([]), json!({"step": 41})).status, 200);
    assert_eq!(value(&mut stream, "count"), 41);
}

#[test]
fn pages_are_html_that_nobody_stores() {
    for server in [autovia(), probe()] {
        let server = server.shards(2).start();
        let page = server.client().get("/");
        assert_eq!(page.status, 200);
        assert_eq!(
            page.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        assert_eq!(page.header("cache-control"), Some("no-store"));
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        assert!(page.text().starts_with("<!doctype html>"));
        // Every placeholder of the shell is filled.
        assert!(!page.text().contains("{{"), "{}", page.text());
        // Whatever it links to on this server is there.
        let links = ["href", "src"].map(|name| attribute_values(page.text(), name));
        let own = links
            .iter()
            .flatten()
            .filter(|link| link.starts_with('/') && (link.contains('.') || link.as_str() == "/"));
        let own: Vec<_> = own.collect();
        assert!(own.len() >= 4, "{links:?}");
        for link in own {
            assert_eq!(server.client().get(link).status, 200, "{link}");
        }
    }
}

#[test]
fn the_browser_client_is_upstreams_byte_for_byte() {
    let server = autovia().shards(1).start();
    let origin = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/vendor/datastar/ORIGIN.md");
    let origin = std::fs::read_to_string(origin).expect("the origin is written down");
    let line = origin
        .lines()
        .find_map(|line| line.strip_prefix("| sha256 | "))
        .expect("a row with the sum");
    let served = server.client().get("/datastar.js");
    assert_eq!(sha256(&served.body), line.trim_end_matches(" |"));
}

#[test]
fn files_have_a_tag_and_are_not_sent_twice() {
    for (dev, cache_control) in [
        (false, "public, max-age=3600, must-revalidate"),
        (true, "no-cache"),
    ] {
        let server = autovia().shards(2).arg(format!("--dev={dev}")).start();
        let client = server.client();
        for (path, content_type) in FILES {
            // Given a file, when it is asked for again with its tag, then it is not sent.
            let first = client.get(path);
            assert_eq!(first.status, 200, "{path}");
            assert_eq!(first.header("content-type"), Some(content_type));
            assert_eq!(first.header("cache-control"), Some(cache_control));
            let tag = first.header("etag").expect("a tag").to_owned();
            for known in [
                tag.clone(),
                format!("W/{tag}"),
                format!("\"other\", {tag}"),
                "*".to_owned(),
            ] {
                let again = client.request("GET", path, &[("If-None-Match", &known)], b"");
                assert_eq!((again.status, again.body.len()), (304, 0), "{path} {known}");
                assert_eq!(again.header("etag"), Some(tag.as_str()));
                assert_eq!(again.header("cache-control"), Some(cache_control));
            }
            let other = client.request("GET", path, &[("If-None-Match", "\"other\"")], b"");
            assert_eq!((other.status, &other.body), (200, &first.body), "{path}");

            // HEAD tells its length and sends nothing.
            let head = client.head(path);
            assert_eq!(
                (head.status, head.header("content-length")),
                (200, Some(first.body.len().to_string().as_str()))
            );
            // Nobody gets a session from a file.
            assert_eq!(first.header("set-cookie"), None);
            // A file can't be written to.
            let post = client.post(path, &[], "x");
            assert_eq!(
                (post.status, post.header("allow")),
                (405, Some("GET, HEAD"))
            );
        }
        let icon = client.get("/favicon.ico");
        assert_eq!(
            (icon.status, icon.header("location")),
            (301, Some("/favicon.svg"))
        );
    }
}

fn assert_dressed(response: &Response, status: u16) {
    assert_eq!(response.status, status);
    assert_eq!(
        response.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert!(response.text().contains("/via.css"), "{}", response.text());
    assert!(response.text().contains(&status.to_string()));
}

#[test]
fn what_is_not_here_is_told_in_the_sites_dress() {
    for server in [autovia(), probe()] {
        let server = server.shards(2).start();
        for path in [
            "/no/such/page",
            "/_action",
            "/_",
            "/datastar.js/x",
            "/%C3%A4",
        ] {
            let missing = server.client().get(path);
            assert_dressed(&missing, 404);
            let head = server.client().head(path);
            assert_eq!((head.status, head.body.len()), (404, 0));
        }
        assert_eq!(server.health()["connections"]["contexts"], 0);
    }
}

#[test]
fn parameters_of_a_path_are_decoded_and_shown_literally() {
    let server = probe().shards(2).start();
    let page = Page::open(&server.client(), "/params/2026/%3Cb%3E%20%26%20%C3%A4%2Fb");
    assert_eq!(page.text("year"), "2026");
    assert_eq!(page.text("slug"), "<b> & ä/b");
    // User text in the place of markup stays text; so do the shell's own placeholders.
    let page = Page::open(&server.client(), "/params/x/%7B%7Bsignals%7D%7D");
    assert_eq!(page.text("slug"), "{{signals}}");
    assert_eq!(attribute_values(page.html(), "data-signals").len(), 1);
}
