//! What a session says and when, and what it makes of what a server says.

use serde_json::{Value, json};

use crate::wire::nats::{
    Event, FrameError, Login, Refusal, Session, SessionError, Subject, UserSeed,
};

const SEED: &str = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
const PUBLIC: &str = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";

fn session() -> Session {
    Session::new(Subject::parse("via.broadcast").expect("it is a subject"))
}

/// What comes of `bytes`, up to the first error.
fn hear(session: &mut Session, bytes: &[u8]) -> (Vec<Event>, Option<SessionError>) {
    session.feed(bytes);
    let mut events = Vec::new();
    loop {
        match session.next_event() {
            Ok(Some(event)) => events.push(event),
            Ok(None) => return (events, None),
            Err(error) => return (events, Some(error)),
        }
    }
}

fn error(session: &mut Session, bytes: &[u8]) -> SessionError {
    hear(session, bytes).1.expect("the session is over")
}

fn greeted(info: &str) -> Session {
    let mut session = session();
    let (events, error) = hear(&mut session, format!("INFO {info}\r\n").as_bytes());
    assert!(matches!(events.as_slice(), [Event::Info(_)]), "{events:?}");
    assert_eq!(error, None);
    session
}

fn ready() -> Session {
    let mut session = greeted("{\"max_payload\":100}");
    session
        .login(&Login::Anonymous, "autovia-1", false)
        .expect("it was greeted");
    assert!(!session.take_output().is_empty());
    assert_eq!(hear(&mut session, b"PONG\r\n"), (vec![Event::Ready], None));
    session
}

/// The JSON of the `CONNECT`, and what follows.
fn said(session: &mut Session) -> (Value, String) {
    let text = String::from_utf8(session.take_output()).expect("it is text");
    let (line, rest) = text.split_once("\r\n").expect("a whole line");
    let json = line.strip_prefix("CONNECT ").expect("a CONNECT");
    (
        serde_json::from_str(json).expect("it is JSON"),
        rest.to_owned(),
    )
}

#[test]
fn it_says_who_it_is_subscribes_and_asks_for_a_sign() {
    let mut session = greeted("{\"nonce\":\"abc\"}");
    assert!(!session.has_output());
    session
        .login(&Login::Anonymous, "autovia-0123", true)
        .expect("it was greeted");
    let (connect, rest) = said(&mut session);
    assert_eq!(
        connect,
        json!({
            "verbose": false, "pedantic": false, "tls_required": true, "lang": "rust",
            "version": env!("CARGO_PKG_VERSION"), "name": "autovia-0123", "protocol": 1,
            "echo": true, "headers": false,
        })
    );
    assert_eq!(rest, "SUB via.broadcast 1\r\nPING\r\n");
    // Messages may come before the sign.
    let (events, error) = hear(
        &mut session,
        b"+OK\r\nMSG via.broadcast 1 1\r\na\r\nPONG\r\n",
    );
    assert_eq!(events, [Event::Payload(b"a".to_vec()), Event::Ready]);
    assert_eq!(error, None);
}

#[test]
fn each_login_has_its_fields() {
    let seed = || UserSeed::parse(SEED).expect("it is a seed");
    let signature = seed().sign("abc");
    let credentials = crate::wire::nats::Credentials {
        jwt: "a.b.c".to_owned(),
        seed: seed(),
    };
    for (login, fields) in [
        (
            Login::Token("t\"\r\nPUB".to_owned()),
            json!({"auth_token": "t\"\r\nPUB"}),
        ),
        (
            Login::Password {
                user: "u".to_owned(),
                password: "p".to_owned(),
            },
            json!({"user": "u", "pass": "p"}),
        ),
        (
            Login::Key(seed()),
            json!({"nkey": PUBLIC, "sig": signature}),
        ),
        (
            Login::Credentials(credentials),
            json!({"jwt": "a.b.c", "sig": signature}),
        ),
    ] {
        let mut session = greeted("{\"nonce\":\"abc\"}");
        session.login(&login, "n", false).expect("it was greeted");
        let (connect, rest) = said(&mut session);
        assert!(rest.starts_with("SUB "));
        for field in ["auth_token", "user", "pass", "nkey", "jwt", "sig"] {
            assert_eq!(connect.get(field), fields.get(field), "{field}");
        }
    }
}

#[test]
fn a_key_has_nothing_to_sign_without_a_nonce() {
    let mut session = greeted("{}");
    let login = Login::Key(UserSeed::parse(SEED).expect("it is a seed"));
    assert_eq!(
        session.login(&login, "n", false),
        Err(SessionError::NoNonce)
    );
    assert!(!session.has_output());
}

#[test]
fn nothing_may_come_between_the_greeting_and_tls() {
    assert!(session().ready_for_tls().is_err());
    assert_eq!(greeted("{}").ready_for_tls(), Ok(()));
    for early in ["P", "MSG via.broadcast 1 1\r\na"] {
        let mut session = session();
        session.feed(format!("INFO {{}}\r\n{early}").as_bytes());
        assert!(matches!(session.next_event(), Ok(Some(Event::Info(_)))));
        assert!(session.ready_for_tls().is_err());
    }
}

#[test]
fn what_comes_out_of_turn_ends_it() {
    for early in [
        "+OK\r\n",
        "PING\r\n",
        "PONG\r\n",
        "MSG via.broadcast 1 1\r\na\r\n",
        "MSG via.broadcast 1 70000\r\n",
    ] {
        let long = format!("{early}{}\r\n", "x".repeat(70_000));
        let bytes = if early.contains("70000") {
            &long
        } else {
            early
        };
        for mut session in [session(), greeted("{}")] {
            let error = error(&mut session, bytes.as_bytes());
            assert!(matches!(error, SessionError::OutOfTurn(_)), "{error}");
        }
    }
    let second_pong = error(&mut ready(), b"PONG\r\n");
    assert!(matches!(second_pong, SessionError::OutOfTurn(_)));
    let strange = error(&mut ready(), b"MSG via.broadcast 2 1\r\na\r\n");
    assert_eq!(strange, SessionError::Subscription);
    assert_eq!(error(&mut ready(), b"INFO []\r\n"), SessionError::Info);
    assert_eq!(
        error(&mut ready(), b"HELLO\r\n"),
        SessionError::Frame(FrameError::Operation)
    );
    assert!(session().login(&Login::Anonymous, "n", false).is_err());
    assert!(ready().login(&Login::Anonymous, "n", false).is_err());
    assert!(greeted("{}").publish(&[b"a".to_vec()]).is_err());
}

#[test]
fn payloads_are_published_in_order_and_heard() {
    let mut session = ready();
    session
        .publish(&[b"{}".to_vec(), b"a\r\nb".to_vec()])
        .expect("it is ready");
    assert_eq!(
        session.take_output(),
        b"PUB via.broadcast 2\r\n{}\r\nPUB via.broadcast 4\r\na\r\nb\r\n"
    );
    assert!(!session.has_output());
    let (events, error) = hear(
        &mut session,
        b"MSG via.broadcast 1 2\r\n{}\r\nMSG via.broadcast 1 r 0\r\n\r\nHMSG x 1 12 13\r\nNATS/1.0\r\n\r\nb\r\n",
    );
    assert_eq!(
        events,
        [
            Event::Payload(b"{}".to_vec()),
            Event::Payload(b"b".to_vec())
        ]
    );
    assert_eq!(error, None);
}

#[test]
fn a_payload_beyond_max_payload_is_not_sent() {
    let mut session = ready();
    let error = session.publish(&[b"a".to_vec(), vec![b'x'; 101]]);
    assert_eq!(
        error,
        Err(SessionError::PayloadTooLong {
            bytes: 101,
            max: 100
        })
    );
    assert!(!session.has_output());
    // A server may take less from now on.
    assert_eq!(session.publish(&[vec![b'x'; 100]]), Ok(()));
    hear(&mut session, b"INFO {\"max_payload\":99}\r\n");
    assert!(session.publish(&[vec![b'x'; 100]]).is_err());
}

#[test]
fn pings_are_answered_but_not_without_end() {
    let mut session = ready();
    assert_eq!(hear(&mut session, b"PING\r\nPING\r\n"), (vec![], None));
    assert_eq!(session.take_output(), b"PONG\r\nPONG\r\n");
    assert_eq!(hear(&mut session, &b"PING\r\n".repeat(64)), (vec![], None));
    assert_eq!(session.take_output().len(), 64 * 6);
    let error = error(&mut session, &b"PING\r\n".repeat(65));
    assert_eq!(error, SessionError::Pings);
}

#[test]
fn lame_duck_mode_ends_it_after_what_is_to_be_learned() {
    let mut session = ready();
    let (events, error) = hear(
        &mut session,
        b"MSG s 1 1\r\na\r\nINFO {\"ldm\":true,\"connect_urls\":[\"b:1\"]}\r\n",
    );
    assert!(
        matches!(events.as_slice(), [Event::Payload(_), Event::Info(info)] if info.addresses.len() == 1)
    );
    assert_eq!(error, Some(SessionError::LameDuck));
}

#[test]
fn refusals_are_told_apart_and_not_repeated() {
    for (text, refusal) in [
        (
            "'Authorization Violation'",
            Refusal::Login("Authorization Violation"),
        ),
        (
            "'User Authentication Expired'",
            Refusal::Login("User Authentication Expired"),
        ),
        (
            "'Authentication Timeout'",
            Refusal::Stale("Authentication Timeout"),
        ),
        (
            "'Permissions Violation for Publish to \"via.broadcast\"'",
            Refusal::Publish,
        ),
        (
            "'Permissions Violation for Subscription to \"via.broadcast\"'",
            Refusal::Subscribe,
        ),
        ("'stale connection'", Refusal::Stale("Stale Connection")),
        ("'Secure Connection - TLS Required'", Refusal::TlsRequired),
        ("'Slow Consumer Detected'", Refusal::SlowConsumer),
        ("'Server Shutdown'", Refusal::ShuttingDown),
        ("'Maximum Payload Violation'", Refusal::PayloadTooLong),
        ("'Parser Error'", Refusal::Protocol("Parser Error")),
        ("'secret.host:1 \u{7f}'", Refusal::Unknown),
        ("", Refusal::Unknown),
        ("'", Refusal::Unknown),
    ] {
        let line = format!("-ERR {text}\r\n");
        for mut session in [session(), greeted("{}"), ready()] {
            let error = error(&mut session, line.as_bytes());
            assert_eq!(error, SessionError::Refused(refusal), "{text}");
            assert!(!error.to_string().contains("secret"));
        }
    }
}
