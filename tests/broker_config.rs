//! The broker's options from outside: which combinations end the start, with which code and which
//! words, that no secret gets into them or into the log, and that each option does what it says.

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use autovia::server::config::Cpus;
use autovia_testkit::{
    Authority, NatsOperator, NatsServer, NkeyPair, Output, Redis, Running, Server,
};
use common::{autovia, eventually, file, probe};

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
            &[
                "--broker",
                "nats://127.0.0.1",
                "contradict",
                "redis-cluster://",
            ][..],
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

/// The CPUs that the thread of this name may run on, as the kernel lists them.
fn cpus_of_thread(server: &Running, name: &str) -> String {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).expect("the process runs");
    let status = tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok())
        .find(|status| status.starts_with(&format!("Name:\t{name}\n")))
        .expect("a thread of this name");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    line.expect("each thread has CPUs").trim().to_owned()
}

#[test]
fn all_options_of_redis_together_reach_it() {
    // Given a redis that takes one user on one channel, by TLS, with a certificate of the client,
    let authority = Authority::new();
    let client = authority.issue(&["autovia"]);
    let redis = Redis::new()
        .acl(&format!(
            "user via on >{SECRET} resetchannels &app:one +subscribe +publish +ping"
        ))
        .tls(&authority.issue(&["127.0.0.1"]))
        .only_clients_of(&authority)
        .start();
    let password = secret_file("broker-password", 0o600);
    let cpus = Cpus::of_this_process().allowed;
    let cpu = cpus.last().expect("a CPU").to_string();

    // when a server is told all of that by its options,
    let server = autovia()
        .env("AUTOVIA_BROKER_CHANNEL", "app:one")
        .env("AUTOVIA_BROKER_PASSWORD_FILE", &password)
        .arg("--broker-url")
        .arg(format!("rediss://via@127.0.0.1:{}", redis.tls_port()))
        .arg("--broker-ca-file")
        .arg(authority.ca_file())
        .arg("--broker-cert-file")
        .arg(&client.chain_file)
        .arg("--broker-key-file")
        .arg(&client.key_file)
        .args(["--link-core", &cpu, "--ready-when", "link"])
        .shards(1)
        .start();

    // then it is connected, which is more than logged in: what it published came back.
    eventually("a connected link", || {
        (server.health()["broker"]["connected"] == true).then_some(())
    });
    assert_eq!(server.health()["broker"]["driver"], "RedisBroker");
    assert_eq!(server.client().get("/_ready").status, 200);
    assert_eq!(cpus_of_thread(&server, "link"), cpu);
    let log = server.log();
    assert!(!log.iter().any(|line| line.contains(SECRET)), "{log:?}");
}

#[test]
fn each_way_to_log_in_to_nats_reaches_it() {
    let (operator, nkey) = (NatsOperator::new(), NkeyPair::user());
    let authority = Authority::new();
    let certificate = authority.issue(&["127.0.0.1"]);
    let subject = ", permissions: { publish: \"app.one\", subscribe: \"app.one\" }";
    let user = NatsServer::new()
        .user("via", SECRET, subject)
        .tls(&certificate, "");
    let key_only = format!(
        "authorization {{ users: [ {{ nkey: {} }} ] }}",
        nkey.public()
    );
    let secret = secret_file("broker-nats", 0o600);
    let creds = file("broker.creds", &operator.credentials());
    let seed = file("broker.nkey", &nkey.seed());
    for (nats, kind, options) in [
        (
            NatsServer::new().token(SECRET),
            "nats",
            vec!["--broker-token-file".into(), secret.clone()],
        ),
        (
            user,
            "tls",
            vec![
                "--broker-username=via".into(),
                "--broker-password-file".into(),
                secret,
                "--broker-subject=app.one".into(),
                "--broker-ca-file".into(),
                authority.ca_file(),
            ],
        ),
        (
            NatsServer::new().config(operator.config()),
            "nats",
            vec!["--broker-creds-file".into(), creds],
        ),
        (
            NatsServer::new().config(key_only),
            "nats",
            vec!["--broker-nkey-file".into(), seed],
        ),
    ] {
        // Given a server that wants a login, when its options tell it, then the link is connected.
        let nats = nats.start();
        let url = format!("{kind}://127.0.0.1:{}", nats.port());
        let server = autovia()
            .args(["--broker-url", &url])
            .args(options)
            .shards(1)
            .start();
        eventually("a connected link", || {
            (server.health()["broker"]["connected"] == true).then_some(())
        });
        assert_eq!(server.health()["broker"]["driver"], "NatsBroker");
    }
}

#[test]
fn readiness_minds_the_link_only_when_told() {
    // Given a broker that nobody runs,
    let url = ["--broker-url", "redis://127.0.0.1:1"];
    // then a server is ready as long as its pages work,
    let serving = autovia().args(url).shards(1).start();
    assert_eq!(serving.client().get("/_health").status, 503);
    assert_eq!(serving.client().get("/_ready").status, 200);
    // unless it shall be ready with its link only.
    let linked = autovia()
        .args(url)
        .args(["--ready-when", "link"])
        .shards(1)
        .start();
    assert_eq!(linked.client().get("/_ready").status, 503);
}

#[test]
fn options_of_the_link_need_a_broker_that_has_one() {
    for line in [
        "--shards 1 --link-core 0",
        "--broker mesh --ready-when link",
    ] {
        let cpu = Cpus::of_this_process().allowed[0].to_string();
        let line = line.replace("--link-core 0", &format!("--link-core {cpu}"));
        refused(
            &autovia(),
            &line,
            &["about the link to other nodes", "redis or nats"],
        );
    }
}

#[test]
fn a_url_that_the_broker_refuses_ends_the_start() {
    for (line, said) in [
        ("--broker-url redis://h:99999", "no valid port"),
        ("--broker-url redis://h,i", "redis-cluster://"),
        ("--broker-url redis-sentinel://h", "master's name"),
        ("--broker-url redis://h?db=1", "has no ?"),
        ("--broker-url nats://h/subject", "ends after the servers"),
    ] {
        refused(
            &autovia(),
            line,
            &["from --broker-url is not a broker's URL", said],
        );
    }
}
