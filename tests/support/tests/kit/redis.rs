//! Redis servers: what is asked is what is there.

use std::path::PathBuf;

use autovia_testkit::{Authority, Redis, Reply};

fn text(text: &str) -> Reply {
    Reply::Text(text.to_owned())
}

#[test]
fn a_server_comes_back_on_its_port_without_its_clients() {
    let server = Redis::new().start();
    let first = server.port();
    assert_eq!(server.must(&["PING"]), text("PONG"));
    server.must(&["SET", "key", "value"]);
    server.kill9();
    server.restart();
    assert_eq!(server.port(), first);
    assert_eq!(server.must(&["GET", "key"]), Reply::Null);
}

#[test]
fn an_administrator_gets_in_past_passwords_and_rights() {
    let closed = Redis::new().requirepass("geheim").start();
    assert_eq!(closed.must(&["PING"]), text("PONG"));
    let guarded = Redis::new().acl("user node on >geheim -@all +ping").start();
    let rights = guarded.must(&["ACL", "LIST"]);
    let Reply::List(lines) = rights else {
        panic!("{rights:?} is no list")
    };
    assert!(
        lines
            .iter()
            .any(|line| line.text().contains("user node on"))
    );
    let unknown = guarded.command(&["NO-SUCH-COMMAND"]);
    assert!(matches!(unknown, Reply::Error(_)), "{unknown:?}");
}

#[test]
fn a_frozen_server_keeps_its_port_and_goes_on() {
    let server = Redis::new().start();
    server.stop();
    // The kernel takes connections for it.
    let stream = std::net::TcpStream::connect(("127.0.0.1", server.port()));
    assert!(stream.is_ok(), "{stream:?}");
    server.cont();
    assert_eq!(server.must(&["PING"]), text("PONG"));
}

#[test]
fn certificates_are_there_as_long_as_their_authority() {
    let files: Vec<PathBuf> = {
        let authority = Authority::new();
        let certificate = authority.issue(&["redis.internal", "127.0.0.1"]);
        let server = Redis::new().tls(&certificate).start();
        assert_ne!(server.tls_port(), server.port());
        let files = vec![
            certificate.chain_file,
            certificate.key_file,
            authority.ca_file(),
        ];
        assert!(files.iter().all(|file| file.exists()), "{files:?}");
        files
    };
    assert!(!files.iter().any(|file| file.exists()), "{files:?}");
}
