//! `cargo xtask test`: everything that CI checks, on a machine that may have nothing but Rust.
//!
//! Invariant: each step runs to its end or the run stops there with a non-zero exit code; no step
//! is skipped because a tool is missing. What needs another program gets it installed first.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

/// Programs that tests start, each with the Debian package that brings it.
const PROGRAMS: [(&str, &str); 4] = [
    ("redis-server", "redis-server"),
    ("nats-server", "nats-server"),
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
];

/// Installs the programs that the tests start; nothing happens when they are there.
pub fn setup() -> ExitCode {
    finish(step("programs that the tests start", install_programs))
}

/// Runs the whole check list, in the order that fails soonest.
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
    finish(check_list(quick))
}

fn finish(outcome: Result<(), String>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("\nxtask: FAILED: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn check_list(_quick: bool) -> Result<(), String> {
    step("programs that the tests start", install_programs)
}

fn step(name: &str, work: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    println!("\n==> {name}");
    let start = Instant::now();
    let outcome = work();
    println!("==> {name}: {:.1} s", start.elapsed().as_secs_f64());
    outcome.map_err(|reason| format!("{name}: {reason}"))
}

fn install_programs() -> Result<(), String> {
    let missing: Vec<&str> = PROGRAMS
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
    match PROGRAMS
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
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/bin")])
        .map(|folder| folder.join(name))
        .find(|file| is_file(file))
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file())
}

fn run_command(command: &mut Command) -> Result<(), String> {
    let line = format!("{command:?}");
    println!("$ {line}");
    let status = command
        .status()
        .map_err(|error| format!("cannot start {line}: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{line} ended with {status}"))
    }
}
