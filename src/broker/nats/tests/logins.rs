//! Each way to log in, right and wrong, against servers that check.

use std::io::ErrorKind;

use autovia_testkit::{NatsOperator, NatsServer, NkeyPair};

use super::*;

/// A file with a secret; the folder goes with the value.
struct Kept(std::path::PathBuf);

impl Kept {
    fn new(name: &str, text: &str) -> Self {
        let name = format!("autovia-nats-secret-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).expect("the temporary folder can be written to");
        Self(path)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_token_opens_the_link_and_a_wrong_one_never_does() {
    let server = NatsServer::new().token("open \\\"sesame").start();
    assert_eq!(try_link(on(server.port()).token("open \"sesame")), Ok(()));
    assert_eq!(try_link(on(server.port()).token("wrong")), refused());
    assert_eq!(try_link(on(server.port())), refused());
    assert_eq!(try_link(on(server.port()).user("open", "x")), refused());
}

#[test]
fn a_name_and_a_password_open_the_link() {
    let server = NatsServer::new().user("node", "pass word", "").start();
    let port = server.port();
    assert_eq!(try_link(on(port).user("node", "pass word")), Ok(()));
    assert_eq!(try_link(on(port).user("node", "pass")), refused());
    let url = format!("nats://node:pass%20word@127.0.0.1:{port}");
    let broker = NatsBroker::from_url(&url).expect("it is an address");
    assert_eq!(try_link(broker), Ok(()));
}

#[test]
fn a_key_signs_what_the_server_asks() {
    let key = NkeyPair::user();
    let users = format!(
        "authorization {{ users = [ {{ nkey: {} }} ] }}",
        key.public()
    );
    let server = NatsServer::new().config(users).start();
    assert_eq!(try_link(on(server.port()).nkey_seed(key.seed())), Ok(()));
    let stranger = NkeyPair::user();
    let refusal = try_link(on(server.port()).nkey_seed(stranger.seed()));
    assert_eq!(refusal, refused());
}

#[test]
fn a_server_without_keys_is_told_apart_from_one_that_refuses() {
    let server = NatsServer::new().token("t").start();
    let seed = NkeyPair::user().seed();
    let error = try_link(on(server.port()).nkey_seed(seed.clone())).expect_err("no nonce");
    assert!(error.to_string().contains("nonce"), "{error}");
    assert!(!error.to_string().contains(&seed));
}

#[test]
fn credentials_of_an_operator_open_the_link() {
    let operator = NatsOperator::new();
    let server = NatsServer::new().config(operator.config()).start();
    let own = Kept::new("own", &operator.credentials());
    assert_eq!(try_link(on(server.port()).creds_file(&own.0)), Ok(()));
    let foreign = Kept::new("foreign", &NatsOperator::new().credentials());
    assert_eq!(
        try_link(on(server.port()).creds_file(&foreign.0)),
        refused()
    );
    assert_eq!(try_link(on(server.port())), refused());
}

#[test]
fn a_secret_that_can_not_be_read_is_named_and_not_shown() {
    let missing = SecretSource::File("/nowhere/token".into());
    let kind = ErrorKind::NotFound;
    let what = "token";
    assert_eq!(
        try_link(on(1).token(missing)),
        Err(BrokerError::Secret { what, kind })
    );
    let what = "credentials file";
    assert_eq!(
        try_link(on(1).creds_file("/nowhere/creds")),
        Err(BrokerError::Secret { what, kind })
    );
    for broken in [
        "geheim",
        "---a---\na.b.c\n---b---\n---c---\nSUgeheim\n---d---",
    ] {
        let file = Kept::new("broken", broken);
        let error = try_link(on(1).creds_file(&file.0)).expect_err("it is broken");
        assert!(!error.to_string().contains("geheim"), "{error}");
        let error = try_link(on(1).nkey_seed(broken)).expect_err("it is broken");
        assert!(!error.to_string().contains("geheim"), "{error}");
    }
}

#[test]
fn a_rotated_secret_is_read_at_the_next_attempt() {
    let file = Kept::new("rotated", "first\n");
    let mut server = NatsServer::new().token("first").start();
    run(async move |bench| {
        let mut node = on(server.port()).token(SecretSource::File(file.0.clone()));
        let mut link = bench.open(&mut node).await.expect("the token is right");
        server.reload(NatsServer::new().token("second"));
        let error = end(&mut link).await;
        assert!(
            matches!(
                error,
                BrokerError::Refused { .. }
                    | BrokerError::Closed { .. }
                    | BrokerError::Broken { .. }
            ),
            "{error}"
        );
        let error = bench.open(&mut node).await.err();
        assert_eq!(error, refused().err());
        std::fs::write(&file.0, "second").expect("it is there");
        let mut link = bench.open(&mut node).await.expect("the token is right");
        publish(&mut link, &["a"]).await.expect("the link is up");
        assert_eq!(hear(&mut link, 1).await.expect("the link is up"), ["a"]);
    });
}
