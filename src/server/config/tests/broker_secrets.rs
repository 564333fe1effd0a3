//! Secrets of the broker: where they may stand, and that nothing shows them.

use clap::Parser;

use super::{App, World, args, error, resolve};
use crate::broker::SecretSource;

fn value(source: Option<&SecretSource>) -> &str {
    match source {
        Some(SecretSource::Value(secret)) => secret.expose(),
        other => panic!("no value: {other:?}"),
    }
}

#[test]
fn a_secret_in_the_command_line_is_refused_with_the_way_out() {
    for url in [
        "redis://u:geheim@h",
        "redis://:geheim@h",
        "rediss://u:geheim@h:1",
        "nats://geheim@h",
        "tls://u:geheim@h",
        "redis://u:ge/heim@h",
        "geheim@h",
        "reds://u:geheim@h",
    ] {
        assert_eq!(
            error(&["--broker-url", url], &World::new()),
            "the URL from --broker-url holds a password or a token, and everybody on this machine \
             can read a command line: leave it out there and set AUTOVIA_BROKER_PASSWORD or \
             --broker-password-file (for a token AUTOVIA_BROKER_TOKEN or --broker-token-file), or \
             put the whole URL into AUTOVIA_BROKER_URL",
            "{url}"
        );
    }
    // A user name of redis is no secret.
    let world = World::new().env("AUTOVIA_BROKER_PASSWORD", "geheim");
    let config = resolve(&["--broker-url", "redis://u@h"], &world).unwrap();
    assert_eq!(value(config.broker_options.password.as_ref()), "geheim");
}

#[test]
fn there_is_no_flag_for_a_secret() {
    for flag in ["--broker-password=geheim", "--broker-token=geheim"] {
        let usage = App::try_parse_from(["app", flag]).err().unwrap();
        assert_eq!(usage.exit_code(), 2);
        assert!(!usage.to_string().contains("geheim"), "{usage}");
    }
}

#[test]
fn environment_and_file_may_hold_secrets() {
    for url in ["redis://u:geheim@h", "nats://geheim@h", "nats://u:geheim@h"] {
        let world = World::new().env("AUTOVIA_BROKER_URL", url);
        let config = resolve(&[], &world).unwrap();
        assert_eq!(config.broker_options.url.unwrap().expose(), url);
    }
    let world = World::new()
        .env("AUTOVIA_BROKER", "nats")
        .env("AUTOVIA_BROKER_TOKEN", "geheim\n");
    let config = resolve(&[], &world).unwrap();
    assert_eq!(value(config.broker_options.token.as_ref()), "geheim");

    let file = "broker = \"redis\"\nbroker-password = \"geheim\"";
    let mut world = World::new().file("a.toml", file);
    let config = resolve(&["--config", "a.toml"], &world).unwrap();
    assert_eq!(value(config.broker_options.password.as_ref()), "geheim");
    assert!(config.warnings.is_empty());

    world.open_files.push("a.toml");
    let config = resolve(&["--config", "a.toml"], &world).unwrap();
    assert_eq!(
        config.warnings,
        ["every user of this machine can read broker-password in a.toml: chmod 600 it"]
    );
    let mut world = World::new().file("a.toml", "broker-url = \"redis://:geheim@h\"");
    world.open_files.push("a.toml");
    let config = resolve(&["--config", "a.toml"], &world).unwrap();
    assert_eq!(
        config.warnings,
        ["every user of this machine can read broker-url in a.toml: chmod 600 it"]
    );
    let mut world = World::new().file("a.toml", "broker-url = \"redis://h\"");
    world.open_files.push("a.toml");
    assert!(
        resolve(&["--config", "a.toml"], &world)
            .unwrap()
            .warnings
            .is_empty()
    );
}

#[test]
fn a_secret_that_is_said_twice_is_refused() {
    let world = World::new()
        .file("p", "geheim")
        .env("AUTOVIA_BROKER_PASSWORD", "geheim");
    let file = ["--broker", "redis", "--broker-password-file", "p"];
    assert_eq!(
        error(&file, &world),
        "the broker's password is said twice, by broker-password (from AUTOVIA_BROKER_PASSWORD) \
         and broker-password-file (from --broker-password-file): keep one of them"
    );
    let world = world.env("AUTOVIA_BROKER_URL", "redis://:geheim@h");
    assert_eq!(
        error(&[], &world),
        "the broker's password is said twice, by broker-password (from AUTOVIA_BROKER_PASSWORD) \
         and the password in broker-url (from AUTOVIA_BROKER_URL): keep one of them"
    );
    let world = World::new()
        .env("AUTOVIA_BROKER_URL", "nats://geheim@h")
        .env("AUTOVIA_BROKER_TOKEN", "geheim");
    assert_eq!(
        error(&[], &world),
        "the broker's token is said twice, by broker-token (from AUTOVIA_BROKER_TOKEN) and the \
         token in broker-url (from AUTOVIA_BROKER_URL): keep one of them"
    );
    let world = World::new()
        .file("t", "geheim")
        .env("AUTOVIA_BROKER_URL", "nats://u:geheim@h");
    assert_eq!(
        error(&["--broker-token-file", "t"], &world),
        "there are two ways to log in to nats, the password in broker-url (from \
         AUTOVIA_BROKER_URL) and broker-token-file (from --broker-token-file): keep one of them"
    );
}

#[test]
fn files_are_tried_at_start() {
    let missing = ["--broker", "redis", "--broker-password-file", "none"];
    assert_eq!(
        error(&missing, &World::new()),
        "can't read the file of the broker's password `none` from --broker-password-file: No such \
         file or directory (os error 2). Correct the path, or let this user read the file"
    );
    for (flags, content, text) in [
        (
            ["--broker=redis", "--broker-password-file=f"],
            "\n",
            "`f` from --broker-password-file is not the file of the broker's password: it is empty",
        ),
        (
            ["--broker-url=rediss://h", "--broker-ca-file=f"],
            "geheim",
            "`f` from --broker-ca-file is not the file of certificates: it has no line with \
             -----BEGIN CERTIFICATE-----",
        ),
        (
            ["--broker=nats", "--broker-creds-file=f"],
            "geheim",
            "`f` from --broker-creds-file is not the credentials file: it has no line with \
             -----BEGIN NATS USER JWT-----",
        ),
    ] {
        assert_eq!(error(&flags, &World::new().file("f", content)), text);
    }
    let mut world = World::new().file("p", "geheim");
    world.open_files.push("p");
    let config = resolve(&["--broker=redis", "--broker-password-file=p"], &world).unwrap();
    assert_eq!(
        config.warnings,
        ["every user of this machine can read the file of the broker's password: chmod 600 p"]
    );
}

#[test]
fn nothing_shows_a_secret() {
    let line = ["--broker-url", "redis://u:geheim@h"];
    assert!(!format!("{:?}", args(&line)).contains("geheim"));
    for (name, text) in [
        ("AUTOVIA_BROKER_URL", "redis://u:geheim@h"),
        ("AUTOVIA_BROKER_URL", "nats://geheim@h"),
    ] {
        let config = resolve(&[], &World::new().env(name, text)).unwrap();
        assert!(!format!("{config:?}").contains("geheim"), "{config:?}");
    }
    let world = World::new()
        .env("AUTOVIA_BROKER", "redis")
        .env("AUTOVIA_BROKER_PASSWORD", "geheim");
    let config = resolve(&[], &world).unwrap();
    assert!(!format!("{config:?}").contains("geheim"), "{config:?}");
    // Mistakes around a secret, in each layer that may hold one.
    for url in [
        "geheim",
        "reds://u:geheim@h",
        "redis://u:ge@geheim@h",
        "nats://u:geheim@h,u:geheim@i",
    ] {
        let text = error(&[], &World::new().env("AUTOVIA_BROKER_URL", url));
        assert!(!text.contains("geheim"), "{text}");
    }
    let clash = World::new()
        .env("AUTOVIA_BROKER", "nats")
        .env("AUTOVIA_BROKER_URL", "redis://u:geheim@h:1");
    let text = error(&[], &clash);
    assert!(text.contains("broker-url redis://h:1 (from"), "{text}");
    assert!(!text.contains("geheim"), "{text}");
    for line in [
        "broker-password = [\"geheim\"]",
        "broker-token = { a = \"geheim\" }",
        "broker-url = [\"redis://u:geheim@h\"]",
        "broker-url = \"reds://u:geheim@h\"",
        "broker-password = geheim",
        "broker-password = \"geheim",
        "broker-pasword = \"geheim\"",
        "broker-password = \"\"",
    ] {
        let world = World::new().file("a.toml", line);
        let text = error(&["--config", "a.toml"], &world);
        assert!(!text.contains("geheim"), "{line}: {text}");
        assert!(text.contains("a.toml"), "{line}: {text}");
    }
}
