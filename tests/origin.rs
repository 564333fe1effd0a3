//! Who may ask for what: a foreign `Origin` never, a missing one only what has no effect, or with
//! `--dev`; trusted origins replace the page's own host.

mod common;

use autovia_testkit::{Page, Running};
use common::{SHARDS, probe};
use serde_json::json;

/// What can be asked for, and whether it has an effect.
const ASKED: [(&str, bool); 4] = [
    ("page", false),
    ("stream", false),
    ("action", true),
    ("close", true),
];

/// The status of a request with this `Origin`. A page is opened for each, so none is in the way of
/// another.
fn ask(server: &Running, what: &str, origin: Option<&str>) -> u16 {
    let page = Page::open(&server.client(), "/");
    let headers: Vec<(&str, &str)> = origin
        .map(|origin| ("Origin", origin))
        .into_iter()
        .collect();
    let (method, path, body) = match what {
        "page" => ("GET", "/".to_owned(), String::new()),
        "stream" => ("GET", page.stream_path(), String::new()),
        "action" => (
            "POST",
            "/_action/add".to_owned(),
            json!({"via_ctx": page.context}).to_string(),
        ),
        _ => ("POST", "/_session/close".to_owned(), page.context.clone()),
    };
    let bytes = page.client.encode(method, &path, &headers, body.as_bytes());
    let mut connection = page.client.connect();
    connection.write(&bytes).expect("the server reads");
    connection.response_head().expect("an answer").status
}

#[test]
fn a_foreign_origin_is_refused_always() {
    for shards in SHARDS {
        for dev in [false, true] {
            let server = probe().shards(shards).arg(format!("--dev={dev}")).start();
            let port = server.port();
            for (what, _) in ASKED {
                for foreign in [
                    "http://evil.example".to_owned(),
                    "null".to_owned(),
                    format!("http://127.0.0.1:{}", port ^ 1),
                    "http://127.0.0.1".to_owned(),
                    format!("http://localhost:{port}"),
                    format!("http://127.0.0.1:{port}.evil.example"),
                    format!("http://evil.example/127.0.0.1:{port}"),
                    format!("ftp://127.0.0.1:{port}"),
                    format!("127.0.0.1:{port}"),
                ] {
                    let status = ask(&server, what, Some(&foreign));
                    assert_eq!(status, 403, "{what} from {foreign}, dev {dev}");
                }
                let own = format!("http://127.0.0.1:{port}");
                assert_eq!(ask(&server, what, Some(&own)), 200, "{what}");
                // A proxy that ends TLS leaves the host as it was.
                let behind_tls = format!("https://127.0.0.1:{port}");
                assert_eq!(ask(&server, what, Some(&behind_tls)), 200, "{what}");
            }
        }
    }
}

#[test]
fn a_missing_origin_has_no_effect_but_in_development() {
    for shards in SHARDS {
        for dev in [false, true] {
            let server = probe().shards(shards).arg(format!("--dev={dev}")).start();
            for (what, has_effect) in ASKED {
                let wanted = if has_effect && !dev { 403 } else { 200 };
                assert_eq!(ask(&server, what, None), wanted, "{what}, dev {dev}");
            }
        }
    }
}

#[test]
fn trusted_origins_replace_the_own_host() {
    let server = probe()
        .shards(2)
        .args(["--trusted-origin", "https://a.example"])
        .args(["--trusted-origin", "https://b.example:8443"])
        .start();
    let own = server.base_url();
    for (what, has_effect) in ASKED {
        for (origin, wanted) in [
            ("https://a.example", 200),
            ("https://b.example:8443", 200),
            ("http://a.example", 403),
            ("https://b.example", 403),
            ("https://c.example", 403),
            ("https://a.example.evil", 403),
            (own.as_str(), 403),
        ] {
            assert_eq!(ask(&server, what, Some(origin)), wanted, "{what} {origin}");
        }
        let missing = if has_effect { 403 } else { 200 };
        assert_eq!(ask(&server, what, None), missing, "{what}");
    }
}

#[test]
fn a_refused_action_has_no_effect_and_says_why() {
    let server = probe().shards(2).start();
    let page = Page::open(&server.client(), "/");
    let mut stream = page.stream();
    let foreign = page
        .action("add")
        .inputs(json!({"step": 5}))
        .header("Origin", "http://evil.example")
        .send();
    assert_eq!(foreign.status, 403);
    assert!(foreign.text().contains("--trusted-origin"), "{foreign:?}");
    let missing = page.action("add").without("Origin").send();
    assert_eq!(missing.status, 403);
    assert!(missing.text().contains("--dev"), "{missing:?}");
    // The next value is that of the first click that was let in.
    let event = stream.assert_silent_until(
        || assert_eq!(page.act("add", json!([]), json!({"step": 1})).status, 200),
        |event| event.is_signals(),
    );
    assert_eq!(event.signals()["count"], 1);
}
