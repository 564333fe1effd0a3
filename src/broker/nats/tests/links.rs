//! A link's life on one real server: what it carries, what it may, how it ends and comes back.

use std::sync::Mutex;

use autovia_testkit::{NatsPeer, NatsServer};

use super::*;
use crate::broker::{Direction, PAYLOAD_MAX_BYTES};

const ANYBODY: &str = "{\"verbose\":false}";

#[test]
fn a_link_is_one_connection_with_a_name_and_one_subscription() {
    let server = NatsServer::new().start();
    run(async move |bench| {
        let mut broker = on(server.port()).subject("myapp.broadcast");
        let _link = bench.open(&mut broker).await.expect("a server listens");
        let seen = server.monitor("/connz?subs=1");
        assert_eq!(seen["num_connections"], 1);
        let client = &seen["connections"][0];
        assert_eq!(client["name"], format!("autovia-{NODE}"));
        assert_eq!(client["lang"], "rust");
        assert_eq!(client["version"], env!("CARGO_PKG_VERSION"));
        let subjects = serde_json::json!(["myapp.broadcast"]);
        assert_eq!(client["subscriptions_list"], subjects);
    });
}

#[test]
fn what_others_say_is_heard_in_each_form_that_the_protocol_has() {
    let server = NatsServer::new().start();
    let mut peer = NatsPeer::connect(server.port(), ANYBODY);
    let with_headers = "{\"verbose\":false,\"headers\":true}";
    let mut modern = NatsPeer::connect(server.port(), with_headers);
    peer.subscribe("via.broadcast");
    let other = "{\"scope\":\"route:\\/chat\",\"nodeId\":\"9f2c9f2c9f2c9f2c\"}";
    run(async move |bench| {
        let mut broker = on(server.port());
        let mut link = bench.open(&mut broker).await.expect("a server listens");
        peer.publish("via.broadcast", None, other.as_bytes());
        peer.publish("via.broadcast", Some("reply.to"), b"with reply");
        peer.publish("elsewhere", None, b"not for us");
        peer.publish("via.broadcast", None, b"");
        modern.publish_with_header("via.broadcast", b"with header");
        let longest = "x".repeat(PAYLOAD_MAX_BYTES);
        peer.publish("via.broadcast", None, longest.as_bytes());
        peer.publish("via.broadcast", None, &vec![b'y'; PAYLOAD_MAX_BYTES + 1]);
        peer.publish("via.broadcast", None, b"last");
        let heard = hear(&mut link, 5).await.expect("the link is up");
        assert_eq!(
            heard,
            [other, "with reply", "with header", &longest, "last"]
        );

        // The other way: what a plain client gets is the bytes and nothing else.
        publish(&mut link, &["{\"a\":1}", "b"])
            .await
            .expect("the link is up");
        for expected in [
            other.as_bytes(),
            b"with reply",
            b"",
            b"with header",
            longest.as_bytes(),
        ] {
            assert_eq!(peer.receive(), expected);
        }
        assert_eq!(peer.receive().len(), PAYLOAD_MAX_BYTES + 1);
        for expected in [&b"last"[..], b"{\"a\":1}", b"b"] {
            assert_eq!(peer.receive(), expected);
        }
    });
}

#[test]
fn a_long_publication_arrives_whole_and_in_order() {
    let server = NatsServer::new().start();
    run(async move |bench| {
        let mut broker = on(server.port());
        let mut link = bench.open(&mut broker).await.expect("a server listens");
        let payloads: Vec<Vec<u8>> = (0..40)
            .map(|number: u8| vec![number + 33; PAYLOAD_MAX_BYTES - usize::from(number)])
            .collect();
        let Link {
            publisher,
            subscriber,
        } = &mut link;
        let mut heard = Vec::new();
        let listen = async {
            while heard.len() < payloads.len() {
                subscriber
                    .receive(&mut heard)
                    .await
                    .expect("the link is up");
            }
        };
        let (published, ()) = futures_lite::future::zip(publisher.publish(&payloads), listen).await;
        published.expect("the link is up");
        assert!(heard == payloads);
    });
}

#[test]
fn a_payload_beyond_the_servers_limit_is_an_error_that_names_it() {
    let server = NatsServer::new().config("max_payload: 100").start();
    run(async move |bench| {
        let mut broker = on(server.port());
        let mut link = bench.open(&mut broker).await.expect("a server listens");
        publish(&mut link, &["short"]).await.expect("it fits");
        assert_eq!(hear(&mut link, 1).await.expect("the link is up"), ["short"]);
        let error = publish(&mut link, &[&"x".repeat(101)]).await;
        let error = error.expect_err("it is too long").to_string();
        assert!(error.contains("max_payload (100)"), "{error}");
    });
}

fn denied(direction: Direction) -> BrokerError {
    BrokerError::Denied {
        direction,
        code: "Permissions Violation".to_owned(),
    }
}

fn may(publish: &str, subscribe: &str) -> NatsServer {
    let permissions =
        format!(", permissions: {{ publish: \"{publish}\", subscribe: \"{subscribe}\" }}");
    NatsServer::new().user("n", "p", &permissions)
}

#[test]
fn one_subject_in_both_directions_is_all_the_right_that_is_needed() {
    let server = may("via.broadcast", "via.broadcast").start();
    assert_eq!(try_link(on(server.port()).user("n", "p")), Ok(()));
}

#[test]
fn a_missing_right_is_told_with_its_direction() {
    let deaf = may("via.broadcast", "else").start();
    assert_eq!(
        try_link(on(deaf.port()).user("n", "p")),
        Err(denied(Direction::Receiving))
    );
    let mute = may("else", "via.broadcast").start();
    assert_eq!(
        try_link(on(mute.port()).user("n", "p")),
        Err(denied(Direction::Publishing))
    );
}

#[test]
fn rights_that_are_withdrawn_end_a_link_that_is_up() {
    for (publish_right, subscribe_right, direction) in [
        ("else", "via.broadcast", Direction::Publishing),
        ("via.broadcast", "else", Direction::Receiving),
    ] {
        let mut server = may("via.broadcast", "via.broadcast").start();
        run(async move |bench| {
            let mut broker = on(server.port()).user("n", "p");
            let mut link = bench.open(&mut broker).await.expect("it has all rights");
            server.reload(may(publish_right, subscribe_right));
            // A right to publish is missed when it is used.
            let published = publish(&mut link, &["a"]).await;
            let error = match published {
                Ok(()) => end(&mut link).await,
                Err(error) => error,
            };
            assert_eq!(error, denied(direction));
        });
    }
}

#[test]
fn a_killed_server_ends_the_link_and_a_new_one_takes_the_next_attempt() {
    let mut server = NatsServer::new().start();
    run(async move |bench| {
        let mut broker = on(server.port());
        let mut link = bench.open(&mut broker).await.expect("a server listens");
        server.kill();
        let error = end(&mut link).await;
        assert!(
            matches!(
                error,
                BrokerError::Closed { .. } | BrokerError::Broken { .. }
            ),
            "{error}"
        );
        let error = bench.open(&mut broker).await.err();
        let kind = std::io::ErrorKind::ConnectionRefused;
        assert_eq!(error, Some(BrokerError::Unreachable { kind }));
        server.restart();
        let mut link = bench.open(&mut broker).await.expect("a server listens");
        publish(&mut link, &["back"]).await.expect("the link is up");
        assert_eq!(hear(&mut link, 1).await.expect("the link is up"), ["back"]);
    });
}

#[test]
fn a_server_that_shuts_down_ends_the_link() {
    let mut server = NatsServer::new().start();
    run(async move |bench| {
        let mut broker = on(server.port());
        let mut link = bench.open(&mut broker).await.expect("a server listens");
        server.terminate();
        let error = end(&mut link).await;
        use BrokerError::{Broken, Closed, Leaving};
        assert!(
            matches!(error, Leaving { .. } | Closed { .. } | Broken { .. }),
            "{error}"
        );
    });
}

#[test]
fn a_server_without_room_says_what_to_raise() {
    let server = NatsServer::new().config("max_connections: 1").start();
    let _first = NatsPeer::connect(server.port(), ANYBODY);
    let error = try_link(on(server.port())).expect_err("it is full");
    assert!(error.to_string().contains("max_connections"), "{error}");
}

#[test]
fn names_are_resolved_at_each_attempt() {
    let (first, second) = (NatsServer::new().start(), NatsServer::new().start());
    let ports = [first.port(), second.port()];
    let turns = Mutex::new(ports.into_iter());
    let resolver: crate::broker::Resolver = std::sync::Arc::new(move |host, port| {
        assert_eq!((host, port), ("nats.internal", 4222));
        match turns.lock().expect("nobody panicked").next() {
            Some(port) => Ok(vec![([127, 0, 0, 1], port).into()]),
            None => Err(std::io::ErrorKind::NotFound.into()),
        }
    });
    run(async move |bench| {
        let mut broker = NatsBroker::new("nats.internal", 4222).resolver(resolver);
        for server in [&first, &second] {
            let _link = bench.open(&mut broker).await.expect("a server listens");
            assert_eq!(server.monitor("/connz")["num_connections"], 1);
        }
        let error = bench.open(&mut broker).await.err();
        assert_eq!(error, Some(BrokerError::Unresolved));
    });
}
