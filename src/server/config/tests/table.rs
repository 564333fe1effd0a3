//! One table of options: code, command line, help and docs say the same.

use clap::CommandFactory;

use super::super::setting::{Number, Text, env_name};
use super::super::settings::{self, SETTINGS, Setting};
use super::{App, KEY, World, resolve};

/// The options that a command line can have, which everybody can read: all but the secrets.
fn with_flag() -> impl Iterator<Item = &'static Setting> {
    SETTINGS
        .iter()
        .filter(|setting| !matches!(setting, Setting::Secret(_)))
}

#[test]
fn the_table_of_options_is_the_command_line() {
    let command = App::command();
    let mut flags: Vec<_> = command
        .get_arguments()
        .filter_map(|argument| argument.get_long())
        .filter(|long| *long != "database")
        .collect();
    let mut names: Vec<_> = with_flag().map(Setting::name).collect();
    flags.sort_unstable();
    names.sort_unstable();
    assert_eq!(flags, names);
}

#[test]
fn help_tells_each_default_and_variable() {
    let help = App::command().term_width(0).render_long_help().to_string();
    for setting in with_flag() {
        let default = match setting {
            Setting::Number(number) => number.default_shown(),
            Setting::Text(text) | Setting::Secret(text) => text.default.to_owned(),
        };
        let tail = format!("[default: {default}] [env: {}]", env_name(setting.name()));
        assert!(help.contains(&tail), "--{}: {tail}\n{help}", setting.name());
    }
}

#[test]
fn help_has_a_heading_for_the_broker() {
    let mut command = App::command();
    for help in [command.render_help(), command.render_long_help()] {
        let help = help.to_string();
        let (_, options) = help.split_once("\nBroker:\n").unwrap();
        let end = options.find("\n\nSessions and origins:").unwrap();
        let options = &options[..end];
        for flag in ["--broker <", "--broker-url", "--broker-password-file"] {
            assert!(options.contains(flag), "{flag}: {help}");
        }
        assert!(options.contains("AUTOVIA_BROKER_PASSWORD takes"), "{help}");
        assert!(!help.contains("--broker-password <"), "{help}");
    }
}

#[test]
fn help_opens_with_the_words_of_the_app() {
    let command = App::command();
    let about = command.get_about().unwrap().to_string();
    assert_eq!(about, "An app's own binary, with an option of its own");
    assert_eq!(command.get_long_about(), None);
}

#[test]
fn a_limit_names_flag_default_and_bounds() {
    assert_eq!(
        settings::BODY_BYTES.limit_text(2048),
        "--body-bytes is 2048 (default 1048576, from 1024 to 1073741824 allowed)"
    );
}

/// Set this variable and run the test to write the table anew.
const WRITE_DOCS: &str = "WRITE_CONFIGURATION_TABLE";

#[test]
fn the_table_in_the_docs_is_the_table_in_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    let docs = std::fs::read_to_string(path).unwrap();
    let (head, rest) = docs.split_once("<!-- options -->\n").unwrap();
    let (table, tail) = rest.split_once("<!-- end of options -->").unwrap();
    let expected = options_table();
    if std::env::var_os(WRITE_DOCS).is_some() {
        let text = format!("{head}<!-- options -->\n{expected}<!-- end of options -->{tail}");
        std::fs::write(path, text).unwrap();
        return;
    }
    assert_eq!(table, expected, "run this test with {WRITE_DOCS}=1");
}

#[test]
fn the_example_in_the_docs_is_a_valid_file() {
    let docs = include_str!("../../../../docs/configuration.md");
    let (_, rest) = docs.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let mut world = World::new()
        .file("/etc/autovia/autovia.toml", example)
        .file("/etc/autovia/session.keys", KEY);
    world.folders.push("/etc/autovia/templates");
    let config = resolve(&["--config", "/etc/autovia/autovia.toml"], &world).unwrap();
    assert_eq!(config.warnings, Vec::<String>::new());
    assert!(config.session_keys.is_some());
}

fn options_table() -> String {
    let mut table = String::from(
        "| flag | environment | key | value | default | meaning |\n|---|---|---|---|---|---|\n",
    );
    for setting in SETTINGS {
        let (value, default, what) = match setting {
            Setting::Number(number) => number_cells(number),
            Setting::Text(text) | Setting::Secret(text) => text_cells(text),
        };
        let name = setting.name();
        let key = if name == settings::CONFIG.name {
            "–".to_owned()
        } else {
            format!("`{name}`")
        };
        let flag = match setting {
            Setting::Secret(_) => "–".to_owned(),
            _ => format!("`--{name}`"),
        };
        table += &format!(
            "| {flag} | `{}` | {key} | {value} | {default} | {what} |\n",
            env_name(name)
        );
    }
    table
}

fn number_cells(number: &Number) -> (String, String, String) {
    let zero = number
        .zero
        .map_or_else(String::new, |zero| format!("; 0 = {zero}"));
    (
        format!("{}, {} to {}", number.unit, number.min, number.max),
        number.default_shown(),
        format!("{}{zero}", number.what),
    )
}

fn text_cells(text: &Text) -> (String, String, String) {
    (
        text.allowed.to_owned(),
        text.default.to_owned(),
        text.what.to_owned(),
    )
}
