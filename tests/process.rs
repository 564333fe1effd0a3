//! The process from outside: where its options come from, when it refuses to start and with which
//! code, what a second server on its port sees, and that a shard that hangs ends it.

mod common;

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::thread;

use autovia_testkit::{Authority, Certificate, Output, Page, Running, Server};
use common::{SHARDS, autovia, file, probe};
use serde_json::json;

fn shards_of(server: &Running) -> usize {
    let names = server.thread_names();
    let shards: BTreeSet<&str> = names
        .iter()
        .filter_map(|name| name.strip_prefix("shard-"))
        .filter(|number| number.parse::<u16>().is_ok())
        .collect();
    shards.len()
}

fn assert_refused(output: &Output, code: i32, said: &[&str]) {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert_eq!(output.stdout, "", "{output:?}");
    for text in said {
        assert!(output.stderr.contains(text), "no {text:?} in {output:?}");
    }
}

/// The line that says why the server ended, which is its last one and the only one of its kind.
fn assert_one_line(output: &Output) {
    let lines: Vec<&str> = output
        .stderr
        .lines()
        .filter(|line| line.starts_with("autovia: "))
        .collect();
    assert_eq!(lines.len(), 1, "{output:?}");
    assert_eq!(output.stderr.lines().last(), Some(lines[0]), "{output:?}");
}

#[test]
fn a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default() {
    // Given the same option in several places, when the server starts, then the strongest counts.
    let path = file("precedence.toml", "shards = 3\n");
    let with_file = || autovia().arg("--config").arg(&path);
    let with_variable = || with_file().env("AUTOVIA_SHARDS", "2");
    let cpus = thread::available_parallelism().expect("CPUs can be counted");

    assert_eq!(shards_of(&with_variable().shards(1).start()), 1);
    assert_eq!(shards_of(&with_variable().start()), 2);
    assert_eq!(shards_of(&with_file().start()), 3);
    assert_eq!(shards_of(&autovia().start()), cpus.get());
    // The file may be named by a variable as well.
    assert_eq!(
        shards_of(&autovia().env("AUTOVIA_CONFIG", &path).start()),
        3
    );
}

#[test]
fn a_value_that_is_refused_is_told_with_the_place_that_it_came_from() {
    let path = file("bad-value.toml", "# a comment\nport = 70000\n");
    let line = format!("{} (key `port`, line 2)", path.display());
    let output = autovia().run_to_end(["--config".into(), path.into_os_string()]);
    assert_refused(&output, 2, &["`70000`", &line, "0 to 65535"]);
    assert_one_line(&output);

    let output = autovia()
        .env("AUTOVIA_PORT", "abc")
        .run_to_end(["--shards", "1"]);
    assert_refused(&output, 2, &["`abc`", "AUTOVIA_PORT", "0 to 65535"]);
    assert_one_line(&output);

    let output = autovia().run_to_end(["--port", "70000"]);
    assert_refused(&output, 2, &["70000", "--port", "0 to 65535"]);
}

#[test]
fn what_is_unknown_is_refused_with_the_nearest_name() {
    let path = file("unknown-key.toml", "shards = 1\nbody_bytes = 4096\n");
    let output = autovia().run_to_end(["--config".into(), path.into_os_string()]);
    assert_refused(&output, 2, &["`body_bytes`", "line 2", "`body-bytes`"]);
    assert_one_line(&output);

    let output = autovia()
        .env("AUTOVIA_LOGLEVEL", "info")
        .run_to_end(["--port", "0"]);
    assert_refused(&output, 2, &["AUTOVIA_LOGLEVEL", "AUTOVIA_LOG_LEVEL"]);
    assert_one_line(&output);

    let output = autovia().run_to_end(["--shard", "2"]);
    assert_refused(&output, 2, &["--shard", "--shards"]);
}

#[test]
fn a_configuration_that_cannot_be_read_is_a_usage_error() {
    let output = autovia().run_to_end(["--config", "no/such/file.toml"]);
    assert_refused(&output, 2, &["no/such/file.toml", "--config"]);
    assert_one_line(&output);

    let path = file("no-toml.toml", "shards = = 2\n");
    let output = autovia().run_to_end(["--config".into(), path.into_os_string()]);
    assert_refused(&output, 2, &["no-toml.toml", "line 1"]);

    let path = file("bad.keys", "00ff\n");
    let output = autovia().run_to_end(["--session-key-file".into(), path.into_os_string()]);
    assert_refused(&output, 2, &["bad.keys", "64 hex digits"]);
    assert!(
        !output.stderr.contains("00ff"),
        "a key was shown: {output:?}"
    );
}

#[test]
fn the_memory_broker_is_for_one_shard() {
    let output = autovia().run_to_end(["--broker", "memory", "--shards", "2"]);
    assert_refused(&output, 2, &["--broker", "2 shards", "mesh"]);
    assert_one_line(&output);

    let alone = autovia().args(["--broker", "memory"]).shards(1).start();
    assert_eq!(alone.health()["broker"]["driver"], "InMemoryBroker");
    let joined = autovia().args(["--broker", "mesh"]).shards(2).start();
    assert_eq!(joined.health()["broker"]["driver"], "MeshBroker");
}

#[test]
fn a_taken_port_is_one_clear_line() {
    // Given a port that a stranger holds, also one that would share it,
    let stranger = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let sharing = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    sharing.set_reuse_address(true).unwrap();
    sharing.set_reuse_port(true).unwrap();
    let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    sharing.bind(&any.into()).unwrap();
    sharing.listen(1).unwrap();
    let sharing = TcpListener::from(sharing);
    for holder in [&stranger, &sharing] {
        let port = holder.local_addr().unwrap().port().to_string();
        // when a server is told to listen on it, then it says so and ends.
        let output = autovia().run_to_end(["--port", &port, "--shards", "2"]);
        assert_refused(&output, 1, &[&format!("127.0.0.1:{port}"), "--port"]);
        assert_one_line(&output);
    }
}

#[test]
fn the_port_of_another_autovia_is_taken_too() {
    for shards in SHARDS {
        let first = autovia().shards(shards).start();
        let port = first.port().to_string();
        for others in SHARDS {
            let output = autovia().run_to_end(["--port", &port, "--shards", &others.to_string()]);
            assert_refused(&output, 1, &[&port]);
            assert_one_line(&output);
        }
        // The first one never noticed.
        assert_eq!(first.health()["status"], "ok");
    }
}

#[test]
fn an_address_that_is_not_of_this_machine_is_refused() {
    for (host, said) in [
        ("192.0.2.1", "192.0.2.1:"),
        ("999.1.1.1", "999.1.1.1"),
        ("127.0.0.1:80", "--port 80"),
        ("a b", "neither"),
    ] {
        let output = autovia().run_to_end(["--host", host, "--port", "0", "--shards", "1"]);
        assert_refused(&output, 1, &[said, "--host"]);
        assert_one_line(&output);
    }
}

#[test]
fn more_shards_than_cpus_are_allowed_with_a_warning() {
    let cpus = thread::available_parallelism().expect("CPUs can be counted");
    let shards = cpus.get() + 3;
    let server = probe().shards(shards).start();
    let warning = server.wait_log("shards that share a CPU");
    assert!(warning.contains(&format!("{shards} shards")), "{warning}");
    // Each of them serves pages.
    let last = u16::try_from(shards).expect("a few shards");
    let pages = Page::one_per_shard(server.port(), "/", last);
    for page in &pages {
        assert_eq!(page.act("add", json!([]), json!({"step": 1})).status, 200);
    }
}

#[test]
fn doctor_judges_this_machine_as_the_server_does() {
    let output = autovia().run_to_end(["doctor"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    for name in ["kernel", "io_uring", "locked memory", "open files", "CPUs"] {
        assert!(output.stdout.contains(name), "no {name} in {output:?}");
    }
}

#[test]
fn doctor_reads_the_options_and_looks_at_the_certificate() {
    let authority = Authority::new();
    let doctor = |certificate: &Certificate| {
        let cert = certificate.chain_file.clone().into_os_string();
        let key = certificate.key_file.clone().into_os_string();
        let words = ["--tls-cert".into(), cert, "--tls-key".into(), key];
        autovia().run_to_end(words.into_iter().chain(["doctor".into()]))
    };
    let good = doctor(&authority.issue(&["a.test"]));
    assert_eq!(good.status.code(), Some(0), "{good:?}");
    assert!(
        good.stdout.contains("certificate        valid until "),
        "{good:?}"
    );
    let over = doctor(&authority.issue_expired(&["a.test"]));
    assert_eq!(over.status.code(), Some(0), "{over:?}");
    assert!(
        over.stdout
            .contains("not valid any more since Tue, 01 Jan 2002"),
        "{over:?}"
    );
    let mut mixed = authority.issue(&["a.test"]);
    mixed.key_file = authority.issue(&["b.test"]).key_file;
    let refused = doctor(&mixed);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(
        refused
            .stdout
            .contains("the certificate is for another key"),
        "{refused:?}"
    );
}

#[test]
fn doctor_says_what_a_number_of_streams_needs() {
    let few = autovia().run_to_end(["doctor", "--streams", "100"]);
    assert!(few.stdout.contains("descriptors"), "{few:?}");
    assert!(
        few.stdout.contains("This machine holds 100 streams."),
        "{few:?}"
    );
    assert_eq!(few.status.code(), Some(0));
    // More than any machine of today has memory for.
    let many = autovia().run_to_end(["doctor", "--streams", "100000000"]);
    assert_eq!(many.status.code(), Some(1), "{many:?}");
    assert!(many.stdout.contains("change: "), "{many:?}");
}

#[test]
fn io_uring_that_is_forbidden_is_told_in_the_words_of_doctor() {
    // Given a container that forbids io_uring,
    let contained = autovia().without_io_uring();
    // when doctor looks, then it says what is wrong and what to change,
    let report = contained.run_to_end(["doctor"]);
    assert_eq!(report.status.code(), Some(1), "{report:?}");
    let mut lines = report.stdout.lines();
    let found = lines.find_map(|line| line.strip_prefix("FAIL  io_uring"));
    let found = found.expect("io_uring is what fails").trim();
    assert!(found.contains("seccomp"), "{report:?}");
    let change = lines.next().expect("a line with the change").trim();
    let change = change.strip_prefix("change: ").expect("what to change");
    // and the server refuses in the same words.
    for shards in SHARDS {
        let output = contained.run_to_end(["--port", "0", "--shards", &shards.to_string()]);
        assert_refused(&output, 1, &[found, change]);
        assert_one_line(&output);
    }
}

#[test]
fn help_and_version_are_no_failures() {
    let help = autovia().run_to_end(["--help"]);
    assert_eq!(help.status.code(), Some(0));
    // Each option says its variable, and a user's own binary has the options as well.
    for option in ["--shards", "AUTOVIA_LOG_LEVEL", "--session-key-file"] {
        assert!(help.stdout.contains(option), "{help:?}");
        let own = probe().run_to_end(["--help"]).stdout;
        assert!(own.contains(option), "{own}");
    }
    let version = autovia().run_to_end(["--version"]);
    assert_eq!(
        version.stdout.trim_end(),
        concat!("autovia ", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn the_log_has_a_level_and_a_format() {
    // Given a log in JSON, when handlers fail and panic,
    let server = probe().args(["--log-format", "json"]).shards(2).start();
    let page = Page::open(&server.client(), "/failures");
    for name in ["fails", "panics", "blocking-panics"] {
        assert_eq!(page.act(name, json!([]), json!(null)).status, 500);
    }
    server.client().get("/view-panics");
    assert_eq!(server.terminate().code(), Some(0));
    // then each line is one JSON object, and a panic says where it happened.
    let log = server.log();
    let lines = log
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")));
    let lines: Vec<serde_json::Value> = lines.collect();
    assert!(lines.iter().any(|line| line["level"] == "INFO"), "{log:?}");
    let places = log.iter().filter(|line| line.contains("probe/failures.rs"));
    assert_eq!(places.count(), 3, "{log:?}");

    let quiet = autovia().env("AUTOVIA_LOG_LEVEL", "warn").shards(1).start();
    quiet.terminate();
    assert_eq!(quiet.log(), Vec::<String>::new());
}

/// Asks a page's shard to spin for ever, without waiting for an answer.
fn hang(page: &Page) -> autovia_testkit::Connection {
    let mut connection = page.client.connect();
    connection
        .write(&page.action("hang-shard").bytes())
        .expect("the server takes the click");
    connection
}

#[test]
fn a_shard_that_hangs_ends_the_process_and_is_named() {
    for shards in SHARDS {
        // Given a server of which one shard, the last, runs an action that never yields,
        let server = probe().shards(shards).args(["--hang-seconds", "1"]).start();
        let last = u16::try_from(shards - 1).expect("a few shards");
        let page = Page::open_on(&server.client(), "/failures", last);
        let _clicked = hang(&page);
        // then the process ends by itself and says which shard it was.
        assert_eq!(server.wait_exit().code(), Some(70), "{:?}", server.log());
        server.wait_log(&format!("shard {last} has not moved for 1 s"));
    }
}

#[test]
fn a_process_that_was_stopped_is_no_hang() {
    // Given a server that calls a second of standstill a hang,
    let server = probe()
        .shards(2)
        .args(["--hang-seconds", "1", "--heartbeat-seconds", "1"])
        .start();
    let page = Page::open(&server.client(), "/failures");
    let mut stream = page.stream();
    stream.next_comment();
    let other = probe().args(["--heartbeat-seconds", "1"]).start();
    let mut clock = Page::open(&other.client(), "/").stream();

    // when the whole process stands still for longer (three seconds by the heartbeats of another),
    server.stop();
    for _ in 0..4 {
        clock.next_comment();
    }
    server.cont();

    // then it goes on: two heartbeats later, so well after the watchdog's next looks, all is well.
    stream.next_comment();
    stream.next_comment();
    assert_eq!(page.act("ok", json!([]), json!(null)).status, 200);
    drop(stream);
    assert_eq!(server.terminate().code(), Some(0), "{:?}", server.log());
}

#[test]
fn an_app_with_a_mistake_does_not_start() {
    // Given a template folder that doesn't exist, then the server says so instead of serving half an app.
    let server = Server::new(env!("CARGO_BIN_EXE_autovia"));
    let output = server.run_to_end(["--template-dir", "no/such/folder", "--port", "0"]);
    assert!(
        matches!(output.status.code(), Some(1 | 2)),
        "{:?}",
        output.status
    );
    assert!(output.stderr.contains("no/such/folder"), "{output:?}");
}
