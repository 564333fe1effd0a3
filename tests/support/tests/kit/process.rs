//! The kit's process half against a script that behaves like the server at start and end.

use std::os::unix::process::ExitStatusExt;

use autovia_testkit::Server;

const PRETEND_SERVER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/fixtures/pretend-server.sh"
);

#[test]
fn a_server_is_ready_logs_and_stops_by_its_own_will() {
    let server = Server::new(PRETEND_SERVER)
        .shards(2)
        .arg("--dev")
        .env("AUTOVIA_X", "1")
        .start();

    assert_eq!(server.port(), 4711);
    assert_eq!(server.base_url(), "http://127.0.0.1:4711");
    assert_eq!(
        server.wait_log("starting"),
        "starting with --shards 2 --port 0 --dev"
    );
    // The one that the test set; those of the tests' own environment are gone.
    server.wait_log("AUTOVIA variables: 1");
    assert!(server.is_running());
    assert!(server.resident_bytes() > 0 && server.open_files() > 2);
    assert_eq!(server.thread_names(), ["pretend-server."]);

    assert_eq!(server.terminate().code(), Some(0));
    assert!(!server.is_running());
    server.wait_log("stopping");
}

#[test]
fn a_killed_server_and_one_that_was_stopped_end_by_their_signal() {
    let server = Server::new(PRETEND_SERVER).start();
    server.stop();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).expect("it exists");
    assert!(stat.contains(") T "), "not stopped: {stat}");
    server.cont();
    assert_eq!(server.kill9().signal(), Some(9));
}

#[test]
fn a_start_that_fails_gives_its_code_and_words() {
    let output = Server::new(PRETEND_SERVER).run_to_end(["--fail"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(output.stderr, "starting with --fail\nrefused");
    assert_eq!(output.stdout, "");
}

#[test]
#[should_panic(expected = "refused")]
fn a_server_that_does_not_come_up_shows_what_it_said() {
    Server::new(PRETEND_SERVER).arg("--fail").start();
}
