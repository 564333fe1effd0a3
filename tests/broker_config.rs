//! The broker's options from outside: which combinations end the start, with which code and which
//! words, and that no secret gets into them or into the log.

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use autovia_testkit::{Output, Server};
use common::{autovia, file, probe};

/// What must never be seen.
const SECRET: &str = "geheim-4711";

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// Starts a server that must refuse: exit code 2, one line of its own, no secret in it.
fn refused(server: &Server, line: &str, said: &[&str]) {
    let output = server.run_to_end(words(line));
    assert_eq!(output.status.code(), Some(2), "{line}: {output:?}");
    assert_shows_no_secret(&output);
    let told: Vec<&str> = output
        .stderr
        .lines()
        .filter(|line| line.starts_with("autovia: "))
        .collect();
    assert_eq!(told.len(), 1, "{line}: {output:?}");
    for text in said {
        assert!(told[0].contains(text), "no {text:?} in {output:?}");
    }
}

fn assert_shows_no_secret(output: &Output) {
    assert!(!output.stdout.contains(SECRET), "{output:?}");
    assert!(!output.stderr.contains(SECRET), "{output:?}");
}

fn secret_file(name: &str, mode: u32) -> PathBuf {
    let path = file(name, &format!("{SECRET}\n"));
    fs::set_permissions(&path, Permissions::from_mode(mode)).expect("the file is ours");
    path
}

#[test]
fn a_secret_in_the_command_line_is_refused() {
    for url in [
        "redis://via:geheim-4711@127.0.0.1:6379",
        "redis://:geheim-4711@127.0.0.1",
        "rediss://via:geheim-4711@redis.internal",
        "redis-sentinel://:geheim-4711@h:26379/master",
        "nats://geheim-4711@127.0.0.1",
        "tls://via:geheim-4711@nats.internal:4222",
        "reds://via:geheim-4711@h",
    ] {
        let said = [
            "--broker-url",
            "everybody on this machine can read a command line",
            "AUTOVIA_BROKER_PASSWORD",
            "--broker-password-file",
            "AUTOVIA_BROKER_URL",
        ];
        refused(&autovia(), &format!("--broker-url {url}"), &said);
    }
    // No flag takes one either, and the refusal doesn't repeat it.
    for flag in ["--broker-password", "--broker-token"] {
        let output = autovia().run_to_end([format!("{flag}={SECRET}")]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(
            output.stderr.contains(&format!("{flag}-file")),
            "{output:?}"
        );
        assert_shows_no_secret(&output);
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    for (line, said) in [
        (
            "--broker redis --broker-url nats://127.0.0.1",
            &["--broker", "nats://127.0.0.1", "contradict", "rediss://"][..],
        ),
        (
            "--broker redis --broker-subject a.b",
            &["--broker-subject", "broker nats", "broker-channel instead"],
        ),
        (
            "--broker nats --broker-channel a",
            &["--broker-channel", "broker redis", "broker-subject instead"],
        ),
        (
            "--broker mesh --broker-url redis://127.0.0.1",
            &["broker-url", "mesh (from --broker)", "take broker-url away"],
        ),
        (
            "--shards 1 --broker-tls",
            &[
                "broker-tls",
                "memory (by default)",
                "set broker to redis or nats",
            ],
        ),
        (
            "--broker redis --broker-username via",
            &[
                "--broker-username",
                "needs a password",
                "AUTOVIA_BROKER_PASSWORD",
            ],
        ),
        (
            "--broker redis --link-core 1023",
            &[
                "`1023` from --link-core",
                "not a CPU that this process may use",
            ],
        ),
        (
            "--broker redis --broker-password-file no/such/file",
            &["no/such/file", "--broker-password-file", "Correct the path"],
        ),
        (
            "--broker-url redis.internal:6379",
            &["--broker-url", "is not a broker's URL", "redis://"],
        ),
    ] {
        refused(&autovia(), line, said);
    }
    let spaced = autovia().env("AUTOVIA_BROKER_CHANNEL", "a b");
    let said = ["`a b` from AUTOVIA_BROKER_CHANNEL", "is not a channel"];
    refused(&spaced, "--broker redis", &said);
}

#[test]
fn secrets_of_the_environment_and_of_files_are_not_told_in_errors() {
    let path = secret_file("broker-twice", 0o600);
    let twice = autovia().env("AUTOVIA_BROKER_PASSWORD", SECRET);
    let line = format!("--broker redis --broker-password-file {}", path.display());
    refused(
        &twice,
        &line,
        &["password is said twice", "AUTOVIA_BROKER_PASSWORD"],
    );

    let url = autovia().env("AUTOVIA_BROKER_URL", format!("redis://via:{SECRET}@h:1"));
    refused(
        &url,
        "--broker nats",
        &["redis://h:1", "AUTOVIA_BROKER_URL"],
    );
    refused(&url, "--broker-subject a", &["broker-subject"]);

    let malformed = autovia().env("AUTOVIA_BROKER_URL", format!("redis://via:a@{SECRET}@h"));
    refused(&malformed, "", &["is not a broker's URL", "%40"]);

    let toml = file(
        "broker-secret.toml",
        &format!("broker = \"redis\"\nbroker-password = [\"{SECRET}\"]\n"),
    );
    let line = format!("--config {}", toml.display());
    refused(
        &autovia(),
        &line,
        &["broker-password", "line 2", "not a text"],
    );
}

#[test]
fn a_secret_that_everybody_can_read_is_a_warning_and_no_secret_is_logged() {
    // Given secrets in places that everybody can read, and a broker that nobody runs,
    let open = secret_file("broker-open", 0o644);
    let toml = file(
        "broker-open.toml",
        &format!("broker-url = \"redis://:{SECRET}@127.0.0.1:1\"\n"),
    );
    fs::set_permissions(&toml, Permissions::from_mode(0o644)).expect("the file is ours");
    let by_file = autovia()
        .args([
            "--broker-url",
            "redis://via@127.0.0.1:1",
            "--broker-password-file",
        ])
        .arg(&open);
    let by_toml = autovia().arg("--config").arg(&toml);
    for (server, said) in [
        (
            by_file,
            "every user of this machine can read the file of the broker's password",
        ),
        (by_toml, "every user of this machine can read broker-url in"),
    ] {
        // when a server starts with them and logs all it can,
        let running = server.args(["--log-level", "trace"]).shards(1).start();
        // then it warns, and its log never holds the secret.
        running.wait_log(said);
        assert_eq!(running.terminate().code(), Some(0), "{:?}", running.log());
        let log = running.log();
        assert!(!log.iter().any(|line| line.contains(SECRET)), "{log:?}");
    }
}

#[test]
fn help_lists_the_broker_and_every_binary_has_its_options() {
    for server in [autovia(), probe()] {
        let help = server.run_to_end(["--help"]).stdout;
        let (_, broker) = help.split_once("\nBroker:\n").expect("a heading");
        for flag in [
            "--broker ",
            "--broker-url ",
            "--broker-tls",
            "--link-core",
            "--ready-when",
        ] {
            assert!(broker.contains(flag), "no {flag} in {broker}");
        }
    }
}
