//! Servers that are broken or up to no good: an error or silence, never a crash or a hang, and the
//! clock is looked at whatever they send.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use super::*;
use crate::broker::Direction;

/// Serves one connection; ends when the node hangs up.
fn server(serve: impl FnOnce(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a node connects");
        serve(stream);
    });
    port
}

/// Says `bytes` and then nothing more, until the node hangs up.
fn says(bytes: Vec<u8>) -> u16 {
    server(move |mut stream| {
        // A node that has had enough resets the connection.
        let _ = stream.write_all(&bytes);
        let _ = stream.read_to_end(&mut Vec::new());
    })
}

/// Reads up to and with `end`.
fn read_until(stream: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let mut read = Vec::new();
    while !read.ends_with(end) {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the node talks");
        read.push(byte[0]);
    }
    read
}

/// Behaves until the link is up, then goes on as `then` does.
fn behaves(then: impl FnOnce(TcpStream) + Send + 'static) -> u16 {
    server(move |mut stream| {
        stream.write_all(b"INFO {}\r\n").expect("the node listens");
        read_until(&mut stream, b"PING\r\n");
        stream.write_all(b"PONG\r\n").expect("the node listens");
        then(stream);
    })
}

fn is_protocol(error: &BrokerError) -> bool {
    matches!(error, BrokerError::Protocol { .. })
}

#[test]
fn a_greeting_that_is_none_is_an_error() {
    let info = "INFO {\"max_payload\":1}\r\n";
    for bytes in [
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        b"\0\xff\r\n".to_vec(),
        b"INFO {\"max_payload\":[1}\r\n".to_vec(),
        b"INFO\r\n".to_vec(),
        b"INFO {}\n".to_vec(),
        vec![b'x'; 1_000_000],
        [b"INFO ".to_vec(), vec![b'['; 60_000], b"\r\n".to_vec()].concat(),
        b"PING\r\n".to_vec(),
        b"MSG via.broadcast 1 1\r\na\r\n".to_vec(),
        b"MSG via.broadcast 1 60000000\r\n".to_vec(),
        format!("{info}PONG\r\n").into_bytes(),
        format!("{info}MSG via.broadcast 1 1\r\na\r\n").into_bytes(),
    ] {
        let shown = bytes[..bytes.len().min(40)].escape_ascii().to_string();
        // A message that has been announced but not sent is only waited for.
        let error = run(async move |bench| {
            let mut broker = on(says(bytes));
            bench.within(bench.open(&mut broker)).await?.err()
        });
        match error {
            Some(error) => assert!(is_protocol(&error), "{shown}: {error}"),
            None => assert!(
                shown.starts_with("MSG") || shown.starts_with("INFO {\\\"max"),
                "{shown}"
            ),
        }
    }
}

#[test]
fn an_end_in_the_middle_of_the_greeting_is_an_end() {
    for bytes in [&b""[..], b"INFO", b"INFO {\"max_payload\":1", b"INFO {}\r"] {
        let port = server(move |mut stream| {
            stream.write_all(bytes).expect("the node listens");
        });
        let direction = Direction::Receiving;
        assert_eq!(try_link(on(port)), Err(BrokerError::Closed { direction }));
    }
}

#[test]
fn a_silent_server_is_waited_for_and_can_be_given_up() {
    for bytes in [&b""[..], b"INFO {}\r\n", b"INFO {}\r\n+OK\r\n"] {
        run(async move |bench| {
            let mut broker = on(says(bytes.to_vec()));
            let opened = bench.within(bench.open(&mut broker)).await;
            assert!(opened.is_none_or(|opened| opened.is_err()));
        });
    }
}

#[test]
fn bytes_between_the_greeting_and_tls_are_refused() {
    let greeting = b"INFO {\"tls_required\":true}\r\n-ERR 'Authorization Violation'\r\n";
    let error = try_link(on(says(greeting.to_vec()))).expect_err("it is no TLS");
    assert!(is_protocol(&error), "{error}");
}

#[test]
fn what_is_no_frame_ends_a_link_that_is_up() {
    let long_line = [b"MSG ".to_vec(), vec![b'x'; 500_000]].concat();
    for bytes in [
        b"HELLO\r\n".to_vec(),
        b"MSG via.broadcast 1 1\r\nab\r\n".to_vec(),
        b"MSG via.broadcast 1 3\r\na\r\nPING\r\n".to_vec(),
        b"MSG via.broadcast 1 99999999999999999999999\r\n".to_vec(),
        b"MSG via.broadcast 1 -5\r\n".to_vec(),
        b"MSG via.broadcast 9 1\r\na\r\n".to_vec(),
        b"HMSG via.broadcast 1 5 3\r\n".to_vec(),
        b"HMSG via.broadcast 1 3 3\r\nabc\r\n".to_vec(),
        b"PONG\r\n".to_vec(),
        b"INFO []\r\n".to_vec(),
        b"-ERR 'something new'\r\n".to_vec(),
        b"PING\r\n".repeat(500_000),
        long_line,
    ] {
        let shown = bytes[..bytes.len().min(40)].escape_ascii().to_string();
        let error = run(async move |bench| {
            let port = behaves(move |mut stream| {
                read_until(&mut stream, b"go\r\n");
                // What was said before is heard.
                let before = b"MSG via.broadcast 1 6\r\nbefore\r\n";
                stream.write_all(before).expect("the node listens");
                let _ = stream.write_all(&bytes);
                let _ = stream.read_to_end(&mut Vec::new());
            });
            let mut link = bench.open(&mut on(port)).await.expect("it behaves");
            publish(&mut link, &["go"]).await.expect("it behaves");
            assert_eq!(hear(&mut link, 1).await.expect("it behaves"), ["before"]);
            end(&mut link).await
        });
        assert!(is_protocol(&error), "{shown}: {error}");
    }
}

#[test]
fn an_end_in_the_middle_of_a_message_is_an_end_after_what_was_whole() {
    run(async move |bench| {
        let port = behaves(|mut stream| {
            let bytes = b"MSG via.broadcast 1 5\r\nwhole\r\nMSG via.broadcast 1 5\r\nha";
            stream.write_all(bytes).expect("the node listens");
        });
        let mut link = bench.open(&mut on(port)).await.expect("it behaves");
        assert_eq!(hear(&mut link, 1).await.expect("it was whole"), ["whole"]);
        let direction = Direction::Receiving;
        assert_eq!(end(&mut link).await, BrokerError::Closed { direction });
    });
}

#[test]
fn a_server_that_never_stops_talking_does_not_stop_the_clock() {
    for chatter in [&b"+OK\r\n"[..], b"MSG via.broadcast 1 0\r\n\r\n"] {
        run(async move |bench| {
            let port = behaves(move |mut stream| {
                let chatter = chatter.repeat(10_000);
                while stream.write_all(&chatter).is_ok() {}
            });
            let mut link = bench.open(&mut on(port)).await.expect("it behaves");
            assert!(bench.within(end(&mut link)).await.is_none());
        });
    }
}

#[test]
fn an_endless_message_is_passed_over_as_it_comes() {
    run(async move |bench| {
        let port = behaves(|mut stream| {
            let bytes = 8 * 1024 * 1024;
            let head = format!("MSG via.broadcast 1 {bytes}\r\n");
            stream.write_all(head.as_bytes()).expect("the node listens");
            let piece = vec![b'x'; 1024 * 1024];
            for _ in 0..8 {
                stream.write_all(&piece).expect("the node reads on");
            }
            let after = b"\r\nMSG via.broadcast 1 5\r\nafter\r\n";
            stream.write_all(after).expect("the node reads on");
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let mut link = bench.open(&mut on(port)).await.expect("it behaves");
        assert_eq!(hear(&mut link, 1).await.expect("it behaves"), ["after"]);
    });
}

#[test]
fn pings_are_answered_while_nothing_is_published_and_between_publications() {
    let (done, answered) = std::sync::mpsc::channel();
    let port = behaves(move |mut stream| {
        for _ in 0..30 {
            stream.write_all(b"PING\r\n").expect("the node listens");
            assert_eq!(read_until(&mut stream, b"\n"), b"PONG\r\n");
        }
        // Now while the node publishes and nobody reads: its answers wait for whole publications.
        stream
            .write_all(&b"PING\r\n".repeat(30))
            .expect("the node listens");
        let mut said = Vec::new();
        let mut rest = stream.try_clone().expect("a second handle");
        stream
            .write_all(b"MSG via.broadcast 1 2\r\nok\r\n")
            .expect("the node listens");
        while said.len() < 40 * 60_000 {
            let mut piece = vec![0; 64 * 1024];
            let count = rest.read(&mut piece).expect("the node talks");
            assert_ne!(count, 0, "the node stays");
            said.extend_from_slice(&piece[..count]);
            if said.ends_with(b"end\r\n") {
                break;
            }
        }
        done.send(said).expect("the test waits");
    });
    run(async move |bench| {
        let mut link = bench.open(&mut on(port)).await.expect("it behaves");
        let mut payloads = vec![vec![b'x'; 60_000]; 30];
        payloads.push(b"end".to_vec());
        let Link {
            publisher,
            subscriber,
        } = &mut link;
        let mut heard = Vec::new();
        subscriber.receive(&mut heard).await.expect("it behaves");
        assert_eq!(heard, [b"ok"]);
        publisher.publish(&payloads).await.expect("it behaves");
    });
    let said = answered.recv_timeout(PATIENCE).expect("all was answered");
    let (mut rest, mut pongs, mut publications) = (&said[..], 0, 0);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(b"PONG\r\n") {
            (rest, pongs) = (after, pongs + 1);
            continue;
        }
        let long = b"PUB via.broadcast 60000\r\n";
        let (head, length): (&[u8], usize) = if rest.starts_with(long) {
            (long, 60_000)
        } else {
            (b"PUB via.broadcast 3\r\n", 3)
        };
        rest = rest.strip_prefix(head).expect("a whole frame");
        assert_eq!(&rest[length..length + 2], b"\r\n");
        (rest, publications) = (&rest[length + 2..], publications + 1);
    }
    assert_eq!((pongs, publications), (30, 31));
}
