//! `cargo xtask test`: everything that CI checks, on a machine that may have nothing but Rust.
//!
//! Invariant: each step runs to its end or the run stops there with a non-zero exit code; under `CI=true` no step
//! is skipped because a tool is missing. What needs another program gets it installed first.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use crate::{fuzz, rules};

/// Programs that tests start, each with the Debian package that brings it.
const PROGRAMS: [(&str, &str); 7] = [
    // The fuzzers' engine is C++.
    ("c++", "g++"),
    ("redis-server", "redis-server"),
    ("nats-server", "nats-server"),
    ("haproxy", "haproxy"),
    ("caddy", "caddy"),
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
];

/// How many mutants a test run tries; all of them are `cargo xtask mutants`.
const MUTANTS_SAMPLE: &str = "5";

/// Installs the programs that the tests start; nothing happens when they are there.
pub fn setup() -> ExitCode {
    let mut report = Report::default();
    let outcome = report.step("programs that the tests start", install_programs);
    report.finish(outcome)
}

/// Runs the whole check list.
pub fn run(arguments: &[String]) -> ExitCode {
    let quick = match arguments {
        [] => false,
        [only] if only == "--quick" => true,
        other => {
            eprintln!(
                "xtask test: `{}` isn't an option; the only one is --quick",
                other.join(" ")
            );
            return ExitCode::from(2);
        }
    };
    let mut report = Report::default();
    let outcome = check_list(&mut report, quick);
    report.finish(outcome)
}

fn check_list(report: &mut Report, quick: bool) -> Result<(), String> {
    let root = workspace_root()?;
    report.step("programs that the tests start", install_programs)?;
    report.step("format", || {
        run_command(cargo(&root).args(["fmt", "--all", "--check"]))?;
        // The fuzz targets are a workspace of their own.
        let manifest = "tests/fuzz/Cargo.toml";
        run_command(cargo(&root).args(["fmt", "--manifest-path", manifest, "--check"]))
    })?;
    report.step("atomics only in shards/", || {
        rules::atomics_have_one_home(&root)
    })?;
    report.step("no tokio reactor under the server", || {
        rules::no_tokio_reactor(cargo(&root))
    })?;
    report.step("lints", || {
        run_command(cargo(&root).args([
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]))
    })?;
    if !quick {
        report.step("documentation", || {
            let mut doc = cargo(&root);
            run_command(
                doc.args(["doc", "--workspace", "--no-deps"])
                    .env("RUSTDOCFLAGS", "-D warnings"),
            )
        })?;
    }
    let tests = report.step("tests", || run_tests(cargo(&root)))?;
    report.note(tests);
    if !quick {
        report.step("loom models", || {
            let target = target_folder(&root);
            let mut models = cargo(&root);
            models.args(["test", "--release", "--package", "loom-tests"]);
            // Its own folder: other flags would throw away what the other steps have built.
            run_command(
                models
                    .env("RUSTFLAGS", "--cfg loom")
                    .env("CARGO_TARGET_DIR", target.join("loom")),
            )
        })?;
        report.step("a sample of mutants", || {
            run_command(cargo(&root).args(["xtask", "mutants", "--sample", MUTANTS_SAMPLE]))
        })?;
        report.step("fuzzers, a minute each", fuzz::all)?;
    }
    report.step("instructions per event, beside the baseline", || {
        instructions(&root)
    })
}

/// What was done and how long it took, told again at the end, where a log is looked at first.
#[derive(Default)]
struct Report {
    lines: Vec<String>,
}

impl Report {
    fn step<T>(
        &mut self,
        name: &str,
        work: impl FnOnce() -> Result<T, String>,
    ) -> Result<T, String> {
        println!("\n==> {name}");
        let start = Instant::now();
        let outcome = work();
        let seconds = start.elapsed().as_secs_f64();
        let word = if outcome.is_ok() { "ok" } else { "FAILED" };
        println!("==> {name}: {word}, {seconds:.1} s");
        self.lines
            .push(format!("{seconds:7.1} s  {word:6}  {name}"));
        outcome.map_err(|reason| format!("{name}: {reason}"))
    }

    fn note(&mut self, text: String) {
        self.lines.push(format!("{:19}{text}", ""));
    }

    fn finish(self, outcome: Result<(), String>) -> ExitCode {
        println!("\n{}", self.lines.join("\n"));
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(reason) => {
                eprintln!("\nxtask: FAILED: {reason}");
                ExitCode::FAILURE
            }
        }
    }
}

/// Counts instructions under callgrind. The one step that a machine may do without: its figure is for those who
/// change the hot path, and CI has it always.
fn instructions(root: &Path) -> Result<(), String> {
    if let Err(reason) = install(&[("valgrind", "valgrind")]) {
        let is_ci = env::var("CI").is_ok_and(|value| value == "true");
        if is_ci {
            return Err(format!("valgrind is needed under CI=true: {reason}"));
        }
        println!(
            "skipped, nothing was counted: valgrind is not here and can't be installed ({reason})"
        );
        return Ok(());
    }
    // The programs of the tests, as they are: `cargo run` would build the server once more, with fewer features.
    run_command(cargo(root).args(["test", "--workspace", "--no-run", "--quiet"]))?;
    let built = target_folder(root).join("debug");
    let mut check = Command::new(built.join("autovia-bench"));
    check.args(["check", "--rounds", "1", "--autovia"]);
    run_command(check.arg(built.join("bench-app")))
}

fn target_folder(root: &Path) -> PathBuf {
    let folder = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    root.join(folder)
}

/// Runs all tests, shows what they print, and gives their sum.
fn run_tests(mut cargo: Command) -> Result<String, String> {
    cargo
        .args(["test", "--workspace", "--no-fail-fast"])
        .stdout(Stdio::piped());
    let line = shown(&cargo);
    let mut child = cargo
        .spawn()
        .map_err(|error| format!("cannot start {line}: {error}"))?;
    let (mut binaries, mut passed, mut failed) = (0, 0, 0);
    let stdout = child.stdout.take().expect("stdout is piped");
    for text in BufReader::new(stdout).lines() {
        let text = text.map_err(|error| format!("cannot read what the tests print: {error}"))?;
        println!("{text}");
        if let Some(result) = text.strip_prefix("test result: ") {
            binaries += 1;
            passed += count(result, " passed");
            failed += count(result, " failed");
        }
    }
    let status = child
        .wait()
        .map_err(|error| format!("cannot wait for the tests: {error}"))?;
    let sum = format!("{passed} tests passed, {failed} failed, in {binaries} test programs");
    if status.success() {
        Ok(sum)
    } else {
        Err(format!("{sum}; {line} ended with {status}"))
    }
}

/// The number before a word in `ok. 12 passed; 0 failed; …`.
fn count(result: &str, word: &str) -> u64 {
    let before = result.split(word).next().unwrap_or_default();
    before
        .rsplit([' ', ';'])
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

pub(crate) fn workspace_root() -> Result<PathBuf, String> {
    let here = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let root = here.as_deref().and_then(Path::parent).map(Path::to_owned);
    root.ok_or_else(|| {
        "run this as `cargo xtask test`, which says where the workspace is".to_owned()
    })
}

fn install_programs() -> Result<(), String> {
    install(&PROGRAMS)
}

/// Installs those of `programs`, each beside the Debian package that brings it, which are missing.
fn install(programs: &[(&str, &str)]) -> Result<(), String> {
    let missing: Vec<&str> = programs
        .iter()
        .filter(|(program, _)| find_program(program).is_none())
        .map(|&(_, package)| package)
        .collect();
    if missing.is_empty() {
        println!("all there");
        return Ok(());
    }
    let list = missing.join(" ");
    println!("missing: {list}");
    if find_program("apt-get").is_none() {
        return Err(format!(
            "apt-get is not here; install {list} by hand and run again"
        ));
    }
    // Index first: on a fresh machine there is none, and an old one names packages that are gone.
    privileged(&["apt-get", "update", "-qq"], &list)?;
    let mut install = vec!["apt-get", "install", "-y", "-qq", "--no-install-recommends"];
    install.extend(&missing);
    privileged(&install, &list)?;
    match programs
        .iter()
        .find(|(program, _)| find_program(program).is_none())
    {
        None => Ok(()),
        Some((program, package)) => Err(format!(
            "package {package} is installed, yet {program} is not on the path"
        )),
    }
}

fn privileged(command: &[&str], packages: &str) -> Result<(), String> {
    // `env` carries the setting through sudo, which drops the caller's environment.
    let mut line = Vec::new();
    if !is_root()? {
        if find_program("sudo").is_none() {
            return Err(format!(
                "installing needs root and there is no sudo; run as root: apt-get update && apt-get install -y {packages}"
            ));
        }
        line.extend(["sudo", "--"]);
    }
    line.extend(["env", "DEBIAN_FRONTEND=noninteractive"]);
    line.extend(command);
    run_command(Command::new(line[0]).args(&line[1..]).stdin(Stdio::null()))
}

fn is_root() -> Result<bool, String> {
    let output = Command::new("id")
        .arg("-u")
        .output()
        .map_err(|error| format!("cannot run `id -u`: {error}"))?;
    Ok(output.stdout.trim_ascii() == b"0")
}

/// Where a program is, looking where a root shell would: daemons live in sbin, which isn't on every path.
fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/bin")])
        .map(|folder| folder.join(name))
        .find(|file| is_file(file))
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file())
}

pub(crate) fn run_command(command: &mut Command) -> Result<(), String> {
    let line = shown(command);
    let status = command
        .status()
        .map_err(|error| format!("cannot start {line}: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{line} ended with {status}"))
    }
}

/// Says what is run, as it would be typed, and gives that line.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    let line = words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ");
    println!("$ {line}");
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_a_test_program_is_read() {
        let result =
            "FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        assert_eq!(
            (count(result, " passed"), count(result, " failed")),
            (12, 3)
        );
        assert_eq!(count("nothing", " passed"), 0);
    }
}
