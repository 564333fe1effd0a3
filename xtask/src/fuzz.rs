//! `cargo xtask fuzz`: each target of `tests/fuzz` for a minute, from its kept corpus.
//!
//! Invariant: nothing but a stable toolchain and a C++ compiler is needed, and every target runs: one
//! that doesn't build, crashes, hangs, or executes nothing fails the run. What is found lies under
//! the target folder; the corpus in the repository changes only by `--keep`.

use std::collections::VecDeque;
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::thread;

use crate::test::{cargo, run_command, workspace_root};

const USAGE: &str = "\
usage: cargo xtask fuzz [--seconds N] [--keep] [TARGET ...]
       cargo xtask fuzz --repeat TARGET FILE

  --seconds N     how long each target runs (60)
  --keep          afterwards, put what reached new code into tests/fuzz/corpus, minimised
  --repeat        run one target on one input, such as one that crashed
";

const SECONDS: u64 = 60;

/// What `cargo fuzz` passes with `--sanitizer none`: coverage for libFuzzer, and the checks of a
/// debug build. All of it is stable.
const RUSTFLAGS: [&str; 9] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cdebug-assertions",
    "-Coverflow-checks",
    "-Ccodegen-units=1",
];

/// More in one target's kept corpus says that it wants minimising, or shorter inputs.
const CORPUS_MAX_BYTES: u64 = 40 * 1024;

/// Inputs longer than this are not kept.
const KEPT_INPUT_MAX_BYTES: u64 = 512;

/// The entry point of `cargo xtask fuzz`.
pub fn run(arguments: &[String]) -> ExitCode {
    match try_run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("fuzz: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Each target for its minute, as a step of the check list.
pub fn all() -> Result<(), String> {
    try_run(&[])
}

fn try_run(arguments: &[String]) -> Result<(), String> {
    let root = workspace_root()?;
    let mut seconds = SECONDS;
    let mut keep = false;
    let mut chosen = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--repeat" => {
                let [target, file] = words.as_slice() else {
                    return Err(format!("--repeat reads a target and a file\n{USAGE}"));
                };
                return Fuzzers::build(&root)?.repeat(target, Path::new(file));
            }
            "--seconds" => {
                let number = words.next().and_then(|number| number.parse().ok());
                seconds = number
                    .filter(|seconds| *seconds > 0)
                    .ok_or_else(|| format!("--seconds reads a number above 0\n{USAGE}"))?;
            }
            "--keep" => keep = true,
            option if option.starts_with('-') => {
                return Err(format!("`{option}` is no option\n{USAGE}"));
            }
            target => chosen.push(target.to_owned()),
        }
    }
    let all = targets(&root)?;
    if let Some(unknown) = chosen.iter().find(|target| !all.contains(target)) {
        return Err(format!(
            "no target is named `{unknown}`; there are {}",
            all.join(", ")
        ));
    }
    let chosen = if chosen.is_empty() { all } else { chosen };
    let fuzzers = Fuzzers::build(&root)?;
    fuzzers.run_all(&chosen, seconds)?;
    if keep {
        for target in &chosen {
            fuzzers.keep(target)?;
        }
    }
    chosen.iter().try_for_each(|target| fuzzers.weigh(target))
}

/// The targets by name: one file each.
fn targets(root: &Path) -> Result<Vec<String>, String> {
    let folder = root.join("tests/fuzz/fuzz_targets");
    let mut names: Vec<String> = files(&folder)?
        .iter()
        .filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

/// The built targets, and where they keep things.
struct Fuzzers {
    programs: PathBuf,
    corpus: PathBuf,
    /// For logs, crashes and what was found, by target.
    work: PathBuf,
}

impl Fuzzers {
    fn build(root: &Path) -> Result<Self, String> {
        let host = host()?;
        let target = env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root.join("target"), |folder| root.join(folder))
            .join("fuzz");
        let manifest = root.join("tests/fuzz/Cargo.toml");
        let mut build = cargo(root);
        // The triple is named so that build scripts and macros are built without the flags.
        build
            .args([
                "build",
                "--release",
                "--locked",
                "--bins",
                "--target",
                &host,
            ])
            .arg("--manifest-path")
            .arg(&manifest)
            .env("CARGO_TARGET_DIR", &target)
            .env("CARGO_ENCODED_RUSTFLAGS", RUSTFLAGS.join("\u{1f}"));
        run_command(&mut build)?;
        Ok(Self {
            programs: target.join(host).join("release"),
            corpus: root.join("tests/fuzz/corpus"),
            work: target.join("found"),
        })
    }

    /// Runs the targets, as many at a time as there are processors.
    fn run_all(&self, chosen: &[String], seconds: u64) -> Result<(), String> {
        let lanes = thread::available_parallelism().map_or(1, usize::from);
        let waiting: Mutex<VecDeque<&String>> = Mutex::new(chosen.iter().collect());
        let next = || waiting.lock().ok()?.pop_front();
        let failures: Mutex<Vec<String>> = Mutex::default();
        thread::scope(|scope| {
            for _ in 0..lanes.min(chosen.len()) {
                scope.spawn(|| {
                    while let Some(target) = next() {
                        match self.run_one(target, seconds) {
                            Ok(sum) => println!("{target:12} {sum}"),
                            Err(why) => failures
                                .lock()
                                .unwrap_or_else(|poison| poison.into_inner())
                                .push(format!("{target}: {why}")),
                        }
                    }
                });
            }
        });
        let failures = failures
            .into_inner()
            .unwrap_or_else(|poison| poison.into_inner());
        if failures.is_empty() {
            Ok(())
        } else {
            Err(failures.join("\n"))
        }
    }

    fn run_one(&self, target: &str, seconds: u64) -> Result<String, String> {
        let found = self.work.join(target);
        make_folder(&found)?;
        let kept = self.corpus.join(target);
        if files(&kept)?.is_empty() {
            return Err(format!("{} holds no input to begin with", kept.display()));
        }
        let log = self.work.join(format!("{target}.log"));
        let mut command = Command::new(self.programs.join(target));
        command
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!(
                "-artifact_prefix={}/{target}-",
                self.work.display()
            ))
            .args([
                "-print_final_stats=1",
                "-timeout=10",
                "-rss_limit_mb=1024",
                "-verbosity=1",
            ])
            .args([&found, &kept]);
        let status = command
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(create(&log)?)
            .status()
            .map_err(|error| format!("cannot start: {error}"))?;
        let text = String::from_utf8_lossy(&fs::read(&log).map_err(|error| error.to_string())?)
            .into_owned();
        if !status.success() {
            return Err(self.crash(target, &text));
        }
        let executed = text
            .lines()
            .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))
            .and_then(|number| number.trim().parse::<u64>().ok())
            .filter(|number| *number > files(&kept).map_or(0, |files| files.len() as u64));
        let executed = executed
            .ok_or_else(|| format!("it executed nothing of its own; {} says why", log.display()))?;
        let inputs = files(&found)?.len();
        Ok(format!(
            "{executed} inputs in {seconds} s, {inputs} kept as they reach new code"
        ))
    }

    /// What a crash said, where its input lies, and how to see it again.
    fn crash(&self, target: &str, log: &str) -> String {
        let lines: Vec<&str> = log.lines().collect();
        let first = lines
            .iter()
            .position(|line| line.contains("panicked at") || line.contains("ERROR: libFuzzer"))
            .unwrap_or(lines.len().saturating_sub(20));
        let said = lines[first..].iter().take(20).copied();
        let mut text: Vec<&str> = said.collect();
        let input = lines
            .iter()
            .rev()
            .find_map(|line| line.split_once("Test unit written to "));
        let repeat = match input {
            Some((_, path)) => format!(
                "the input: {path}\nagain: cargo xtask fuzz --repeat {target} {path}\n\
                 once mended: copy it to {}/ and say it as a unit test too",
                self.corpus.join(target).display()
            ),
            None => "no input was written".to_owned(),
        };
        text.push(&repeat);
        format!("it failed:\n{}", text.join("\n"))
    }

    fn repeat(&self, target: &str, file: &Path) -> Result<(), String> {
        if !file.is_file() {
            return Err(format!("{} is no file", file.display()));
        }
        run_command(Command::new(self.programs.join(target)).arg(file))
    }

    /// Puts the smallest set of inputs that reaches as much into the repository.
    fn keep(&self, target: &str) -> Result<(), String> {
        let (kept, found) = (self.corpus.join(target), self.work.join(target));
        let merged = self.work.join(format!("{target}.merged"));
        if merged.exists() {
            fs::remove_dir_all(&merged).map_err(|error| error.to_string())?;
        }
        make_folder(&merged)?;
        let log = self.work.join(format!("{target}.merge.log"));
        // Those that have a name of their own were written by hand and stay.
        let (hashed, named): (Vec<PathBuf>, Vec<PathBuf>) =
            files(&kept)?.into_iter().partition(|file| is_hashed(file));
        for file in &named {
            copy_into(file, &merged)?;
        }
        let mut command = Command::new(self.programs.join(target));
        command
            // By what is reached, not by how often: a tenth of the files, found again in seconds.
            .args(["-merge=1", "-use_counters=0"])
            .arg(format!("-max_len={KEPT_INPUT_MAX_BYTES}"))
            .args([&merged, &kept, &found])
            .stderr(create(&log)?);
        run_command(&mut command)?;
        for file in hashed {
            fs::remove_file(&file).map_err(|error| error.to_string())?;
        }
        for file in files(&merged)? {
            copy_into(&file, &kept)?;
        }
        Ok(())
    }

    /// The kept corpus is small: it is read and cloned by everybody.
    fn weigh(&self, target: &str) -> Result<(), String> {
        let kept = self.corpus.join(target);
        let sizes = files(&kept)?.into_iter().map(|file| file.metadata());
        let bytes: u64 = sizes.filter_map(Result::ok).map(|file| file.len()).sum();
        if bytes <= CORPUS_MAX_BYTES {
            return Ok(());
        }
        Err(format!(
            "{} holds {bytes} bytes, {CORPUS_MAX_BYTES} are allowed: remove what `--keep` finds again shorter",
            kept.display()
        ))
    }
}

/// The name that libFuzzer gives: 40 hex digits.
fn is_hashed(file: &Path) -> bool {
    let name = file.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn copy_into(file: &Path, folder: &Path) -> Result<(), String> {
    let name = file.file_name().ok_or("a file has a name")?;
    fs::copy(file, folder.join(name))
        .map(drop)
        .map_err(|error| format!("cannot copy {}: {error}", file.display()))
}

fn create(file: &Path) -> Result<File, String> {
    File::create(file).map_err(|error| format!("cannot write {}: {error}", file.display()))
}

fn make_folder(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let cannot = |error| format!("cannot list {}: {error}", folder.display());
    let entries = fs::read_dir(folder).map_err(cannot)?;
    let mut files = Vec::new();
    for entry in entries {
        files.push(entry.map_err(cannot)?.path());
    }
    Ok(files)
}

fn host() -> Result<String, String> {
    let output = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .arg("-vV")
        .output()
        .map_err(|error| format!("cannot run `rustc -vV`: {error}"))?;
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .ok_or_else(|| "`rustc -vV` names no host".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_fuzzer_are_told_from_names_by_hand() {
        assert!(is_hashed(Path::new(
            "corpus/head/005d7194298284e212e7231be483db7362b83ed6"
        )));
        assert!(!is_hashed(Path::new("corpus/head/folded")));
    }
}
