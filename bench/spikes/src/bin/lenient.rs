//! 0002: what hyper, httparse alone, and httparse between a scan and strict framing let
//! through of heads that two parsers could read differently; and whether slow heads are cut.
//!
//! `lenient`

use std::{
    convert::Infallible,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::{Context, Waker},
    time::{Duration, Instant},
};

use autovia_spikes::{head, peer::Peer};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};

fn main() {
    let_through();
    slow_heads();
}

const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

fn let_through() {
    let post =
        |headers: &str, body: &str| format!("POST /x HTTP/1.1\r\nHost: a\r\n{headers}\r\n{body}");
    let hidden = SMUGGLED.len();
    let cases = [
        (
            "two Content-Length, equal",
            post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"),
        ),
        (
            "two Content-Length, different",
            post(
                &format!("Content-Length: 0\r\nContent-Length: {hidden}\r\n"),
                SMUGGLED,
            ),
        ),
        (
            "Content-Length: 3, 3",
            post("Content-Length: 3, 3\r\n", "abc"),
        ),
        ("Content-Length: +3", post("Content-Length: +3\r\n", "abc")),
        (
            "Content-Length and chunked",
            post(
                &format!("Content-Length: {hidden}\r\nTransfer-Encoding: chunked\r\n"),
                &format!("0\r\n\r\n{SMUGGLED}"),
            ),
        ),
        (
            "chunked, then Content-Length",
            post(
                &format!("Transfer-Encoding: chunked\r\nContent-Length: {hidden}\r\n"),
                &format!("0\r\n\r\n{SMUGGLED}"),
            ),
        ),
        (
            "chunked twice",
            post(
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                "0\r\n\r\n",
            ),
        ),
        (
            "Transfer-Encoding: xchunked",
            post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
        ),
        (
            "chunk size 0x3",
            post("Transfer-Encoding: chunked\r\n", "0x3\r\nabc\r\n0\r\n\r\n"),
        ),
        (
            "chunk lines end in bare LF",
            post("Transfer-Encoding: chunked\r\n", "3\nabc\n0\n\n"),
        ),
        ("bare LF ends lines", "GET /x HTTP/1.1\nHost: a\n\n".into()),
        (
            "bare LF ends one header",
            post("A: b\nContent-Length: 3\r\n", "abc"),
        ),
        (
            "bare CR in a value",
            post("A: b\rContent-Length: 3\r\n", ""),
        ),
        ("folded header", post("A: b\r\n Content-Length: 3\r\n", "")),
        (
            "space before the colon",
            post("Content-Length : 3\r\n", "abc"),
        ),
        ("NUL in a value", post("A: b\0c\r\n", "")),
        ("no Host", "GET /x HTTP/1.1\r\n\r\n".into()),
        (
            "two Hosts",
            "GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".into(),
        ),
        (
            "chunked in HTTP/1.0",
            "POST /x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into(),
        ),
        (
            "empty lines before the request",
            "\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n".into(),
        ),
    ];
    println!("\n| head | hyper | httparse alone | scan + httparse + framing |\n|---|---|---|---|");
    for (name, bytes) in cases {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let parsed = httparse::Request::new(&mut headers)
            .parse(bytes.as_bytes())
            .map(|_| ());
        let alone = parsed.map_or_else(|e| format!("refused: {e}"), |()| "taken".into());
        let own = match head::read(bytes.as_bytes()) {
            Ok(Some(_)) => "taken".to_owned(),
            Ok(None) => "waits for more".to_owned(),
            Err(why) => format!("refused: {why}"),
        };
        println!(
            "| {name} | {} | {alone} | {own} |",
            fed_to_hyper(bytes.as_bytes())
        );
    }
}

fn fed_to_hyper(bytes: &[u8]) -> String {
    let mut peer = Peer::new(bytes, 1, true);
    let seen = std::cell::RefCell::new(Vec::new());
    let service = service_fn(|request: Request<Incoming>| {
        let seen = &seen;
        async move {
            let path = request.uri().path().to_owned();
            let body = request
                .into_body()
                .collect()
                .await
                .map(|b| b.to_bytes().len());
            seen.borrow_mut().push(match body {
                Ok(n) => format!("{path} with {n} bytes"),
                Err(e) => format!("{path}, body error: {e}"),
            });
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"ok"))))
        }
    });
    {
        let mut connection = pin!(http1::Builder::new().serve_connection(&mut peer, service));
        let context = &mut Context::from_waker(Waker::noop());
        for _ in 0..8 {
            if connection.as_mut().poll(context).is_ready() {
                break;
            }
        }
    }
    let answer = String::from_utf8_lossy(&peer.output).into_owned();
    let status = answer.get(9..12).unwrap_or("no answer").to_owned();
    let seen = seen.into_inner().join("; ");
    if seen.is_empty() {
        status
    } else {
        format!("{status}: {seen}")
    }
}

fn slow_heads() {
    let serve = |builder: &mut http1::Builder| {
        let mut peer = Peer::new(b"GET / HTTP/1.1\r\nHost: ", 1, false);
        let service = service_fn(|_: Request<Incoming>| async {
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
        });
        let mut connection = pin!(builder.serve_connection(&mut peer, service));
        let context = &mut Context::from_waker(Waker::noop());
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(300) {
            if connection.as_mut().poll(context).is_ready() {
                return "cut";
            }
        }
        "still open"
    };
    std::panic::set_hook(Box::new(|_| {}));
    let default = serve(&mut http1::Builder::new());
    let set = catch_unwind(AssertUnwindSafe(|| {
        serve(http1::Builder::new().header_read_timeout(Duration::from_millis(100)))
    }));
    let _ = std::panic::take_hook();
    println!(
        "\nhalf a head, hyper without a timer, after 0.3 s: default {default} (and no timer could ever cut it);"
    );
    println!(
        "header_read_timeout(100 ms) set: {}",
        set.map_or("panics", |s| s)
    );
}
