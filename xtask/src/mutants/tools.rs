//! The three checkers: how each one's tests are built and run.
//!
//! A test is named `file::test`. The file says whose it is: `shuttle` and `race` are those of shuttle and
//! ThreadSanitizer, any other is loom's.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Who watches a test.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    Loom,
    Shuttle,
    ThreadSanitizer,
}

impl Tool {
    pub(super) fn of(file: &str) -> Self {
        match file {
            "shuttle" => Self::Shuttle,
            "race" => Self::ThreadSanitizer,
            _ => Self::Loom,
        }
    }

    /// A test that runs longer than this is ended: a model of loom's or shuttle's has not noticed then.
    /// ThreadSanitizer's parts take a second.
    pub(super) fn patience(self) -> Duration {
        match self {
            Self::Loom | Self::Shuttle => Duration::from_secs(180),
            Self::ThreadSanitizer => Duration::from_secs(60),
        }
    }

    /// How often a mutant is tried. Loom walks through all schedules; shuttle draws its own by chance, and what
    /// ThreadSanitizer sees is up to the scheduler: one run in sixty of a mutant saw nothing.
    pub(super) fn attempts(self) -> usize {
        match self {
            Self::Loom => 1,
            Self::Shuttle | Self::ThreadSanitizer => 6,
        }
    }

    /// Why this tool can't be used here, if so.
    pub(super) fn missing(self) -> Result<Option<String>, String> {
        if self != Self::ThreadSanitizer {
            return Ok(None);
        }
        let runtime = runtimes()?;
        Ok(runtime.is_empty().then(|| {
            "this toolchain comes without ThreadSanitizer's runtime (librustc-*_rt.tsan.a); \
             that of x86_64-unknown-linux-gnu has it"
                .to_owned()
        }))
    }

    /// What builds the tests of `file` of the workspace in `folder`.
    pub(super) fn build(self, folder: &Path, file: &str) -> Result<Command, String> {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["test", "--quiet", "--test", file, "--no-run"]);
        // Other flags would throw away what was built for another tool.
        let (package, target, flags) = match self {
            Self::Loom => ("loom-tests", "target", "--cfg loom --cap-lints allow"),
            Self::Shuttle => (
                "loom-tests",
                "target-shuttle",
                "--cfg shuttle --cap-lints allow",
            ),
            Self::ThreadSanitizer => (
                "autovia-shards",
                "target-race",
                "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer --cfg tsan --cap-lints allow",
            ),
        };
        if self == Self::ThreadSanitizer {
            // The sanitizer's flag is unstable, its runtime comes with stable toolchains too. The triple
            // is named so that build scripts and macros are built without the flags.
            cargo.env("RUSTC_BOOTSTRAP", "1");
            cargo.args(["--target", &host()?]);
        }
        cargo
            .args(["--package", package, "--message-format=json"])
            .current_dir(folder)
            .env("CARGO_TARGET_DIR", folder.join(target))
            .env("RUSTFLAGS", flags)
            .stderr(Stdio::null());
        Ok(cargo)
    }

    /// What runs one test of a program, or all.
    pub(super) fn run(program: &Path, test: Option<&str>) -> Command {
        let mut command = Command::new(program);
        if let Some(test) = test {
            command.args(["--exact", test]);
        }
        command.env("RUST_BACKTRACE", "0");
        command
    }
}

fn runtimes() -> Result<Vec<PathBuf>, String> {
    let folder = PathBuf::from(rustc(&["--print", "target-libdir"])?.trim());
    let files = std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    Ok(files
        .filter_map(Result::ok)
        .map(|file| file.path())
        .filter(|path| path.to_string_lossy().ends_with("_rt.tsan.a"))
        .collect())
}

fn host() -> Result<String, String> {
    let version = rustc(&["--version", "--verbose"])?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("rustc does not say its host")?.to_owned())
}

fn rustc(args: &[&str]) -> Result<String, String> {
    let output = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(args)
        .output()
        .map_err(|e| format!("rustc: {e}"))?;
    String::from_utf8(output.stdout).map_err(|e| format!("rustc: {e}"))
}
