//! The table of heads that are refused, each with its reason and status.

use super::*;

#[test]
fn refused_heads_and_their_reasons() {
    use HeadError::*;
    let many = format!(
        "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
        "X: y\r\n".repeat(MAX_HEADERS)
    );
    let long = target(&format!("/{}", "a".repeat(TARGET_MAX_BYTES)));
    let rows: Vec<(String, HeadError, u16)> = vec![
        // Line ends and characters.
        (String::new(), Unfinished, 400),
        ("\r\n\r\n".into(), RequestLine, 400),
        ("GET / HTTP/1.1\r\nHost: a\r\n".into(), Unfinished, 400),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r".into(), Unfinished, 400),
        (get("") + "x", Unfinished, 400),
        ("GET / HTTP/1.1\nHost: a\n\n".into(), BareLf, 400),
        ("GET / HTTP/1.1\r\nHost: a\n\r\n".into(), BareLf, 400),
        ("GET / HTTP/1.1\r\nHost: a\r\n\n".into(), BareLf, 400),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nX: a\nContent-Length: 5\r\n\r\n".into(),
            BareLf,
            400,
        ),
        ("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n".into(), BareLf, 400),
        (get("X: a\rContent-Length: 5\r\n"), BareCr, 400),
        (get("X: a\r\r\n"), BareCr, 400),
        ("GET / HTTP/1.1\rHost: a\r\r".into(), BareCr, 400),
        (get("X: a\0b\r\n"), Control, 400),
        (get("X: a\x0bb\r\n"), Control, 400),
        (get("X: a\x7fb\r\n"), Control, 400),
        (get("X\0: a\r\n"), Control, 400),
        ("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n".into(), Control, 400),
        // The request line.
        ("GET /\r\n\r\n".into(), RequestLine, 400),
        ("GET\r\n\r\n".into(), RequestLine, 400),
        (
            "GET  / HTTP/1.1\r\nHost: a\r\n\r\n".into(),
            RequestLine,
            400,
        ),
        (
            "GET /  HTTP/1.1\r\nHost: a\r\n\r\n".into(),
            RequestLine,
            400,
        ),
        (
            "GET / HTTP/1.1 \r\nHost: a\r\n\r\n".into(),
            RequestLine,
            400,
        ),
        (
            " GET / HTTP/1.1\r\nHost: a\r\n\r\n".into(),
            RequestLine,
            400,
        ),
        (
            "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n".into(),
            RequestLine,
            400,
        ),
        (
            "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n".into(),
            RequestLine,
            400,
        ),
        (
            "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n".into(),
            RequestLine,
            400,
        ),
        ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n".into(), RequestLine, 400),
        ("GET / http/1.1\r\nHost: a\r\n\r\n".into(), RequestLine, 400),
        ("GET / HTTP/1\r\nHost: a\r\n\r\n".into(), RequestLine, 400),
        (
            "GET / HTTP/1.10\r\nHost: a\r\n\r\n".into(),
            RequestLine,
            400,
        ),
        (
            "GET / HTTP/+1.1\r\nHost: a\r\n\r\n".into(),
            RequestLine,
            400,
        ),
        ("GET / ICY/1.1\r\nHost: a\r\n\r\n".into(), RequestLine, 400),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n".into(), Version, 505),
        ("GET / HTTP/1.2\r\nHost: a\r\n\r\n".into(), Version, 505),
        ("GET / HTTP/0.9\r\nHost: a\r\n\r\n".into(), Version, 505),
        ("PRI * HTTP/2.0\r\n\r\n".into(), Version, 505),
        ("FOO / HTTP/1.1\r\nHost: a\r\n\r\n".into(), Method, 501),
        ("get / HTTP/1.1\r\nHost: a\r\n\r\n".into(), Method, 501),
        ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n".into(), Method, 501),
        (
            "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n".into(),
            Method,
            501,
        ),
        // The target.
        (target("a:80"), Target, 400),
        (target("*"), Target, 400),
        (target("a/b"), Target, 400),
        (target("?x"), Target, 400),
        (target("/#x"), Target, 400),
        (target("/ä"), Target, 400),
        (target("ftp://a/"), Target, 400),
        (target("http:/a/"), Target, 400),
        (target("http://"), Target, 400),
        (target("http:///x"), Target, 400),
        (target("http://u@a/"), Target, 400),
        (target("http://a:b/"), Target, 400),
        (target("http://b/"), HostMismatch, 400),
        (target("http://a:80/"), HostMismatch, 400),
        ("GET http://a/ HTTP/1.0\r\n\r\n".into(), HostMismatch, 400),
        (long, TargetTooLong, 414),
        // Header lines.
        (get("X: a\r\n b\r\n"), Folded, 400),
        (get("X: a\r\n\tb\r\n"), Folded, 400),
        (get(" X: a\r\n"), Folded, 400),
        ("GET / HTTP/1.1\r\n Host: a\r\n\r\n".into(), Folded, 400),
        (get("X : a\r\n"), Name, 400),
        (get("X\t: a\r\n"), Name, 400),
        (get("Content-Length : 5\r\n"), Name, 400),
        (get(": a\r\n"), Name, 400),
        (get("X\r\n"), Name, 400),
        (get("X Y: a\r\n"), Name, 400),
        (get("X(: a\r\n"), Name, 400),
        (get("Ä: a\r\n"), Name, 400),
        (get("\u{a0}X: a\r\n"), Name, 400),
        (many, TooManyHeaders, 431),
        // Host.
        ("GET / HTTP/1.1\r\n\r\n".into(), NoHost, 400),
        (get("Host: a\r\n"), Repeated, 400),
        (get("host: b\r\n"), Repeated, 400),
        (
            "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n".into(),
            Repeated,
            400,
        ),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n".into(), BadHost, 400),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n".into(), BadHost, 400),
        ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n".into(), BadHost, 400),
        ("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n".into(), BadHost, 400),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n".into(), BadHost, 400),
        ("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n".into(), BadHost, 400),
        ("GET / HTTP/1.1\r\nHost: a:8x\r\n\r\n".into(), BadHost, 400),
        ("GET / HTTP/1.1\r\nHost: :80\r\n\r\n".into(), BadHost, 400),
        ("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n".into(), BadHost, 400),
        (
            "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n".into(),
            BadHost,
            400,
        ),
        ("GET / HTTP/1.1\r\nHost: ::1\r\n\r\n".into(), BadHost, 400),
        ("GET / HTTP/1.1\r\nHost: []\r\n\r\n".into(), BadHost, 400),
        (
            "GET / HTTP/1.1\r\nHost: [[::1]\r\n\r\n".into(),
            BadHost,
            400,
        ),
        (
            "GET / HTTP/1.1\r\nHost: [::1]]\r\n\r\n".into(),
            BadHost,
            400,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n".into(),
            BadHost,
            400,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\u{a0}\r\n\r\n".into(),
            BadHost,
            400,
        ),
        // Lengths and codings.
        (
            get("Content-Length: 5\r\nContent-Length: 5\r\n"),
            Repeated,
            400,
        ),
        (
            get("Content-Length: 5\r\ncontent-length: 6\r\n"),
            Repeated,
            400,
        ),
        (get("Content-Length: 5, 5\r\n"), Length, 400),
        (get("Content-Length: +5\r\n"), Length, 400),
        (get("Content-Length: -5\r\n"), Length, 400),
        (get("Content-Length: 0x5\r\n"), Length, 400),
        (get("Content-Length: 5 5\r\n"), Length, 400),
        (get("Content-Length: 5.0\r\n"), Length, 400),
        (get("Content-Length:\r\n"), Length, 400),
        (get("Content-Length: \u{665}\r\n"), Length, 400),
        (get("Content-Length: 18446744073709551616\r\n"), Length, 400),
        (
            get("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
            LengthAndChunked,
            400,
        ),
        (
            get("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"),
            LengthAndChunked,
            400,
        ),
        (
            get("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
            Repeated,
            400,
        ),
        (get("Transfer-Encoding: gzip, chunked\r\n"), Coding, 501),
        (get("Transfer-Encoding: chunked, chunked\r\n"), Coding, 501),
        (get("Transfer-Encoding: chunked, identity\r\n"), Coding, 501),
        (get("Transfer-Encoding: identity\r\n"), Coding, 501),
        (get("Transfer-Encoding: xchunked\r\n"), Coding, 501),
        (get("Transfer-Encoding: Chunked\r\n"), Coding, 501),
        (get("Transfer-Encoding: \"chunked\"\r\n"), Coding, 501),
        (get("Transfer-Encoding: chunked;q=1\r\n"), Coding, 501),
        (get("Transfer-Encoding: chunked,\r\n"), Coding, 501),
        (get("Transfer-Encoding:\r\n"), Coding, 501),
        (get("Transfer-Encoding: \x0bchunked\r\n"), Control, 400),
        (get("Transfer-Encoding : chunked\r\n"), Name, 400),
        (
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".into(),
            ChunkedInHttp10,
            400,
        ),
        // Headers of which two would be two readings.
        (
            get("Origin: http://a\r\nOrigin: http://b\r\n"),
            Repeated,
            400,
        ),
        (
            get("Idempotency-Key: 1\r\nIdempotency-Key: 2\r\n"),
            Repeated,
            400,
        ),
        (
            get("Content-Type: a/b\r\nContent-Type: a/b\r\n"),
            Repeated,
            400,
        ),
        (get("Expect: 200-ok\r\n"), Expectation, 417),
        (
            get("Expect: 100-continue\r\nExpect: 100-continue\r\n"),
            Repeated,
            400,
        ),
    ];
    for (raw, error, status) in rows {
        assert_eq!(scan(raw.as_bytes()), Err(error), "{raw:?}");
        assert_eq!(parse(raw.as_bytes()).unwrap_err(), error, "{raw:?}");
        assert_eq!(error.status(), status, "{raw:?}");
        let line = error.to_string();
        assert!(line.len() < 160 && !line.contains(['\r', '\n']), "{line}");
    }
}
