//! The server's certificate is changed while it runs.

use autovia_testkit::{Authority, Certificate, Client, Connection, Page, Running};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::common::{eventually, probe, value};
use crate::{Stage, with};

fn hang_up(server: &Running) {
    let pid = Pid::from_raw(i32::try_from(server.pid()).expect("a pid")).expect("it runs");
    kill_process(pid, Signal::HUP).expect("it runs");
}

fn copy(from: &Certificate, to: &Certificate) {
    std::fs::copy(&from.chain_file, &to.chain_file).expect("a file");
    std::fs::copy(&from.key_file, &to.key_file).expect("a file");
}

#[test]
fn a_new_certificate_is_for_new_handshakes_and_a_broken_one_for_none() {
    let stage = with(probe().shards(2));
    let page = Page::open(&stage.client, "/");
    let mut stream = page.stream();
    // Given a stream, when the files hold the pair of another authority,
    let other = Authority::new();
    copy(&other.issue(&["127.0.0.1"]), &stage.certificate);
    hang_up(&stage.server);
    stage
        .server
        .wait_log("new handshakes use the new certificate");
    // then who trusts that one is served,
    let newcomer = Client::new(stage.server.port()).with_tls(other.client_config());
    let new_page = Page::open(&newcomer, "/");
    // who trusts the old one alone is not, and the stream goes on.
    let connection = Connection::open(stage.server.port()).expect("it listens");
    assert!(connection.secure(stage.authority.client_config()).is_err());
    let click = json!({ "via_ctx": page.context, "_args": [] }).to_string();
    let origin = newcomer.origin();
    let session = page
        .client
        .cookie("__Host-via_session_id")
        .expect("a session");
    newcomer.set_cookie("__Host-via_session_id", &session);
    let response = newcomer.post("/_action/add", &[("Origin", &origin)], click);
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(value(&mut stream, "count"), 1);

    // When the key is another one's, then that is told once, and the last good pair stays.
    let stranger = other.issue(&["127.0.0.1", "localhost"]);
    std::fs::copy(&stranger.key_file, &stage.certificate.key_file).expect("a file");
    for _ in 0..5 {
        hang_up(&stage.server);
    }
    let told = "the new certificate and key can't be used";
    let line = stage.server.wait_log(told);
    assert!(line.contains("another key"), "{line}");
    assert!(newcomer.stranger().connect().still_answers());
    // With its certificate it is a pair again, and no look between told anything twice.
    std::fs::copy(&stranger.chain_file, &stage.certificate.chain_file).expect("a file");
    hang_up(&stage.server);
    eventually("the third certificate is in use", || {
        let lines = stage.server.log();
        let used = lines
            .iter()
            .filter(|line| line.contains("the new certificate;"));
        (used.count() == 2).then_some(())
    });
    let lines = stage.server.log();
    assert_eq!(lines.iter().filter(|line| line.contains(told)).count(), 1);
    drop(new_page);
    stage.assert_well_for(&other);
}

impl Stage {
    fn assert_well_for(&self, authority: &Authority) {
        let client = Client::new(self.server.port()).with_tls(authority.client_config());
        assert!(client.connect().still_answers());
    }
}
