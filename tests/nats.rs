//! The NATS broker keeps the contract of brokers, as any user of the library can check it: on one
//! server, with login and TLS, and with two servers of a cluster given.

use autovia::broker::{NatsBroker, conformance};
use autovia_testkit::{Authority, NatsOperator, NatsServer};

#[test]
fn the_contract_is_kept_on_a_server_without_login() {
    let server = NatsServer::new().start();
    let port = server.port();
    let checked = conformance::check(move || NatsBroker::new("127.0.0.1", port));
    assert_eq!(checked, Ok(()));
}

#[test]
fn the_contract_is_kept_under_tls_with_a_user_of_the_least_rights() {
    let authority = Authority::new();
    let right = "myapp.broadcast";
    let rights = format!(", permissions: {{ publish: \"{right}\", subscribe: \"{right}\" }}");
    let server = NatsServer::new()
        .user("node", "secret", &rights)
        .tls(&authority.issue(&["127.0.0.1"]), "")
        .start();
    let (port, ca_file) = (server.port(), authority.ca_file());
    let checked = conformance::check(move || {
        NatsBroker::new("127.0.0.1", port)
            .user("node", "secret")
            .subject("myapp.broadcast")
            .tls(true)
            .ca_file(&ca_file)
    });
    assert_eq!(checked, Ok(()));
}

#[test]
fn the_contract_is_kept_with_credentials_of_an_operator() {
    let operator = NatsOperator::new();
    let server = NatsServer::new().config(operator.config()).start();
    let port = server.port();
    let file = std::env::temp_dir().join(format!("autovia-nats-{}.creds", std::process::id()));
    std::fs::write(&file, operator.credentials()).expect("the temporary folder can be written to");
    let path = file.clone();
    let checked = conformance::check(move || NatsBroker::new("127.0.0.1", port).creds_file(&path));
    std::fs::remove_file(file).expect("it was written");
    assert_eq!(checked, Ok(()));
}
