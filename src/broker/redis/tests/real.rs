//! One server: logins, rights, faults, old words.

use std::sync::Arc;

use autovia_testkit::{Redis, RunningRedis};

use super::*;
use crate::broker::conformance;

const LEAST_RIGHTS: &str = "+subscribe +publish +ping resetchannels &via:broadcast";

fn broker(server: &RunningRedis) -> RedisBroker {
    RedisBroker::new("127.0.0.1", server.port())
}

fn start(redis: &Redis) -> Arc<RunningRedis> {
    Arc::new(redis.start())
}

#[test]
fn it_keeps_the_contract() {
    let server = Redis::new().start();
    let broker = broker(&server);
    assert_eq!(conformance::check(move || broker.clone()), Ok(()));
}

#[test]
fn it_keeps_the_contract_in_the_old_version_with_the_least_rights() {
    let server = Redis::new()
        .args(&["--rename-command", "HELLO", ""])
        .acl(&format!("user node on >geheim -@all {LEAST_RIGHTS}"))
        .start();
    let broker = broker(&server).username("node").password("geheim");
    assert_eq!(conformance::check(move || broker.clone()), Ok(()));
}

#[test]
fn a_link_is_two_connections_that_bear_the_nodes_name() {
    let server = start(&Redis::new());
    at_desk(async move |desk| {
        let _link = desk.connect(&mut broker(&server)).await.expect("a link");
        let clients = server.must(&["CLIENT", "LIST"]);
        let ours = |line: &&str| line.contains(" name=autovia-0123456789abcdef ");
        assert_eq!(
            clients.text().lines().filter(ours).count(),
            2,
            "{clients:?}"
        );
    });
}

#[test]
fn the_least_rights_are_enough() {
    let server = start(&Redis::new().acl(&format!("user node on >geheim -@all {LEAST_RIGHTS}")));
    at_desk(async move |desk| {
        let mut broker = broker(&server).username("node").password("geheim");
        let mut link = desk.connect(&mut broker).await.expect("a link");
        desk.works(&mut link).await;
    });
}

#[test]
fn each_missing_right_is_told() {
    for (rights, direction) in [
        (
            "+subscribe resetchannels &via:broadcast",
            Direction::Publishing,
        ),
        (
            "+publish resetchannels &via:broadcast",
            Direction::Receiving,
        ),
        (
            "+subscribe +publish resetchannels &other",
            Direction::Receiving,
        ),
    ] {
        let server = start(&Redis::new().acl(&format!("user node on >geheim -@all {rights}")));
        let denied = BrokerError::Denied {
            direction,
            code: "NOPERM".to_owned(),
        };
        let outcome = at_desk(async move |desk| {
            let mut broker = broker(&server).username("node").password("geheim");
            let mut link = desk.connect(&mut broker).await?;
            desk.publish(&mut link, "{}").await
        });
        assert_eq!(outcome, Err(denied), "{rights}");
    }
}

#[test]
fn logins_that_are_refused() {
    let refused = |code: &str| BrokerError::Refused {
        code: code.to_owned(),
    };
    for hello in [true, false] {
        let mut redis = Redis::new().requirepass("geheim");
        if !hello {
            redis = redis.args(&["--rename-command", "HELLO", ""]);
        }
        let server = start(&redis);
        assert_eq!(refusal(broker(&server)), refused("NOAUTH"));
        let wrong = broker(&server).password("geheim too");
        assert_eq!(refusal(wrong), refused("WRONGPASS"));
        let stranger = broker(&server).username("nobody").password("geheim");
        assert_eq!(refusal(stranger), refused("WRONGPASS"));
        at_desk(async move |desk| {
            let mut broker = broker(&server).password("geheim");
            let mut link = desk.connect(&mut broker).await.expect("a link");
            desk.works(&mut link).await;
        });
    }
    let error = refusal(RedisBroker::default().username("node"));
    assert!(matches!(error, BrokerError::Secret { .. }), "{error:?}");
}

#[test]
fn a_password_that_changes_is_read_again() {
    let server = start(&Redis::new().requirepass("first"));
    let folder = std::env::temp_dir().join(format!("autovia-rotated-{}", server.port()));
    std::fs::write(&folder, "first\n").expect("a file");
    let file = folder.clone();
    at_desk(async move |desk| {
        let mut broker = broker(&server).password(SecretSource::File(file.clone()));
        drop(desk.connect(&mut broker).await.expect("a link"));
        server.must(&["CONFIG", "SET", "requirepass", "second"]);
        assert!(desk.connect(&mut broker).await.is_err());
        std::fs::write(&file, "second").expect("a file");
        let mut link = desk.connect(&mut broker).await.expect("a link");
        desk.works(&mut link).await;
    });
    std::fs::remove_file(folder).expect("it is there");
}

#[test]
fn ends_of_a_link() {
    let line = format!("user node on >geheim -@all {LEAST_RIGHTS}");
    let server = start(&Redis::new().acl(&line));
    at_desk(async move |desk| {
        let mut broker = broker(&server).username("node").password("geheim");
        let closed = BrokerError::Closed {
            direction: Direction::Receiving,
        };
        for command in [
            ["CLIENT", "KILL", "TYPE", "pubsub"],
            ["ACL", "SETUSER", "node", "resetchannels"],
        ] {
            let mut link = desk.connect(&mut broker).await.expect("a link");
            desk.works(&mut link).await;
            server.must(&command);
            assert_eq!(desk.end(&mut link).await, closed, "{command:?}");
        }
        server.must(&["ACL", "SETUSER", "node", "&via:broadcast"]);

        let mut link = desk.connect(&mut broker).await.expect("a link");
        server.kill9();
        let error = desk.end(&mut link).await;
        let is_end = matches!(
            error,
            BrokerError::Closed { .. } | BrokerError::Broken { .. }
        );
        assert!(is_end, "{error:?}");
        let kind = std::io::ErrorKind::ConnectionRefused;
        let refused = desk.connect(&mut broker).await.map(|_| ());
        assert_eq!(refused, Err(BrokerError::Unreachable { kind }));
        server.restart();
        let mut link = desk.connect(&mut broker).await.expect("a link");
        desk.works(&mut link).await;
    });
}

#[test]
fn a_publication_that_nobody_hears_is_an_error() {
    let server = start(&Redis::new());
    at_desk(async move |desk| {
        let mut link = desk.connect(&mut broker(&server)).await.expect("a link");
        desk.works(&mut link).await;
        server.must(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        let silent = BrokerError::Silent {
            broken: Some(Direction::Receiving),
        };
        assert_eq!(desk.publish(&mut link, "{}").await, Err(silent));
    });
}

#[test]
fn a_publishing_side_that_is_cut_is_told() {
    let server = start(&Redis::new());
    at_desk(async move |desk| {
        let mut link = desk.connect(&mut broker(&server)).await.expect("a link");
        server.must(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        let error = desk.publish(&mut link, "{}").await.expect_err("it is cut");
        let direction = Direction::Publishing;
        let is_end = error == BrokerError::Closed { direction }
            || matches!(error, BrokerError::Broken { .. });
        assert!(is_end, "{error:?}");
    });
}

#[test]
fn a_replica_is_no_place_to_publish() {
    let master = Redis::new().start();
    let port = master.port().to_string();
    let replica = Redis::new()
        .args(&["--replicaof", "127.0.0.1", &port])
        .start();
    let error = refusal(broker(&replica));
    assert!(matches!(error, BrokerError::Leaving { .. }), "{error:?}");
}

#[test]
fn what_others_say_on_the_channel_is_carried_or_left_out() {
    let server = start(&Redis::new());
    at_desk(async move |desk| {
        let mut broker = broker(&server).channel("ch");
        let mut link = desk.connect(&mut broker).await.expect("a link");
        server.must(&["PUBLISH", "via:broadcast", "elsewhere"]);
        server.must(&["PUBLISH", "ch", &"x".repeat(PAYLOAD_MAX_BYTES + 1)]);
        server.must(&["PUBLISH", "ch", &"x".repeat(5_000_000)]);
        server.must(&["PUBLISH", "ch", &"y".repeat(PAYLOAD_MAX_BYTES)]);
        let payloads = desk.receive(&mut link).await.expect("a payload");
        assert_eq!(payloads, [vec![b'y'; PAYLOAD_MAX_BYTES]]);
        // As php-via writes it.
        let theirs = r#"{"scope":"route:\/chat","nodeId":"9f2c0123456789ab"}"#;
        server.must(&["PUBLISH", "ch", theirs]);
        assert_eq!(
            desk.receive(&mut link).await,
            Ok(vec![theirs.as_bytes().to_vec()])
        );
    });
}
