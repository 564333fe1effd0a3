//! TLS: after the greeting and before it, trusted and not, wanted by one side or by both.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use autovia_testkit::{Authority, Certificate, NatsServer};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;

const NAME: &str = "127.0.0.1";

#[track_caller]
fn assert_tls_error(result: Result<(), BrokerError>, text: &str) {
    match result {
        Err(BrokerError::Tls { reason }) => {
            assert!(reason.contains(text), "{reason}");
            assert!(!reason.contains(NAME), "{reason}");
        }
        other => panic!("{other:?} instead of a TLS error"),
    }
}

#[test]
fn a_link_goes_over_to_tls_after_the_greeting() {
    let authority = Authority::new();
    let server = NatsServer::new()
        .token("t")
        .tls(&authority.issue(&[NAME]), "")
        .start();
    let node = || on(server.port()).token("t").ca_file(authority.ca_file());
    assert_eq!(try_link(node().tls(true)), Ok(()));
    // The server requires it, so that it needn't be set.
    assert_eq!(try_link(node()), Ok(()));
    assert_eq!(try_link(node().token("wrong")), refused());
    let url = format!("tls://t@{NAME}:{}", server.port());
    let broker = NatsBroker::from_url(&url).expect("it is an address");
    assert_eq!(try_link(broker.ca_file(authority.ca_file())), Ok(()));
}

#[test]
fn a_certificate_that_proves_nothing_is_refused() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    for (certificate, text) in [
        // The stranger calls itself the same, so what fails is its signature.
        (stranger.issue(&[NAME]), "certificate is not"),
        (authority.issue(&["nats.internal"]), "another name"),
        (authority.issue_expired(&[NAME]), "expired"),
        (authority.issue_early(&[NAME]), "not valid yet"),
    ] {
        let server = NatsServer::new().tls(&certificate, "").start();
        let broker = on(server.port()).ca_file(authority.ca_file());
        assert_tls_error(try_link(broker), text);
    }
    // The system doesn't know the CA of a test either.
    let server = NatsServer::new().tls(&authority.issue(&[NAME]), "").start();
    let error = try_link(on(server.port())).expect_err("nobody knows the CA");
    assert!(matches!(error, BrokerError::Tls { .. }), "{error}");
}

#[test]
fn a_client_certificate_is_shown_to_those_who_ask() {
    let authority = Authority::new();
    let verify = format!(", ca_file: {:?}, verify: true", authority.ca_file());
    let server = NatsServer::new()
        .tls(&authority.issue(&[NAME]), &verify)
        .start();
    let own = authority.issue(&["node"]);
    let node = || on(server.port()).ca_file(authority.ca_file());
    let with = |certificate: &Certificate| {
        node().client_certificate(&certificate.chain_file, &certificate.key_file)
    };
    assert_eq!(try_link(with(&own)), Ok(()));
    assert!(try_link(node()).is_err());
    assert!(try_link(with(&Authority::new().issue(&["node"]))).is_err());
    let mixed = node().client_certificate(own.chain_file, authority.issue(&["other"]).key_file);
    assert_tls_error(try_link(mixed), "don't match");
}

#[test]
fn a_node_that_insists_does_not_talk_in_the_clear() {
    let server = NatsServer::new().token("geheim").start();
    let broker = on(server.port()).token("geheim").tls(true);
    assert_tls_error(try_link(broker), "insists");
    assert_eq!(server.monitor("/varz")["total_connections"], 1);
    // One that begins with TLS gets a greeting in the clear.
    let broker = on(server.port()).token("geheim").tls_first(true);
    assert_tls_error(try_link(broker), "not TLS");
}

/// A server that greets after the handshake, as those with `handshake_first` do, and echoes.
fn handshake_first(certificate: &Certificate) -> u16 {
    let chain = CertificateDer::pem_file_iter(&certificate.chain_file)
        .expect("it was issued")
        .collect::<Result<Vec<_>, _>>()
        .expect("it is PEM");
    let key = PrivateKeyDer::from_pem_file(&certificate.key_file).expect("it is PEM");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the defaults are safe")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("key and certificate belong together");
    let listener = TcpListener::bind((NAME, 0)).expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    thread::spawn(move || {
        let (socket, _) = listener.accept().expect("a node connects");
        let connection = ServerConnection::new(Arc::new(config)).expect("the config is whole");
        let mut stream = StreamOwned::new(connection, socket);
        let info = b"INFO {\"tls_required\":true,\"max_payload\":100}\r\n";
        stream.write_all(info).expect("the node listens");
        let mut said = String::new();
        while !said.ends_with("PING\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("the node talks");
            said.push(char::from(byte[0]));
        }
        assert!(said.contains("\"tls_required\":true"), "{said}");
        let answer = b"PONG\r\nMSG via.broadcast 1 3\r\nown\r\n";
        stream.write_all(answer).expect("the node listens");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    port
}

#[test]
fn a_link_can_begin_with_tls() {
    let authority = Authority::new();
    let port = handshake_first(&authority.issue(&[NAME]));
    let broker = on(port).ca_file(authority.ca_file()).tls_first(true);
    assert_eq!(try_link(broker), Ok(()));
}
