//! Requests of which two readers could see different ends, and bodies that don't keep to their
//! framing: refused, and the connection closed, so that nothing can hide behind them.

use super::{Row, closed};

/// What a smuggler would hide; it must never be answered.
const HIDDEN: &str = "GET /_health HTTP/1.1\r\nHost: a\r\n\r\n";

fn post(headers: &str, body: &str) -> Vec<u8> {
    format!("POST /_action/add HTTP/1.1\r\nHost: a\r\n{headers}\r\n{body}{HIDDEN}").into_bytes()
}

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (headers, status) in [
        ("Content-Length: 2\r\nContent-Length: 2\r\n", 400),
        ("Content-Length: 2\r\nContent-Length: 40\r\n", 400),
        ("Content-Length: 2\r\ncontent-length: 2\r\n", 400),
        ("Content-Length: 2, 2\r\n", 400),
        ("Content-Length: +2\r\n", 400),
        ("Content-Length: -2\r\n", 400),
        ("Content-Length: 0x2\r\n", 400),
        ("Content-Length: 2a\r\n", 400),
        ("Content-Length: 2.0\r\n", 400),
        ("Content-Length: 1 2\r\n", 400),
        ("Content-Length: \r\n", 400),
        ("Content-Length: 99999999999999999999\r\n", 400),
        ("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", 400),
        ("Content-Length: 2\r\nTransfer-Encoding: identity\r\n", 400),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            400,
        ),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
            400,
        ),
        ("Transfer-Encoding: chunked, chunked\r\n", 501),
        ("Transfer-Encoding: gzip, chunked\r\n", 501),
        ("Transfer-Encoding: chunked, gzip\r\n", 501),
        ("Transfer-Encoding: identity\r\n", 501),
        ("Transfer-Encoding: xchunked\r\n", 501),
        ("Transfer-Encoding: chunkedx\r\n", 501),
        ("Transfer-Encoding: chunked;q=1\r\n", 501),
        ("Transfer-Encoding: \"chunked\"\r\n", 501),
        ("Transfer-Encoding: ,chunked\r\n", 501),
        ("Transfer-Encoding: \r\n", 501),
        ("Transfer-Encoding: \u{b}chunked\r\n", 400),
        ("Transfer-Encoding : chunked\r\n", 400),
        ("Transfer-Encoding\t: chunked\r\n", 400),
        (" Transfer-Encoding: chunked\r\n", 400),
        ("X: y\r\n Transfer-Encoding: chunked\r\n", 400),
        ("Transfer-Encoding:\r\n chunked\r\n", 400),
        ("Transfer-Encoding: chunked\nX: y\r\n", 400),
        ("X: y\rTransfer-Encoding: chunked\r\n", 400),
        ("Content-Length: 2\nX: y\r\n", 400),
        ("Expect: 200-ok\r\nContent-Length: 2\r\n", 417),
    ] {
        rows.push(closed(format!("{headers:?}"), post(headers, "{}"), status));
    }
    rows.push(closed(
        "chunked in HTTP/1.0",
        format!("POST /_action/add HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}"),
        400,
    ));
    for (chunks, status) in [
        ("zz\r\n{}\r\n0\r\n\r\n", 400),
        ("\r\n{}\r\n0\r\n\r\n", 400),
        ("-2\r\n{}\r\n0\r\n\r\n", 400),
        ("+2\r\n{}\r\n0\r\n\r\n", 400),
        ("0x2\r\n{}\r\n0\r\n\r\n", 400),
        (" 2\r\n{}\r\n0\r\n\r\n", 400),
        ("2 \r\n{}\r\n0\r\n\r\n", 400),
        ("2_0\r\n{}\r\n0\r\n\r\n", 400),
        ("2\n{}\r\n0\r\n\r\n", 400),
        ("2\r{}\r\n0\r\n\r\n", 400),
        ("2\r\n{}\n0\r\n\r\n", 400),
        ("2\r\n{}0\r\n\r\n", 400),
        ("2\r\n{}}\r\n0\r\n\r\n", 400),
        ("2\r\n{}\r\n0\r\n\n", 400),
        ("2\r\n{}\r\n0\r\nno trailer\r\n\r\n", 400),
        ("2\r\n{}\r\n0\r\n : x\r\n\r\n", 400),
        ("2;a=\0b\r\n{}\r\n0\r\n\r\n", 400),
        ("2;a\nb\r\n{}\r\n0\r\n\r\n", 400),
        ("00000000000000002\r\n{}\r\n0\r\n\r\n", 400),
        ("ffffffffffffffff\r\n", 413),
        ("fffffffffffffffff\r\n", 400),
        ("100001\r\n", 413),
    ] {
        let bytes = post("Transfer-Encoding: chunked\r\n", chunks);
        rows.push(closed(format!("chunks {chunks:?}"), bytes, status));
    }
    let long = "a".repeat(9 * 1024);
    let extension = format!("2;{long}\r\n{{}}\r\n0\r\n\r\n");
    let trailer = format!("2\r\n{{}}\r\n0\r\nX: {long}\r\n\r\n");
    for (what, chunks) in [
        ("an extension of 9 KiB", extension),
        ("a trailer of 9 KiB", trailer),
    ] {
        rows.push(closed(
            what,
            post("Transfer-Encoding: chunked\r\n", &chunks),
            400,
        ));
    }
    for (what, length) in [
        ("a body over 1 MiB", 1_048_577_u64),
        ("a body of 8 EiB", 1 << 63),
    ] {
        // Nothing of it is sent: the announcement is enough.
        let bytes =
            format!("POST /_action/add HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        rows.push(closed(what, bytes, 413));
    }
    rows
}
