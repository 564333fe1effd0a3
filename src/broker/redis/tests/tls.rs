//! TLS: who is trusted, and who is not.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use autovia_testkit::{Authority, Certificate, Redis, RunningRedis};

use super::*;
use crate::broker::conformance;

fn start(certificate: &Certificate) -> Arc<RunningRedis> {
    Arc::new(Redis::new().tls(certificate).start())
}

/// The certificate is for the name, which only this resolver knows.
fn broker(server: &RunningRedis, authority: &Authority) -> RedisBroker {
    let resolver: Resolver = Arc::new(|_, port| Ok(vec![([127, 0, 0, 1], port).into()]));
    RedisBroker::new("redis.internal", server.tls_port())
        .ca_file(authority.ca_file())
        .resolver(resolver)
}

fn reason(broker: RedisBroker) -> String {
    match refusal(broker) {
        BrokerError::Tls { reason } => reason,
        other => panic!("{other:?} is no fault of TLS"),
    }
}

#[test]
fn it_keeps_the_contract() {
    let authority = Authority::new();
    let server = start(&authority.issue(&["redis.internal"]));
    let broker = broker(&server, &authority);
    assert_eq!(conformance::check(move || broker.clone()), Ok(()));
}

#[test]
fn an_address_is_a_name_too() {
    let authority = Authority::new();
    let server = start(&authority.issue(&["127.0.0.1"]));
    let ca_file = authority.ca_file();
    at_desk(async move |desk| {
        let mut broker = RedisBroker::new("127.0.0.1", server.tls_port()).ca_file(ca_file);
        let mut link = desk.connect(&mut broker).await.expect("a link");
        desk.works(&mut link).await;
    });
}

#[test]
fn what_is_wrong_with_a_certificate_is_told() {
    let authority = Authority::new();
    for (certificate, word) in [
        (authority.issue(&["other.internal"]), "another name"),
        (authority.issue_expired(&["redis.internal"]), "expired"),
        (authority.issue_early(&["redis.internal"]), "not valid yet"),
    ] {
        let server = start(&certificate);
        let reason = reason(broker(&server, &authority));
        assert!(reason.contains(word), "{reason}");
    }
}

#[test]
fn a_stranger_is_not_trusted() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = start(&authority.issue(&["redis.internal"]));
    let wrong_file = reason(broker(&server, &stranger));
    assert!(wrong_file.contains("not signed by a CA"), "{wrong_file}");
    let mut systems = broker(&server, &authority);
    systems.tls = Some(TlsOptions::default());
    let by_system = reason(systems);
    let words = ["not signed by a CA", "no certificate to trust"];
    assert!(
        words.iter().any(|word| by_system.contains(word)),
        "{by_system}"
    );
}

#[test]
fn a_port_without_tls_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let plain = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the broker");
        stream
            .write_all(b"-ERR unknown command\r\n")
            .expect("it listens");
        // Its alert, then its end.
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    });
    let authority = Authority::new();
    let reason = reason(RedisBroker::new("127.0.0.1", port).ca_file(authority.ca_file()));
    assert!(reason.contains("check the port"), "{reason}");
    plain.join().expect("it saw the end");
}

#[test]
fn a_client_shows_its_certificate() {
    let authority = Authority::new();
    let redis = Redis::new()
        .tls(&authority.issue(&["redis.internal"]))
        .only_clients_of(&authority);
    let server = Arc::new(redis.start());

    let none = refusal(broker(&server, &authority));
    let strange = Authority::new();
    let strangers = strange.issue(&["node"]);
    let stranger =
        broker(&server, &authority).client_certificate(&strangers.chain_file, &strangers.key_file);
    for error in [none, refusal(stranger)] {
        let is_told =
            matches!(&error, BrokerError::Tls { reason } if reason.contains("client certificate"));
        // The server's end of the connection may overtake its alert.
        let is_end = matches!(
            error,
            BrokerError::Closed { .. } | BrokerError::Broken { .. }
        );
        assert!(is_told || is_end, "{error:?}");
    }

    let ours = authority.issue(&["node"]);
    let broker = broker(&server, &authority).client_certificate(&ours.chain_file, &ours.key_file);
    at_desk(async move |desk| {
        let mut broker = broker;
        let mut link = desk.connect(&mut broker).await.expect("a link");
        desk.works(&mut link).await;
    });
}

#[test]
fn files_that_cannot_be_used_are_told() {
    let authority = Authority::new();
    let certificate = authority.issue(&["node"]);
    let missing = refusal(RedisBroker::default().ca_file("/nowhere/ca.pem"));
    let what = BrokerError::Secret {
        what: "CA file",
        kind: std::io::ErrorKind::NotFound,
    };
    assert_eq!(missing, what);
    let no_pem = reason(RedisBroker::default().ca_file(&certificate.key_file));
    assert!(no_pem.contains("CA file"), "{no_pem}");
    let other = authority.issue(&["other"]);
    let mixed = RedisBroker::default()
        .ca_file(authority.ca_file())
        .client_certificate(&certificate.chain_file, &other.key_file);
    let mixed = reason(mixed);
    assert!(mixed.contains("don't match"), "{mixed}");
}
