//! Heads that pass, what they say, and properties of what passes.

mod refused;

use proptest::prelude::*;

use super::*;

/// Wraps header lines into a head that is otherwise right.
fn get(lines: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
}

fn target(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")
}

#[test]
fn heads_that_pass() {
    let rows = [
        target("/"),
        target("/a?b=c&d={}|\\^`\"'<>"),
        target("//"),
        target("/?"),
        target("http://A"),
        target("HTTPS://a/x"),
        target(&format!("/{}", "a".repeat(TARGET_MAX_BYTES - 1))),
        format!("\r\n{}", get("")),
        get("X:\r\n"),
        get("X:a\r\n"),
        get("X: \t a \t \r\n"),
        get("X: \u{e4}\u{20ac}\r\n"),
        get("X: a\r\nX: b\r\n"),
        get("Cookie: a\r\nCookie: b\r\n"),
        get("!#$%&'*+-.^_`|~09azAZ: x\r\n"),
        get(&"X: y\r\n".repeat(MAX_HEADERS - 1)),
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n".into(),
        "GET / HTTP/1.0\r\n\r\n".into(),
        "GET / HTTP/1.1\r\nHost: app.test:3000\r\n\r\n".into(),
        "GET / HTTP/1.1\r\nHost: [::1]:3000\r\n\r\n".into(),
        "GET / HTTP/1.1\r\nHost: [::ffff:127.0.0.1]\r\n\r\n".into(),
        "GET http://[::1]:3000/x HTTP/1.1\r\nHost: [::1]:3000\r\n\r\n".into(),
    ];
    for raw in rows {
        assert_eq!(scan(raw.as_bytes()), Ok(()), "{raw:?}");
        assert!(parse(raw.as_bytes()).is_ok(), "{raw:?}");
        assert_eq!(find_end(raw.as_bytes()), Some(raw.len()), "{raw:?}");
    }
}

#[test]
fn a_head_says_what_was_sent() {
    let raw = "POST /a%20b?x=1?&y HTTP/1.1\r\nHOST: App.test:80\r\nX-Empty:\r\nAccept: a\r\naccept: b\r\n\
               Content-Length: 007\r\nExpect: 100-Continue\r\n\r\n";
    let head = parse(raw.as_bytes()).unwrap();
    assert_eq!(head.method, Method::Post);
    assert_eq!(head.version, Version::Http11);
    assert_eq!((head.path(), head.query()), ("/a%20b", Some("x=1?&y")));
    assert_eq!(head.get("host"), Some("App.test:80"));
    assert_eq!(head.get("x-empty"), Some(""));
    assert_eq!(head.get("accept"), Some("a"));
    assert_eq!(head.get("missing"), None);
    assert_eq!(
        head.headers().filter(|(name, _)| *name == "accept").count(),
        2
    );
    assert_eq!(head.body, Body::Length(7));
    assert!(head.keep_alive && head.expect_continue);
    let shown = format!("{head:?}");
    assert!(
        !shown.contains("App.test") && !shown.contains("x=1"),
        "{shown}"
    );
}

#[test]
fn targets_are_taken_apart() {
    for (raw, path, query) in [
        (target("/"), "/", None),
        (target("/?"), "/", Some("")),
        (target("http://a"), "/", None),
        (target("http://a?q"), "/", Some("q")),
        (target("http://a/b/c?d"), "/b/c", Some("d")),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n".into(), "*", None),
    ] {
        let head = parse(raw.as_bytes()).unwrap();
        assert_eq!((head.path(), head.query()), (path, query), "{raw:?}");
    }
}

#[test]
fn connections_and_bodies() {
    for (version, lines, keep_alive, body) in [
        ("1.1", "", true, Body::None),
        ("1.1", "Connection: close\r\n", false, Body::None),
        (
            "1.1",
            "Connection: keep-alive, Close\r\n",
            false,
            Body::None,
        ),
        (
            "1.1",
            "Connection: x\r\nConnection: ,close\r\n",
            false,
            Body::None,
        ),
        ("1.1", "Connection: closed\r\n", true, Body::None),
        ("1.0", "", false, Body::None),
        ("1.0", "Connection: Keep-Alive\r\n", true, Body::None),
        (
            "1.0",
            "Connection: keep-alive, close\r\n",
            false,
            Body::None,
        ),
        ("1.0", "Content-Length: 3\r\n", false, Body::Length(3)),
        ("1.1", "Content-Length: 0\r\n", true, Body::None),
        (
            "1.1",
            "Content-Length: 18446744073709551615\r\n",
            true,
            Body::Length(u64::MAX),
        ),
        ("1.1", "transfer-encoding:chunked\r\n", true, Body::Chunked),
    ] {
        let raw = format!("POST / HTTP/{version}\r\nHost: a\r\n{lines}\r\n");
        let head = parse(raw.as_bytes()).unwrap();
        assert_eq!((head.keep_alive, head.body), (keep_alive, body), "{raw:?}");
    }
    let old =
        parse(b"POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n").unwrap();
    assert!(!old.expect_continue, "HTTP/1.0 knows no interim answers");
}

#[test]
fn bytes_that_are_no_utf8_are_marked_and_spoil_nothing_else() {
    let head =
        parse(b"GET / HTTP/1.1\r\nHost: a\r\nCookie: x=\xe4; via_session_id=1\r\nY: z\r\n\r\n")
            .unwrap();
    assert_eq!(head.get("cookie"), Some("x=\u{fffd}; via_session_id=1"));
    assert_eq!(head.get("y"), Some("z"));
}

#[test]
fn the_end_is_found_once() {
    for (buf, end) in [
        ("", None),
        ("\r\n", None),
        ("\r\n\r\n", Some(4)),
        ("a\r\n\r", None),
        ("a\r\n\r\nb", Some(5)),
        ("a\r\nb\r\n\r\n\r\n", Some(8)),
        ("a\n\nb", Some(3)),
        ("a\n\r\nb", Some(4)),
        ("a\r\n\nb", Some(4)),
        ("a\r\r\nb", None),
    ] {
        assert_eq!(find_end(buf.as_bytes()), end, "{buf:?}");
        let mut seen = 0;
        let found = (0..=buf.len()).find_map(|now| {
            let found = find_end_from(&buf.as_bytes()[..now], seen);
            seen = now;
            found
        });
        assert_eq!(found, end, "byte by byte: {buf:?}");
    }
    assert_eq!(find_end_from(b"ab", 9), None);
}

#[test]
fn too_much_is_told_apart() {
    assert_eq!(HeadError::oversize(b"GET /aaaaaaaa").status(), 414);
    assert_eq!(
        HeadError::oversize(b"GET / HTTP/1.1\r\nX: aaaa").status(),
        431
    );
}

/// Bytes around the places where parsers disagree.
fn nearly_a_head() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "GET / HTTP/1.1",
        "GET / HTTP/1.0",
        "\r\n",
        "\r\n",
        "\r\n",
        "\n",
        "\r",
        "Host: a",
        "Host",
        ":",
        " ",
        "\t",
        "X: y",
        "Content-Length: 3",
        "Transfer-Encoding: chunked",
        ",",
        "\0",
        "\u{a0}",
        "http://a/",
        "*",
        "Connection: close",
    ]);
    proptest::collection::vec(piece, 0..14).prop_map(|pieces| {
        let mut bytes = b"GET / HTTP/1.1\r\nHost: a\r\n".to_vec();
        if pieces.len() % 3 == 0 {
            bytes.clear();
        }
        bytes.extend_from_slice(pieces.concat().as_bytes());
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes
    })
}

proptest! {
    #[test]
    fn a_head_that_passes_is_plain(raw in nearly_a_head()) {
        if let Ok(head) = parse(&raw) {
            let text = std::str::from_utf8(&raw).unwrap();
            let text = text.strip_prefix("\r\n").unwrap_or(text);
            let lines: Vec<&str> = text.split("\r\n").collect();
            prop_assert!(lines.iter().all(|line| !line.contains(['\r', '\n', '\0'])));
            prop_assert_eq!(lines.iter().filter(|line| line.is_empty()).count(), 2);
            prop_assert_eq!(head.headers().count(), lines.len() - 3);
            let count = |name| head.headers().filter(|(key, _)| *key == name).count();
            prop_assert!(count("content-length") + count("transfer-encoding") <= 1);
            prop_assert!(count("host") <= 1);
            prop_assert_eq!(find_end(&raw[raw.len() - text.len()..]), Some(text.len()));
            for (line, (name, value)) in lines[1..].iter().zip(head.headers()) {
                let (sent, rest) = line.split_once(':').unwrap();
                prop_assert_eq!(sent.to_ascii_lowercase(), name);
                prop_assert_eq!(rest.trim_matches([' ', '\t']), value);
            }
        }
    }

    #[test]
    fn both_parsers_take_the_same_heads(raw in nearly_a_head()) {
        prop_assert_eq!(scan(&raw), parse(&raw).map(drop));
    }

    #[test]
    fn any_bytes_are_refused(raw: Vec<u8>) {
        prop_assert!(find_end(&raw).is_none_or(|end| end <= raw.len()));
        prop_assert!(parse(&raw).is_err());
    }
}
