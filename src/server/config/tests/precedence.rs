//! Which layer wins, and what each layer can say.

use std::time::Duration;

use clap::Parser;

use super::super::*;
use super::{App, World, resolve};

#[test]
fn without_a_word_the_defaults_hold() {
    let config = resolve(&[], &World::new()).unwrap();
    assert_eq!(config.shards, 2);
    assert_eq!((config.host.as_str(), config.port), ("127.0.0.1", 3000));
    assert_eq!(config.broker, BrokerKind::Mesh);
    assert_eq!(config.heartbeat_time, Some(Duration::from_secs(45)));
    assert_eq!(config.scope_rate, Some(30));
    assert_eq!(config.body_bytes, 1_048_576);
    assert_eq!(config.log_level.as_str(), "info");
    assert_eq!(config.origin("port"), &Origin::Default);
    assert!(config.session_keys.is_none());
    assert!(config.warnings.is_empty());
    assert_eq!(Config::defaults().broker, BrokerKind::Memory);
}

#[test]
fn flag_beats_environment_beats_file_beats_default() {
    let file = "port = 1003\nshards = 1\nheader-seconds = 3\naction-queue = 5";
    let world = World::new()
        .file("autovia.toml", file)
        .env("AUTOVIA_CONFIG", "autovia.toml")
        .env("AUTOVIA_PORT", "1002")
        .env("AUTOVIA_SHARDS", "2")
        .env("HOME", "/home/somebody");
    let config = resolve(&["--port", "1001"], &world).unwrap();
    assert_eq!(config.port, 1001);
    assert_eq!(config.origin("port").to_string(), "from --port");
    assert_eq!(config.shards, 2);
    assert_eq!(config.origin("shards").to_string(), "from AUTOVIA_SHARDS");
    assert_eq!(config.action_queue, 5);
    assert_eq!(
        config.origin("action-queue").to_string(),
        "from autovia.toml (key `action-queue`, line 4)"
    );
    assert_eq!(config.origin("host").to_string(), "by default");
}

#[test]
fn the_same_value_can_be_said_in_each_layer() {
    let flags = resolve(
        &[
            "--dev",
            "--secure-cookie=true",
            "--trusted-origin",
            "https://a.example",
            "--trusted-origin",
            "https://b.example",
            "--heartbeat-seconds=0",
            "--scope-rate=0",
            "--log-format=json",
            "--broker=mesh",
        ],
        &World::new(),
    );
    let env = World::new()
        .env("AUTOVIA_DEV", "yes")
        .env("AUTOVIA_SECURE_COOKIE", "1")
        .env(
            "AUTOVIA_TRUSTED_ORIGIN",
            "https://a.example, https://b.example",
        )
        .env("AUTOVIA_HEARTBEAT_SECONDS", "0")
        .env("AUTOVIA_SCOPE_RATE", "0")
        .env("AUTOVIA_LOG_FORMAT", "json")
        .env("AUTOVIA_BROKER", "mesh");
    let file = World::new().file(
        "a.toml",
        r#"
            dev = true
            secure-cookie = true
            trusted-origin = ["https://a.example", "https://b.example"]
            heartbeat-seconds = 0
            scope-rate = 0x0
            log-format = "json"
            broker = "mesh"
        "#,
    );
    for config in [
        flags,
        resolve(&[], &env),
        resolve(&["--config", "a.toml"], &file),
    ] {
        let config = config.unwrap();
        assert!(config.dev && config.secure_cookie);
        let origins: Vec<_> = config
            .trusted_origins
            .iter()
            .map(TrustedOrigin::as_str)
            .collect();
        assert_eq!(origins, ["https://a.example", "https://b.example"]);
        assert_eq!(config.heartbeat_time, None);
        assert_eq!(config.scope_rate, None);
        assert_eq!(config.log_format, LogFormat::Json);
        assert_eq!(config.broker, BrokerKind::Mesh);
    }
}

#[test]
fn a_flag_can_switch_off_what_the_environment_switched_on() {
    let world = World::new().env("AUTOVIA_DEV", "true");
    assert!(!resolve(&["--dev=false"], &world).unwrap().dev);
}

#[test]
fn an_empty_variable_is_not_set() {
    let world = World::new().env("AUTOVIA_PORT", "");
    assert_eq!(resolve(&[], &world).unwrap().port, 3000);
}

#[test]
fn an_app_has_options_of_its_own_beside_ours() {
    let app = App::try_parse_from(["app", "--database", "x.db", "--port", "1"]).unwrap();
    assert_eq!((app.database.as_str(), app.server.port), ("x.db", Some(1)));
}
