//! Rules of the architecture that no compiler knows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Folders that may name atomics: their home, its models, and peers that are measured against us.
const ATOMICS_ALLOWED: [&str; 3] = ["shards", "loom-tests", "bench"];

/// Folders that hold no source of ours.
const NOT_SOURCE: [&str; 2] = ["target", ".git"];

/// Features of tokio that bring an executor, a reactor or a timer; `sync` and `io-util` are only types.
const TOKIO_FORBIDDEN: [&str; 8] = [
    "full",
    "fs",
    "net",
    "process",
    "rt",
    "rt-multi-thread",
    "signal",
    "time",
];

/// State that threads share lives in `shards/`, where it is modelled; anywhere else it is a mistake.
pub fn atomics_have_one_home(root: &Path) -> Result<(), String> {
    let mut files = Vec::new();
    collect_sources(root, root, &mut files)?;
    let mut found = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file)
            .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        let shown = file.strip_prefix(root).unwrap_or(file).display();
        let lines = text
            .lines()
            .enumerate()
            .filter(|(_, line)| names_atomics(line));
        found.extend(
            lines.map(|(number, line)| format!("  {shown}:{}: {}", number + 1, line.trim())),
        );
    }
    if found.is_empty() {
        println!("{} files looked at", files.len());
        return Ok(());
    }
    Err(format!(
        "atomics outside {}; move the shared state into shards/, or share by message:\n{}",
        ATOMICS_ALLOWED.join(", "),
        found.join("\n")
    ))
}

fn collect_sources(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let entries = fs::read_dir(folder)
        .map_err(|error| format!("cannot list {}: {error}", folder.display()))?;
    for entry in entries {
        let path = entry
            .map_err(|error| format!("cannot list {}: {error}", folder.display()))?
            .path();
        if path.is_dir() {
            if has_sources_to_look_at(&path, folder == root) {
                collect_sources(root, &path, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

fn has_sources_to_look_at(folder: &Path, in_root: bool) -> bool {
    let is_one_of = |names: &[&str]| names.iter().any(|name| folder.ends_with(name));
    let is_passed_over = is_one_of(&NOT_SOURCE) || (in_root && is_one_of(&ATOMICS_ALLOWED));
    !is_passed_over
}

/// Whether a line of code (no comment) names an atomic type or the module of them.
fn names_atomics(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    // The needles are put together, so that this file passes its own check.
    code.match_indices(concat!("atomic", "::"))
        .any(|(at, _)| !code[..at].ends_with(is_word))
        || code
            .split(|character| !is_word(character))
            .any(is_atomic_type)
}

fn is_atomic_type(word: &str) -> bool {
    matches!(
        word.strip_prefix("Atomic"),
        Some("Bool" | "Ptr" | "Cell" | "Usize" | "Isize")
    ) || word
        .strip_prefix("Atomic")
        .and_then(|rest| rest.strip_prefix(['U', 'I']))
        .is_some_and(|bits| matches!(bits, "8" | "16" | "32" | "64" | "128"))
}

/// The server's own executor is the only one under it: tokio may lend types, never a reactor.
pub fn no_tokio_reactor(mut cargo: Command) -> Result<(), String> {
    cargo.args([
        "tree",
        "--package",
        "autovia",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--format",
        "{p}|{f}",
    ]);
    let output = cargo
        .output()
        .map_err(|error| format!("cannot start cargo tree: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "cargo tree: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    let tree = String::from_utf8_lossy(&output.stdout);
    let features = tokio_features(&tree);
    let forbidden: Vec<&&str> = features
        .iter()
        .filter(|feature| TOKIO_FORBIDDEN.contains(feature))
        .collect();
    if forbidden.is_empty() {
        println!(
            "{} crates under the server; tokio: {features:?}",
            tree.lines().count()
        );
        return Ok(());
    }
    Err(format!(
        "tokio with {forbidden:?} is under the server; see who asks for it: cargo tree -i tokio -e features"
    ))
}

fn tokio_features(tree: &str) -> Vec<&str> {
    let lines = tree.lines().filter(|line| line.starts_with("tokio v"));
    lines
        .filter_map(|line| line.split_once('|'))
        .flat_map(|(_, features)| features.split([',', ' ']))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn atomics_are_seen_in_code_and_not_in_words() {
        for code in [
            concat!("use std::sync::atomic", "::{Ordering};"),
            concat!("    atomic", "::{self, fence},"),
            concat!("static N: Atomic", "U64 = Atomic", "U64::new(0);"),
            concat!("x: &Atomic", "Bool, // shared"),
        ] {
            assert!(names_atomics(code), "{code}");
        }
        for code in [
            "// AtomicU64 lives in shards",
            "fn atomic_update()",
            "AtomicTable::new()",
            "is_atomic::<u8>()",
        ] {
            assert!(!names_atomics(code), "{code}");
        }
    }

    #[test]
    fn features_of_tokio_alone_are_read() {
        let tree = "autovia v0.1.0|default\ntokio v1.54.1|default,sync (*)\ntokio-util v0.7|rt\n";
        assert_eq!(tokio_features(tree), ["default", "sync", "(*)"]);
        assert!(tokio_features("tokio v1|net,rt\n").contains(&"net"));
    }
}
