//! Every error and warning, word by word: these texts are what a newcomer meets first.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use clap::Parser;

use super::super::*;
use super::{App, KEY, World, error, resolve};

#[test]
fn a_bad_value_is_told_with_origin_bounds_and_default() {
    let world = World::new().env("AUTOVIA_PORT", "70000");
    assert_eq!(
        error(&[], &world),
        "`70000` from AUTOVIA_PORT is not a whole number from 0 to 65535 (0 = any free port); \
         the default is 3000"
    );
    for text in [
        "-1",
        "3000.5",
        "+3",
        "1e3",
        "64KiB",
        " 80",
        "99999999999999999999999",
    ] {
        let text = error(&[], &World::new().env("AUTOVIA_PORT", text));
        assert!(text.contains("is not a whole number from 0"), "{text}");
    }
    let filled_in_code = ServerArgs {
        body_bytes: Some(1),
        ..ServerArgs::default()
    };
    assert_eq!(
        filled_in_code
            .resolve_with(&World::new())
            .unwrap_err()
            .to_string(),
        "`1` from --body-bytes is not a whole number from 1024 to 1073741824; the default is 1048576"
    );
    let world = World::new().env("AUTOVIA_BROKER", "mash");
    assert_eq!(
        error(&[], &world),
        "`mash` from AUTOVIA_BROKER is not one of memory, mesh, redis, nats (did you mean mesh?)"
    );
    let world = World::new().env("AUTOVIA_DEV", "maybe");
    assert_eq!(
        error(&[], &world),
        "`maybe` from AUTOVIA_DEV is not true or false"
    );
    let world = World::new().env("AUTOVIA_TRUSTED_ORIGIN", "https://a.example,b.example");
    let text = error(&[], &world);
    assert!(text.contains("did you mean https://b.example?"), "{text}");
}

#[test]
fn clap_tells_a_bad_flag_in_the_same_words() {
    let usage = App::try_parse_from(["app", "--port", "70000"])
        .err()
        .unwrap();
    assert_eq!(usage.exit_code(), 2);
    let text = usage.to_string();
    assert!(
        text.contains("'--port <PORT>': not a whole number from 0 to 65535"),
        "{text}"
    );
    let usage = App::try_parse_from(["app", "--prot", "1"]).err().unwrap();
    assert_eq!(usage.exit_code(), 2);
    assert!(usage.to_string().contains("'--port'"), "{usage}");
}

#[test]
fn a_wrong_type_in_the_file_says_how_to_write_it() {
    for (line, text) in [
        (
            "port = \"3000\"",
            "`\"3000\"` from a.toml (key `port`, line 1) is not a number but a text; leave off the quotes",
        ),
        (
            "port = 3.5",
            "`3.5` from a.toml (key `port`, line 1) is not a whole number",
        ),
        (
            "port = 65_536",
            "`65_536` from a.toml (key `port`, line 1) is not a whole number from 0 to 65535 (0 = any free port); the default is 3000",
        ),
        (
            "dev = \"true\"",
            "`\"true\"` from a.toml (key `dev`, line 1) is not true or false (without quotes)",
        ),
        (
            "host = 1",
            "`1` from a.toml (key `host`, line 1) is not a text; put it in quotes",
        ),
        (
            "trusted-origin = [1]",
            "`[1]` from a.toml (key `trusted-origin`, line 1) is not a list of texts, as in [\"https://a.example\", \"https://b.example\"]",
        ),
        (
            "template-dir = \"\"",
            "`\"\"` from a.toml (key `template-dir`, line 1) is not a path but empty",
        ),
    ] {
        let world = World::new().file("a.toml", line);
        assert_eq!(error(&["--config", "a.toml"], &world), text);
    }
}

#[test]
fn an_unknown_key_suggests_the_nearest() {
    for (file, text) in [
        (
            "port = 1\nbody_bytes = 1",
            "a.toml has an unknown key `body_bytes` in line 2; did you mean `body-bytes`?",
        ),
        (
            "[server]\nport = 1",
            "a.toml has an unknown key `server` in line 1; the file has no tables: \
             put each option on a line of its own, as in port = 3000",
        ),
        (
            "database = 1",
            "a.toml has an unknown key `database` in line 1; `--help` lists all options: \
             a key is a flag without its dashes in front",
        ),
        (
            "config = \"b.toml\"",
            "a.toml has an unknown key `config` in line 1; a configuration file can't name another one",
        ),
    ] {
        let world = World::new().file("a.toml", file);
        assert_eq!(error(&["--config", "a.toml"], &world), text);
    }
}

#[test]
fn an_unknown_variable_suggests_the_nearest() {
    for (name, text) in [
        (
            "AUTOVIA_PROT",
            "the environment has an unknown variable AUTOVIA_PROT; did you mean AUTOVIA_PORT?",
        ),
        (
            "AUTOVIA_HEARTBEAT",
            "the environment has an unknown variable AUTOVIA_HEARTBEAT; did you mean AUTOVIA_HEARTBEAT_SECONDS?",
        ),
        (
            "AUTOVIA_DATABASE",
            "the environment has an unknown variable AUTOVIA_DATABASE; `--help` lists all; \
             take it away, or give it another prefix if it is not autovia's",
        ),
        (
            "AUTOVIA_SERVICE_HOST",
            "the environment has an unknown variable AUTOVIA_SERVICE_HOST; Kubernetes sets it for \
             a Service that is named autovia: put `enableServiceLinks: false` into the pod's spec, \
             or give the Service another name",
        ),
    ] {
        assert_eq!(error(&[], &World::new().env(name, "1")), text);
    }
    let text = error(
        &[],
        &World::new().env("AUTOVIA_PORT", "tcp://10.0.0.1:3000"),
    );
    assert!(
        text.contains("the default is 3000. Kubernetes sets it"),
        "{text}"
    );
}

#[test]
fn a_variable_that_is_no_text_is_named() {
    let mut world = World::new();
    world
        .environment
        .push(("AUTOVIA_HOST".into(), OsString::from_vec(vec![0xff])));
    assert_eq!(
        error(&[], &world),
        "AUTOVIA_HOST in the environment is not valid UTF-8; write its value again, as plain text"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_told_with_the_way_out() {
    assert_eq!(
        error(&["--config", "none.toml"], &World::new()),
        "can't read the configuration file `none.toml` from --config: \
         No such file or directory (os error 2). \
         Correct the path, or leave it out: without a file, the defaults hold"
    );
    let world = World::new().env("AUTOVIA_SESSION_KEY_FILE", "keys");
    let text = error(&[], &world);
    assert!(
        text.contains("`keys` from AUTOVIA_SESSION_KEY_FILE"),
        "{text}"
    );
    assert!(text.contains("openssl rand -hex 32 > FILE"), "{text}");
    let text = error(&["--template-dir", "pages"], &World::new());
    assert!(
        text.contains("the template folder `pages` from --template-dir"),
        "{text}"
    );
}

#[test]
fn broken_toml_is_told_with_line_and_column() {
    for (file, place) in [
        ("port = 1\nhost = ", "line 2, column 8"),
        ("port = 1\nport = 2", "line 2, column 1"),
        ("port 1", "line 1, column 6"),
    ] {
        let text = error(&["--config", "a.toml"], &World::new().file("a.toml", file));
        assert!(text.starts_with("a.toml is not valid TOML: "), "{text}");
        assert!(text.contains(place), "{text}");
    }
}

#[test]
fn memory_with_more_than_one_shard_says_what_to_use_instead() {
    assert_eq!(
        error(&["--broker", "memory", "--shards", "2"], &World::new()),
        "broker memory (from --broker) is for one shard only, but there are 2 shards \
         (from --shards): leave the broker out or use mesh, which joins the shards, \
         or set shards to 1"
    );
    let text = error(&["--broker", "memory"], &World::new());
    assert!(text.contains("2 shards (by default, one per CPU"), "{text}");
    let config = resolve(&["--broker", "memory", "--shards", "1"], &World::new());
    assert_eq!(config.unwrap().broker, BrokerKind::Memory);
}

#[test]
fn a_part_larger_than_its_whole_is_refused_if_said_and_lowered_if_not() {
    let config = resolve(&["--body-bytes=4096", "--contexts-max=9"], &World::new()).unwrap();
    assert_eq!((config.body_bytes, config.signals_bytes), (4096, 4096));
    assert_eq!((config.contexts_max, config.contexts_per_session), (9, 9));
    assert_eq!(
        error(
            &["--signals-bytes=8192", "--body-bytes=4096"],
            &World::new()
        ),
        "signals-bytes 8192 (from --signals-bytes) is more than body-bytes 4096 (from --body-bytes), \
         so it could never be reached: lower the first or raise the second"
    );
}

#[test]
fn a_table_that_no_machine_holds_is_refused() {
    let flags = ["--global-rows=16777216", "--global-value-bytes=1048576"];
    assert_eq!(
        error(&flags, &World::new()),
        "global-rows 16777216 (from --global-rows) times global-value-bytes 1048576 \
         (from --global-value-bytes) is 16384 GiB, and a table may have at most 64: \
         lower one of them"
    );
}

#[test]
fn session_keys_are_read_hidden_and_watched() {
    let keys = format!("{KEY}\n");
    let world = World::new()
        .file("/etc/app/keys", &keys)
        .file("/etc/app/a.toml", "session-key-file = \"keys\"");
    let config = resolve(&["--config", "/etc/app/a.toml"], &world).unwrap();
    assert_eq!(config.session_keys.as_ref().unwrap().expose()[0][31], 0x1f);
    assert!(!format!("{config:?}").contains("0, 1, 2, 3, 4"));
    assert!(config.warnings.is_empty());

    let mut world = World::new().file("keys", &keys);
    world.open_files.push("keys");
    let config = resolve(&["--session-key-file", "keys"], &world).unwrap();
    assert_eq!(
        config.warnings,
        ["every user of this machine can read the session keys: chmod 600 keys"]
    );

    let world = World::new().file("keys", &format!("{KEY}\n{}", &KEY[2..]));
    assert_eq!(
        error(&["--session-key-file", "keys"], &world),
        "the session key file `keys` from --session-key-file: line 2 has 62 characters; \
         a key is 64 hex digits. Make one with `openssl rand -hex 32`"
    );
}

#[test]
fn more_shards_than_cpus_is_a_warning_only() {
    let config = resolve(&["--shards", "5"], &World::new()).unwrap();
    assert_eq!(config.shards, 5);
    assert_eq!(
        config.warnings,
        [
            "5 shards (from --shards) on the 2 CPUs that this process may use: \
             shards that share a CPU wait for each other; with 2, each has its own"
        ]
    );
    let config = resolve(&["--dev", "--host=0.0.0.0"], &World::new()).unwrap();
    assert_eq!(config.warnings.len(), 1);
    assert!(
        resolve(&["--dev"], &World::new())
            .unwrap()
            .warnings
            .is_empty()
    );
}

#[test]
fn the_cpus_of_this_process_are_found() {
    let cpus = Cpus::of_this_process();
    assert!(cpus.usable >= 1 && cpus.usable <= cpus.allowed.len());
    assert!(cpus.allowed.windows(2).all(|pair| pair[0] < pair[1]));
}
