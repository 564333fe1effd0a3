//! Request lines and headers that are refused before anything is routed; the connection is closed
//! after each.

use super::{Row, closed};

/// A request with this line and these headers, each ended by CR LF.
fn head(line: &str, headers: &[&str]) -> Vec<u8> {
    let mut text = format!("{line}\r\n");
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text.into_bytes()
}

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (line, status) in [
        ("GET /", 400),
        ("GET", 400),
        ("/ HTTP/1.1", 400),
        (" GET / HTTP/1.1", 400),
        ("GET  / HTTP/1.1", 400),
        ("GET /  HTTP/1.1", 400),
        ("GET\t/ HTTP/1.1", 400),
        ("GET / HTTP/1.1 ", 400),
        ("GET / HTTP/1.1 x", 400),
        ("GET /a b HTTP/1.1", 400),
        ("GET a HTTP/1.1", 400),
        ("GET * HTTP/1.1", 400),
        ("GET ?x HTTP/1.1", 400),
        ("GET ftp://a/ HTTP/1.1", 400),
        ("GET http:// HTTP/1.1", 400),
        ("GET http://other/ HTTP/1.1", 400),
        ("GET http://u@a/ HTTP/1.1", 400),
        ("GET /\u{7f} HTTP/1.1", 400),
        ("GET /é HTTP/1.1", 400),
        ("GET / HTTP/2.0", 505),
        ("GET / HTTP/1.2", 505),
        ("GET / HTTP/0.9", 505),
        ("GET / HTTP/1.10", 400),
        ("GET / http/1.1", 400),
        ("GET / HTTPS/1.1", 400),
        ("GET / 1.1", 400),
        ("get / HTTP/1.1", 501),
        ("BREW / HTTP/1.1", 501),
        ("TRACE / HTTP/1.1", 501),
        ("CONNECT a:80 HTTP/1.1", 501),
        ("G(T / HTTP/1.1", 400),
    ] {
        rows.push(closed(line, head(line, &["Host: a"]), status));
    }
    for headers in [
        &[][..],
        &["Host: a", "Host: a"],
        &["Host: a", "Host: b"],
        &["Host: a b"],
        &["Host: a/b"],
        &["Host: u@a"],
        &["Host: a:x"],
        &["Host: [::1"],
        &["Host: a, b"],
        &["Host: a", "X: a\rb"],
        &["Host: a", "X: a\0b"],
        &["Host: a", "X: a\u{1}b"],
        &["Host: a", "X: a\u{7f}b"],
        &["Host: a", "X: a", " folded: x"],
        &["Host: a", "X: a", "\tfolded: x"],
        &[" Host: a"],
        &["Host : a"],
        &["Host\t: a"],
        &["Host: a", "no colon"],
        &["Host: a", ": no name"],
        &["Host: a", "X(): a"],
        &["Host: a", "Xé: a"],
        &["Host: a", "X Y: a"],
        &["Host: a", "\"X\": a"],
        &["Host: a", "Origin: http://a", "Origin: http://b"],
    ] {
        let what = format!("headers {headers:?}");
        rows.push(closed(what, head("GET / HTTP/1.1", headers), 400));
    }
    for (what, bytes, status) in [
        ("bare LF", &b"GET / HTTP/1.1\nHost: a\n\n"[..], 400),
        (
            "one bare LF",
            b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
            400,
        ),
        (
            "bare LF at the end",
            b"GET / HTTP/1.1\r\nHost: a\r\n\n",
            400,
        ),
        ("CR for a line end", b"GET / HTTP/1.1\rHost: a\r\n\r\n", 400),
        (
            "NUL in the line",
            b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
            400,
        ),
        (
            "no UTF-8 in the target",
            b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
            400,
        ),
        (
            "no UTF-8 in a name",
            b"GET / HTTP/1.1\r\nHost: a\r\n\xff: a\r\n\r\n",
            400,
        ),
        (
            "a TLS hello",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
            400,
        ),
        (
            "bytes at random",
            b"\x8f\xa9\x00\xfe\x01 \x02 \x03\r\n\r\n",
            400,
        ),
        ("a mail", b"EHLO a\r\n\r\n", 400),
        (
            "HTTP/2 without a question",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            505,
        ),
    ] {
        rows.push(closed(what, bytes, status));
    }
    let long = "a".repeat(17 * 1024);
    rows.push(closed(
        "a target of 17 KiB",
        head(&format!("GET /{long} HTTP/1.1"), &["Host: a"]),
        414,
    ));
    rows.push(closed(
        "a target of 9 KiB",
        head(
            &format!("GET /{} HTTP/1.1", &long[..9 * 1024]),
            &["Host: a"],
        ),
        414,
    ));
    rows.push(closed("a line without an end", format!("GET /{long}"), 414));
    rows.push(closed(
        "a header of 17 KiB",
        head("GET / HTTP/1.1", &["Host: a", &format!("X: {long}")]),
        431,
    ));
    rows.push(closed(
        "cookies of 17 KiB",
        head("GET / HTTP/1.1", &["Host: a", &format!("Cookie: x={long}")]),
        431,
    ));
    let many: Vec<String> = (0..100).map(|n| format!("X-{n}: y")).collect();
    let mut headers = vec!["Host: a"];
    headers.extend(many.iter().map(String::as_str));
    rows.push(closed("100 headers", head("GET / HTTP/1.1", &headers), 431));
    rows
}
