//! Which broker is chosen, how it is reached, and what doesn't fit together.

use std::path::PathBuf;

use super::super::*;
use super::{World, args, error, resolve};
use crate::broker::{Reach, SecretSource};

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n";
const CREDS: &str = "-----BEGIN NATS USER JWT-----\neyJ\n------END NATS USER JWT------\n";

/// A world with one file of each kind.
fn world() -> World {
    World::new()
        .file("ca.pem", CERTIFICATE)
        .file("cert.pem", CERTIFICATE)
        .file("key.pem", KEY)
        .file("password", "geheim\n")
        .file("token", "geheim\n")
        .file("user.creds", CREDS)
        .file("nkey", "SUgeheim\n")
}

/// Resolves a line of flags, with spaces between them.
fn config(line: &str) -> Config {
    let flags: Vec<&str> = line.split_whitespace().collect();
    resolve(&flags, &world()).unwrap_or_else(|error| panic!("{line}: {error}"))
}

fn refused(line: &str) -> String {
    let flags: Vec<&str> = line.split_whitespace().collect();
    error(&flags, &world())
}

fn file(source: Option<&SecretSource>) -> &str {
    match source {
        Some(SecretSource::File(path)) => path.to_str().unwrap(),
        other => panic!("no file: {other:?}"),
    }
}

#[test]
fn the_broker_follows_from_the_scheme() {
    for (line, kind) in [
        ("--broker redis", BrokerKind::Redis),
        ("--broker nats", BrokerKind::Nats),
        ("--broker-url redis://h", BrokerKind::Redis),
        ("--broker-url rediss://h:1", BrokerKind::Redis),
        ("--broker-url redis-sentinel://h,i/m", BrokerKind::Redis),
        ("--broker-url redis-cluster://h,i", BrokerKind::Redis),
        ("--broker-url rediss-cluster://h,i", BrokerKind::Redis),
        ("--broker-url nats://h,i", BrokerKind::Nats),
        ("--broker-url tls://h", BrokerKind::Nats),
        ("--broker redis --broker-url rediss://h", BrokerKind::Redis),
        ("--broker nats --broker-url tls://h", BrokerKind::Nats),
    ] {
        assert_eq!(config(line).broker, kind, "{line}");
    }
    assert_eq!(
        config("--broker redis --shards 1").broker,
        BrokerKind::Redis
    );
}

#[test]
fn each_option_arrives() {
    let redis = config(
        "--broker-url redis://h --broker-channel a:b --broker-username u --broker-password-file \
         password --broker-tls --broker-ca-file ca.pem --broker-cert-file cert.pem \
         --broker-key-file key.pem --link-core 1 --ready-when link",
    );
    let options = &redis.broker_options;
    assert_eq!(options.url.as_ref().unwrap().expose(), "redis://h");
    assert_eq!(options.channel.as_deref(), Some("a:b"));
    assert_eq!(options.username.as_deref(), Some("u"));
    assert_eq!(file(options.password.as_ref()), "password");
    assert_eq!(options.tls, Some(true));
    assert_eq!(options.ca_file, Some(PathBuf::from("ca.pem")));
    let certificate = (PathBuf::from("cert.pem"), PathBuf::from("key.pem"));
    assert_eq!(options.client_certificate, Some(certificate));
    assert_eq!(redis.link_core, Some(1));
    assert_eq!(redis.ready_when, ReadyWhen::Link);

    let nats = config("--broker-url tls://h --broker-subject a.b --broker-tls-first");
    let options = &nats.broker_options;
    assert_eq!(options.subject.as_deref(), Some("a.b"));
    assert!(options.tls_first && options.tls.is_none());
    assert_eq!(
        (nats.link_core, nats.ready_when),
        (None, ReadyWhen::Serving)
    );

    let options = config("--broker nats --broker-token-file token").broker_options;
    assert_eq!(file(options.token.as_ref()), "token");
    let options = config("--broker nats --broker-creds-file user.creds").broker_options;
    assert_eq!(options.creds_file, Some(PathBuf::from("user.creds")));
    let options = config("--broker nats --broker-nkey-file nkey").broker_options;
    assert_eq!(file(options.nkey_seed.as_ref()), "nkey");
}

#[test]
fn a_file_says_the_same_as_flags() {
    let file = r#"
        broker-url = "redis://via@h:6380"
        broker-channel = "a:b"
        broker-password-file = "password"
        broker-tls = true
        broker-ca-file = "ca.pem"
        link-core = 0
        ready-when = "link"
    "#;
    let world = World::new()
        .file("/etc/app/a.toml", file)
        .file("/etc/app/password", "geheim")
        .file("/etc/app/ca.pem", CERTIFICATE);
    let config = resolve(&["--config", "/etc/app/a.toml"], &world).unwrap();
    assert_eq!(config.broker, BrokerKind::Redis);
    let options = &config.broker_options;
    assert_eq!(options.ca_file, Some(PathBuf::from("/etc/app/ca.pem")));
    assert_eq!((options.tls, config.link_core), (Some(true), Some(0)));
    assert_eq!(config.ready_when, ReadyWhen::Link);
}

#[test]
fn contradictions_are_told_word_by_word() {
    for (line, text) in [
        (
            "--broker redis --broker-url nats://h:1",
            "broker redis (from --broker) and broker-url nats://h:1 (from --broker-url) contradict \
             each other: a URL of redis begins with redis://, redis-sentinel://, \
             redis-cluster:// or the same with rediss; change one of them, or leave broker out, since the URL tells it",
        ),
        (
            "--broker redis --broker-subject a.b",
            "broker-subject (from --broker-subject) is an option of broker nats, but the broker is \
             redis (from --broker): set broker to nats, or take broker-subject away; redis has \
             broker-channel instead",
        ),
        (
            "--broker-url nats://h --broker-channel a",
            "broker-channel (from --broker-channel) is an option of broker redis, but the broker is \
             nats (by the scheme of broker-url from --broker-url): set broker to redis, or take \
             broker-channel away; nats has broker-subject instead",
        ),
        (
            "--broker redis --broker-token-file token",
            "broker-token-file (from --broker-token-file) is an option of broker nats, but the \
             broker is redis (from --broker): set broker to nats, or take broker-token-file away",
        ),
        (
            "--broker mesh --broker-url redis://h",
            "broker-url (from --broker-url) is an option of broker redis or nats, but the broker is \
             mesh (from --broker): set broker to redis or nats, or take broker-url away",
        ),
        (
            "--broker-ca-file ca.pem",
            "broker-ca-file (from --broker-ca-file) is an option of broker redis or nats, but the \
             broker is mesh (by default): set broker to redis or nats, or take broker-ca-file away",
        ),
        (
            "--broker redis --broker-ca-file ca.pem",
            "broker-ca-file (from --broker-ca-file) is for TLS, but TLS is off: set broker-tls, or \
             take broker-ca-file away",
        ),
        (
            "--broker-url rediss://h --broker-tls=false",
            "broker-tls false (from --broker-tls) and broker-url rediss://h (from --broker-url) \
             contradict each other: that scheme is TLS; take broker-tls away or change the scheme",
        ),
        (
            "--broker redis --broker-tls --broker-cert-file cert.pem",
            "broker-cert-file (from --broker-cert-file) needs broker-key-file, since a certificate \
             is shown with its key: set both or none",
        ),
        (
            "--broker redis --broker-tls --broker-key-file key.pem",
            "broker-key-file (from --broker-key-file) needs broker-cert-file, since a certificate \
             is shown with its key: set both or none",
        ),
        (
            "--broker redis --broker-username u",
            "broker-username (from --broker-username) needs a password: set \
             AUTOVIA_BROKER_PASSWORD or broker-password-file",
        ),
        (
            "--broker nats --broker-password-file password",
            "broker-password-file (from --broker-password-file) needs a user name with broker nats: \
             set broker-username; a token has AUTOVIA_BROKER_TOKEN and broker-token-file",
        ),
        (
            "--broker nats --broker-token-file token --broker-nkey-file nkey",
            "there are two ways to log in to nats, broker-token-file (from --broker-token-file) and \
             broker-nkey-file (from --broker-nkey-file): keep one of them",
        ),
        (
            "--broker-url redis://u@h --broker-username v --broker-password-file password",
            "the broker's user name is said twice, by broker-username (from --broker-username) and \
             the user name in broker-url (from --broker-url): keep one of them",
        ),
    ] {
        assert_eq!(refused(line), text, "{line}");
    }
}

#[test]
fn no_option_of_another_broker_is_passed_over() {
    let of_redis = ["--broker-channel a"];
    let of_nats = [
        "--broker-subject a",
        "--broker-token-file token",
        "--broker-creds-file user.creds",
        "--broker-nkey-file nkey",
        "--broker-tls-first",
    ];
    let of_both = [
        "--broker-url redis://h",
        "--broker-username u",
        "--broker-password-file password",
        "--broker-tls",
        "--broker-ca-file ca.pem",
        "--broker-cert-file cert.pem",
        "--broker-key-file key.pem",
    ];
    let local = of_redis.iter().chain(&of_nats).chain(&of_both);
    let cases = local
        .flat_map(|option| [("memory --shards 1", option), ("mesh", option)])
        .chain(of_nats.iter().map(|option| ("redis", option)))
        .chain(of_redis.iter().map(|option| ("nats", option)));
    for (broker, option) in cases {
        let text = refused(&format!("--broker {broker} {option}"));
        let name = option.split(' ').next().unwrap().trim_start_matches('-');
        assert!(
            text.starts_with(&format!("{name} (from --{name}) is an option of")),
            "{text}"
        );
    }
    for option in ["--broker-tls-first", "--broker-ca-file ca.pem"] {
        let text = refused(&format!("--broker nats {option}"));
        assert!(text.contains("is for TLS, but TLS is off"), "{text}");
    }
}

#[test]
fn a_bad_url_or_name_is_told_with_what_is_allowed() {
    for (line, said) in [
        ("--broker-url redis.internal:6379", "begins with redis://"),
        (
            "--broker-url reds://h",
            "`reds://h` from --broker-url is not a broker's URL",
        ),
        ("--broker-url reds://h", "(did you mean redis://?)"),
        ("--broker-url redis://h:99999", "`redis://h:99999` from"),
        (
            "--broker-url redis://h:99999",
            "no valid port: it is 1 to 65535",
        ),
        (
            "--broker-url redis-sentinel://h",
            "ends with the master's name",
        ),
        ("--broker-url redis://h,i", "redis-cluster://"),
        ("--broker-url redis://h?db=1", "has no ?"),
        ("--broker-url nats://", "no valid host"),
        ("--broker-url nats://h/subject", "ends after the servers"),
    ] {
        let text = refused(line);
        assert!(text.contains(said), "{line}: {text}");
    }
    let channel = world()
        .env("AUTOVIA_BROKER", "redis")
        .env("AUTOVIA_BROKER_CHANNEL", "a b");
    assert_eq!(
        error(&[], &channel),
        "`a b` from AUTOVIA_BROKER_CHANNEL is not a channel: 1 to 256 bytes, without spaces and \
         control characters, as in myapp:broadcast"
    );
    let subject = world()
        .env("AUTOVIA_BROKER", "nats")
        .env("AUTOVIA_BROKER_SUBJECT", "a.>");
    assert_eq!(
        error(&[], &subject),
        "`a.>` from AUTOVIA_BROKER_SUBJECT is not a subject: without the wildcards * and >, since \
         nothing can be published to them; as in myapp.broadcast"
    );
    let filled_in_code = ServerArgs {
        broker_channel: Some(String::new()),
        ..args(&["--broker", "redis"])
    };
    let text = filled_in_code
        .resolve_with(&world())
        .unwrap_err()
        .to_string();
    assert!(
        text.starts_with("`` from --broker-channel is not a channel"),
        "{text}"
    );
}

#[test]
fn only_redis_and_nats_are_built() {
    let build = |line: &str| broker::build(&config(line)).unwrap();
    for (line, driver) in [("redis", "RedisBroker"), ("nats", "NatsBroker")] {
        let broker = build(&format!("--broker {line}")).expect("a broker");
        assert_eq!((broker.driver(), broker.reach()), (driver, Reach::Nodes));
    }
    for line in ["", "--broker memory --shards 1", "--broker mesh"] {
        assert!(build(line).is_none(), "{line}");
    }
}

#[test]
fn a_link_core_is_a_cpu_of_this_process() {
    assert_eq!(
        refused("--broker redis --link-core 2"),
        "`2` from --link-core is not a CPU that this process may use, which are 0-1; the default \
         is not pinned"
    );
}

#[test]
fn options_of_the_link_need_one() {
    for (line, name) in [
        ("--link-core 0", "link-core"),
        ("--ready-when link", "ready-when"),
    ] {
        let config = config(line);
        config.check_link(Reach::Nodes).unwrap();
        let text = config.check_link(Reach::Process).unwrap_err().to_string();
        assert_eq!(
            text,
            format!(
                "{name} (from --{name}) is about the link to other nodes, and the broker in use \
                 has none: set broker to redis or nats, or take {name} away"
            )
        );
    }
    config("").check_link(Reach::Shard).unwrap();
}
