//! Servers that misbehave: an error or a drop, never a crash, a hang or much memory.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use super::*;

const HELLO: &str = "%2\r\n+server\r\n+redis\r\n+role\r\n+master\r\n";
const SUBSCRIBED: &str = ">3\r\n+subscribe\r\n+via:broadcast\r\n:1\r\n";

/// A server that answers its first connection's commands in turn with these texts, whatever they are, and all
/// further connections as a good one would. After the last answer it stays silent.
fn server(answers: Vec<Vec<u8>>) -> RedisBroker {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    thread::spawn(move || {
        let mut open = Vec::new();
        let mut answers = Some(answers);
        while let Ok((stream, _)) = listener.accept() {
            let good = [HELLO.into(), b":1\r\n".to_vec()].to_vec();
            let answers = answers.take().unwrap_or(good);
            let kept = stream.try_clone().expect("a descriptor");
            open.push(kept);
            thread::spawn(move || answer(stream, answers));
        }
    });
    RedisBroker::new("127.0.0.1", port)
}

fn answer(mut stream: TcpStream, answers: Vec<Vec<u8>>) {
    let mut room = [0; 4096];
    for answer in answers {
        // The peer may have had enough, which is what these tests are about.
        if !matches!(stream.read(&mut room), Ok(1..)) || stream.write_all(&answer).is_err() {
            return;
        }
    }
}

fn said(text: &str) -> Vec<u8> {
    text.as_bytes().to_owned()
}

/// The error of the attempt to connect.
fn first_error(answers: Vec<Vec<u8>>) -> BrokerError {
    refusal(server(answers))
}

/// The error of a link that is up when the server says this.
fn live_error(then: &[u8]) -> BrokerError {
    let subscribed = [SUBSCRIBED.as_bytes(), then].concat();
    let mut broker = server(vec![said(HELLO), subscribed]);
    at_desk(async move |desk| {
        let mut link = desk.connect(&mut broker).await.expect("a link");
        desk.end(&mut link).await
    })
}

fn is_protocol(error: &BrokerError) -> bool {
    matches!(error, BrokerError::Protocol { .. })
}

#[test]
fn garbage_instead_of_a_greeting() {
    for text in [
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "\r\n",
        "+OK\r\n",
        ":1\r\n",
        "_\r\n",
        "$-1\r\n",
        "$99999999999\r\n",
        "~1\r\n+x\r\n",
        ">1\r\n+x\r\n",
    ] {
        let error = first_error(vec![said(text)]);
        assert!(is_protocol(&error), "{text:?}: {error:?}");
    }
    let deep = "*1\r\n".repeat(10_000);
    assert!(is_protocol(&first_error(vec![said(&deep)])));
    let long = format!("-{}\r\n", "E".repeat(100_000));
    assert!(is_protocol(&first_error(vec![said(&long)])));
}

#[test]
fn an_unknown_refusal_repeats_nothing_of_it() {
    let other = first_error(vec![said("-GEHEIM geheim 127.0.0.1\r\n")]);
    let refused = BrokerError::Refused {
        code: "GEHEIM".to_owned(),
    };
    assert_eq!(other, refused);
    let loading = first_error(vec![said("-LOADING geheim\r\n")]);
    assert!(
        matches!(loading, BrokerError::Leaving { .. }),
        "{loading:?}"
    );
}

#[test]
fn a_subscription_that_is_answered_with_something_else() {
    for text in ["+OK\r\n", ":1\r\n", "_\r\n", ">1\r\n:1\r\n", "*0\r\n", "?"] {
        let error = first_error(vec![said(HELLO), said(text)]);
        assert!(is_protocol(&error), "{text:?}: {error:?}");
    }
}

#[test]
fn garbage_on_a_live_link() {
    for text in [
        "?",
        ">3\r\n+message\r\n+via:broadcast\r\n:1\r\n",
        ">3\r\n+message\r\n+via:broadcast\r\n$3\r\nabcXY",
        ">3\r\n+message\r\n+via:broadcast\r\n*1\r\n+x\r\n",
        ">100000\r\n",
        "+OK\r\n",
        "$-1\r\n",
        "%1\r\n*0\r\n+x\r\n",
    ] {
        let error = live_error(text.as_bytes());
        assert!(is_protocol(&error), "{text:?}: {error:?}");
    }
    let deep = "*1\r\n".repeat(10_000);
    assert!(is_protocol(&live_error(deep.as_bytes())));
    let many = format!("*1025\r\n{}", ":1\r\n".repeat(1025));
    assert!(is_protocol(&live_error(many.as_bytes())));
    let gone = live_error(b">3\r\n+unsubscribe\r\n+via:broadcast\r\n:0\r\n");
    let silent = BrokerError::Silent {
        broken: Some(Direction::Receiving),
    };
    assert_eq!(gone, silent);
}

#[test]
fn a_frame_that_is_cut_is_an_end() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    thread::spawn(move || {
        let (first, _) = listener.accept().expect("the subscriber");
        let half = format!("{SUBSCRIBED}>3\r\n+message\r\n+via:broad");
        answer(
            first.try_clone().expect("it lives"),
            vec![said(HELLO), said(&half)],
        );
        let (second, _) = listener.accept().expect("the publisher");
        answer(second.try_clone().expect("it lives"), vec![said(HELLO)]);
        drop(first);
        drop(second);
    });
    let error = at_desk(async move |desk| {
        let mut broker = RedisBroker::new("127.0.0.1", port);
        let mut link = desk.connect(&mut broker).await.expect("a link");
        desk.end(&mut link).await
    });
    let closed = BrokerError::Closed {
        direction: Direction::Receiving,
    };
    assert_eq!(error, closed);
}

#[test]
fn a_text_of_half_a_gigabyte_is_read_over_and_costs_no_memory() {
    const LONG: usize = 512 * 1024 * 1024;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    thread::spawn(move || {
        let (mut first, _) = listener.accept().expect("the subscriber");
        let begin = format!("{SUBSCRIBED}>3\r\n+message\r\n+via:broadcast\r\n${LONG}\r\n");
        let good = [said(HELLO), said(&begin)].to_vec();
        let other = first.try_clone().expect("it lives");
        answer(other, good);
        let (second, _) = listener.accept().expect("the publisher");
        answer(second.try_clone().expect("it lives"), vec![said(HELLO)]);
        let chunk = vec![b'x'; 1024 * 1024];
        for _ in 0..LONG / chunk.len() {
            first.write_all(&chunk).expect("it is read");
        }
        let next = "\r\n>3\r\n+message\r\n+via:broadcast\r\n$2\r\n{}\r\n";
        first.write_all(next.as_bytes()).expect("it is read");
        drop(second);
        // The descriptor lives until the other side goes.
        let _ = first.read(&mut [0]);
    });
    let (before, after) = at_desk(async move |desk| {
        let mut broker = RedisBroker::new("127.0.0.1", port);
        let mut link = desk.connect(&mut broker).await.expect("a link");
        let before = peak_bytes();
        let payloads = desk.receive(&mut link).await;
        assert_eq!(payloads, Ok(vec![b"{}".to_vec()]));
        (before, peak_bytes())
    });
    // Other tests run in this process too, so this is coarse: a tenth of the text.
    assert!(after - before < LONG as u64 / 10, "{before} {after}");
}

/// The most memory that this process ever had.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("status holds VmHWM");
    let kib: u64 = line
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number");
    kib * 1024
}

#[test]
fn publications_that_are_answered_with_something_else() {
    for (text, wanted) in [
        ("+OK\r\n", None),
        (":-1\r\n", None),
        ("?", None),
        ("-NOPERM no\r\n", Some("NOPERM")),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        thread::spawn(move || {
            let (first, _) = listener.accept().expect("the subscriber");
            let other = first.try_clone().expect("it lives");
            answer(other, vec![said(HELLO), said(SUBSCRIBED)]);
            let (second, _) = listener.accept().expect("the publisher");
            let other = second.try_clone().expect("it lives");
            answer(other, vec![said(HELLO), said(text)]);
            // Both stay open until the test is over.
            let _ = wait.recv();
            drop((first, second));
        });
        let error = at_desk(async move |desk| {
            let mut broker = RedisBroker::new("127.0.0.1", port);
            let mut link = desk.connect(&mut broker).await.expect("a link");
            desk.publish(&mut link, "{}")
                .await
                .expect_err("no such reply")
        });
        drop(go);
        match wanted {
            None => assert!(is_protocol(&error), "{text:?}: {error:?}"),
            Some(code) => {
                let denied = BrokerError::Denied {
                    direction: Direction::Publishing,
                    code: code.to_owned(),
                };
                assert_eq!(error, denied);
            }
        }
    }
}
