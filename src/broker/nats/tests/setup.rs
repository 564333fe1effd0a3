//! What can be set, and what is refused before anything is dialled.

use super::*;

#[test]
fn addresses_are_read_from_urls() {
    for (url, servers) in [
        ("nats://h", vec![("h", 4222)]),
        ("NATS://h:1/", vec![("h", 1)]),
        (
            "tls://t@a:1,b,[::1]:7",
            vec![("a", 1), ("b", 4222), ("::1", 7)],
        ),
        ("nats://u:p@h", vec![("h", 4222)]),
    ] {
        let broker = NatsBroker::from_url(url).expect("it is an address");
        let found = broker.servers.turn();
        let found: Vec<(&str, u16)> = found
            .iter()
            .map(|server| (server.address.host.as_str(), server.address.port))
            .collect();
        assert_eq!(found, servers, "{url}");
        assert_eq!(broker.tls, url.starts_with("tls"));
    }
    for url in [
        "redis://h",
        "nats://h/subject",
        "nats://:p@h",
        "nats://h:0",
        "",
    ] {
        assert!(NatsBroker::from_url(url).is_err(), "{url}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let broker = NatsBroker::from_url("nats://geheim1:geheim2@h").expect("it is an address");
    assert!(!format!("{broker:?}").contains("geheim"));
    assert_eq!(broker.driver(), "NatsBroker");
}

#[test]
fn a_subject_with_a_wildcard_is_refused_before_anything_is_dialled() {
    let broker = on(1).subject("via.*");
    let error = broker.check().expect_err("it has a wildcard");
    assert!(error.to_string().contains("wildcard"), "{error}");
    let reason = error.to_string();
    assert_eq!(try_link(broker), Err(BrokerError::Other { reason }));
    assert_eq!(NatsBroker::default().check(), Ok(()));
}
