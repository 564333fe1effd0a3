//! What the book says to type is accepted: each command line of `docs/several-nodes.md`, each option
//! that it names, and the ports that the balancers' files have in common.

mod common;

use std::path::Path;

use autovia_testkit::Authority;
use common::{autovia, file};

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The lines between "```sh" and "```".
fn commands(page: &str) -> Vec<&str> {
    let mut shell = false;
    page.lines()
        .filter(|line| {
            if line.starts_with("```") {
                shell = *line == "```sh";
                return false;
            }
            shell
        })
        .collect()
}

#[test]
fn each_command_line_of_the_page_on_several_nodes_starts_a_server() {
    let text = page("several-nodes.md");
    let commands: Vec<&str> = commands(&text)
        .into_iter()
        .filter_map(|line| line.strip_prefix("autovia "))
        .collect();
    assert!(commands.len() >= 10, "{commands:?}");
    let secret = file("docs-secret", "hidden");
    let authority = Authority::new();
    let (ca, certificate) = (authority.ca_file(), authority.issue(&["node"]));
    for command in commands {
        // Given the line, with files that are here,
        let arguments: Vec<String> = command
            .split_whitespace()
            .map(|word| {
                let stands_for = match word {
                    "/etc/ssl/my-ca.pem" => &ca,
                    "node.pem" => &certificate.chain_file,
                    "node.key" => &certificate.key_file,
                    _ if word.starts_with("/run/secrets/") => &secret,
                    _ => return word.to_owned(),
                };
                stands_for.display().to_string()
            })
            .collect();
        // when a server is started by it, then it serves, whether its broker answers or not.
        let server = autovia()
            .shards(2)
            .args(["--drain-seconds", "0"])
            .args(arguments)
            .start();
        assert_eq!(server.client().get("/_live").status, 200, "{command}");
    }
}

#[test]
fn each_option_of_the_page_exists() {
    let text = page("several-nodes.md");
    let help = autovia().run_to_end(["--help"]);
    let mut named = 0;
    for option in text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')) {
        if let Some(name) = option.strip_prefix("--")
            && name.starts_with(|c: char| c.is_ascii_lowercase())
        {
            named += 1;
            assert!(help.stdout.contains(&format!("--{name}")), "--{name}");
        }
    }
    assert!(named > 20, "{named}");
}

#[test]
fn the_page_on_scaling_needs_what_doctor_computes() {
    let text = page("scaling.md");
    let rows: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    // Given what doctor says of a million streams on this machine,
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_autovia"))
        .args(["doctor", "--streams", "1000000"])
        .output()
        .expect("it runs");
    let told = String::from_utf8(output.stdout).expect("text");
    // then each setting that it names has the same need in the page's table.
    let mut compared = 0;
    for name in [
        "fs.file-max",
        "net.core.somaxconn",
        "net.ipv4.tcp_max_syn_backlog",
        "net.ipv4.tcp_mem",
    ] {
        let Some(line) = told.lines().find(|line| line.contains(name)) else {
            continue;
        };
        let (_, need) = line.split_once(", need ").expect("a need");
        let need: String = need.chars().take_while(char::is_ascii_digit).collect();
        let row = rows.iter().find(|row| row.contains(name));
        let row = row.unwrap_or_else(|| panic!("no row for {name}"));
        assert!(row.contains(&format!("| {need} |")), "{row} {line}");
        compared += 1;
    }
    assert!(compared > 0, "{told}");
    let memory = told.lines().find(|line| line.contains(" MiB available"));
    let need = memory.and_then(|line| line.split_once("need ")?.1.split_once(" ("));
    let (need, _) = need.unwrap_or_else(|| panic!("no need of memory: {told}"));
    assert!(text.contains(need), "{need}");
}
