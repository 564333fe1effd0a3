//! Which public operations of `shards/` some model takes: in the copy, each public function first writes
//! its name down, then all models run.
//!
//! `names.rs` is left out: it belongs to one thread and shares nothing.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::collect::{read, rust_files};
use super::tools::Tool;
use super::workshop::Workshop;

const UNSHARED: &str = "names.rs";
/// What the copy's crate gets: writes a name down once, in the file that the variable names.
const NOTE: &str = r#"
pub(crate) fn operation(name: &'static str) {
    use std::io::Write as _;
    static SEEN: std::sync::Mutex<std::collections::BTreeSet<&str>> =
        std::sync::Mutex::new(std::collections::BTreeSet::new());
    if SEEN.lock().is_ok_and(|mut seen| seen.insert(name))
        && let Some(path) = std::env::var_os("OPERATIONS")
        && let Ok(mut file) = std::fs::OpenOptions::new().append(true).open(path)
    {
        let _ = file.write_all(format!("{name}\n").as_bytes());
    }
}
"#;

/// Runs all models in `workshop`, whose copy is spoilt afterwards. True when none is missing.
pub(super) fn check(workshop: &Workshop) -> Result<bool, String> {
    let source = workshop.folder().join("shards/src");
    let mut operations = BTreeSet::new();
    for file in rust_files(&source)? {
        let name = file.strip_prefix(&source).unwrap_or(&file);
        if name == Path::new(UNSHARED) || name.starts_with("sync") {
            continue;
        }
        let (text, found) = noted(&read(&file)?, &name.display().to_string());
        operations.extend(found);
        write(&file, &text)?;
    }
    let root = source.join("lib.rs");
    write(&root, &(read(&root)? + NOTE))?;

    let notes = workshop.folder().join("operations.txt");
    write(&notes, "")?;
    for file in rust_files(&workshop.folder().join("loom-tests/tests"))? {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        if name == "mod" || Tool::of(&name) != Tool::Loom {
            continue;
        }
        let program = workshop
            .build(&name)?
            .ok_or_else(|| format!("the models of {name} do not compile"))?;
        let status = Tool::run(&program, None)
            .env("OPERATIONS", &notes)
            .status()
            .map_err(|e| format!("{}: {e}", program.display()))?;
        if !status.success() {
            return Err(format!("the models of {name} fail: {status}"));
        }
    }
    let seen = read(&notes)?;
    let seen: BTreeSet<&str> = seen.lines().collect();
    let missing: Vec<_> = operations
        .iter()
        .filter(|name| !seen.contains(name.as_str()))
        .collect();
    println!(
        "{} of {} public operations take part in a model",
        operations.len() - missing.len(),
        operations.len()
    );
    for name in &missing {
        println!("no model calls {name}");
    }
    Ok(missing.is_empty())
}

/// `text` with a note at the beginning of each public function, and the names of those.
fn noted(text: &str, file: &str) -> (String, Vec<String>) {
    let (mut all, mut names) = (String::new(), Vec::new());
    let mut waiting = None;
    for (index, line) in text.lines().enumerate() {
        all += line;
        all.push('\n');
        if let Some(rest) = line.trim_start().strip_prefix("pub fn ") {
            let name = rest
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .next();
            waiting = name.map(|name| format!("{file}:{} {name}", index + 1));
        }
        if line.ends_with('{')
            && let Some(name) = waiting.take()
        {
            let _ = writeln!(all, "crate::operation({name:?});");
            names.push(name);
        }
    }
    (all, names)
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::noted;

    #[test]
    fn public_functions_are_noted_and_no_others() {
        let text = "impl It {\n    pub fn a(&self) {\n    }\n    pub fn b(\n        i: u8,\n    ) {\n    }\n    \
                    pub(crate) fn c() {\n    }\n}\n";
        let (noted, names) = noted(text, "it.rs");
        assert_eq!(names, ["it.rs:2 a", "it.rs:4 b"]);
        assert_eq!(noted.matches("crate::operation(").count(), 2);
        assert!(noted.contains("    ) {\ncrate::operation(\"it.rs:4 b\");\n"));
    }
}
