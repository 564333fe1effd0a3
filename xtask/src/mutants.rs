//! Shows that each ordering, fence and check of `shards/` is needed: weakens one at a time, in a copy,
//! and expects a model of `loom-tests` to fail, and of some that shuttle or ThreadSanitizer notice too.
//!
//! The orderings are found by a scan of the source, where each carries a label (`// [ring.publish]`);
//! what to expect of each is in `xtask/mutants/shards.txt`. A new `Ordering::` or `fence` without an
//! entry there, or an entry without its place in the source, is an error before anything is run.

mod collect;
mod operations;
mod tools;
mod workshop;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use collect::collect;
use workshop::Workshop;

const USAGE: &str = "\
usage: cargo xtask mutants [--list | --all | --sample N [--seed S] | --operations | --shuttle | --race | NAME ...]

  --list         print each mutant, its place and its verdict, and check that none is missing
  --all          run every mutant (several seconds each)
  --sample N     run N of them, chosen by the seed (default: today's number); before that, as `--all`
                 does, what the last two options run
  --operations   no mutants: whether each public operation of shards/ takes part in a model
  --shuttle      no mutants: four and more threads under random schedules
  --race         no mutants: stress under ThreadSanitizer
  NAME ...       run those whose name contains one of these
";

/// What is expected of a mutant.
enum Verdict {
    /// One of these models fails: file and name.
    Caught(Vec<(String, String)>),
    /// No run can differ, for this reason.
    Equivalent(String),
    /// Loom does not show it, for this reason.
    Beyond(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caught(models) => {
                let models: Vec<_> = models
                    .iter()
                    .map(|(file, model)| format!("{file}::{model}"))
                    .collect();
                write!(f, "caught by {}", models.join(" or "))
            }
            Self::Equivalent(why) => write!(f, "equivalent: {why}"),
            Self::Beyond(why) => write!(f, "beyond loom: {why}"),
        }
    }
}

/// One change to one file.
struct Mutant {
    name: String,
    file: PathBuf,
    /// The whole file, mutated.
    text: String,
    line: usize,
    verdict: Verdict,
    /// Tests of other tools each of which fails too.
    also: Vec<(String, String)>,
}

/// The entry point of `cargo xtask mutants`.
pub fn run(args: &[String]) -> ExitCode {
    match try_run(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("mutants: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn try_run(args: &[String]) -> Result<bool, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .ok_or("xtask lies in no workspace")?
        .to_owned();
    let mutants = collect(&root)?;
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let chosen: Vec<&Mutant> = match words[..] {
        ["--list"] => {
            list(&root, &mutants);
            return Ok(true);
        }
        ["--operations"] => return operations::check(&Workshop::open(&root)?),
        ["--shuttle"] => return unmutated(&root, &["shuttle"]),
        ["--race"] => return unmutated(&root, &["race"]),
        ["--all"] => mutants.iter().collect(),
        ["--sample", count] => sample(&mutants, number(count)?, today()),
        ["--sample", count, "--seed", seed] => sample(&mutants, number(count)?, number(seed)?),
        [first, ..] if !first.starts_with("--") => mutants
            .iter()
            .filter(|mutant| words.iter().any(|word| mutant.name.contains(word)))
            .collect(),
        _ => return Err(USAGE.into()),
    };
    if chosen.is_empty() {
        return Err("no mutant has such a name; --list prints all".into());
    }
    if let Some(&("--all" | "--sample")) = words.first() {
        unmutated(&root, &["shuttle", "race"])?;
    }
    Workshop::open(&root)?.try_all(&chosen)
}

/// Runs the tests of other tools on the source as it is.
fn unmutated(root: &Path, files: &[&str]) -> Result<bool, String> {
    let workshop = Workshop::open(root)?;
    files
        .iter()
        .try_for_each(|file| workshop.run_unmutated(file))?;
    Ok(true)
}

fn number(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is no number\n{USAGE}"))
}

fn today() -> u64 {
    let epoch = std::time::SystemTime::UNIX_EPOCH;
    let now = std::time::SystemTime::now().duration_since(epoch);
    now.map_or(0, |now| now.as_secs() / 86_400)
}

/// `count` of the mutants, another choice for each seed.
fn sample(mutants: &[Mutant], count: u64, seed: u64) -> Vec<&Mutant> {
    println!("sample of {count} by seed {seed}");
    let mut all: Vec<(u64, &Mutant)> = (0..)
        .zip(mutants)
        .map(|(i, mutant)| {
            let mixed = (seed ^ (i << 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            (
                (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9),
                mutant,
            )
        })
        .collect();
    all.sort_by_key(|&(key, _)| key);
    all.into_iter()
        .take(usize::try_from(count).unwrap_or(usize::MAX))
        .map(|(_, mutant)| mutant)
        .collect()
}

fn list(root: &Path, mutants: &[Mutant]) {
    for mutant in mutants {
        let file = mutant.file.strip_prefix(root).unwrap_or(&mutant.file);
        println!(
            "{}\n    {}:{}\n    {}",
            mutant.name,
            file.display(),
            mutant.line,
            mutant.verdict
        );
        for (file, test) in &mutant.also {
            println!("    also by {file}::{test}");
        }
    }
    println!(
        "{} mutants; each ordering and fence of the source has its own",
        mutants.len()
    );
}
