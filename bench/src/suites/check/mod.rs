//! Instructions per delivered event: the figure that a busy machine doesn't move.
//!
//! The server runs under callgrind and delivers few events in one run and many in the next; the difference,
//! per event, has neither start-up nor page loads nor the shutdown in it. Time plays no part, so any machine with
//! the same toolchain can compare with the committed baseline. Dev and release builds have a row each.
//!
//! - [`callgrind`]: the counts
//! - [`baseline`]: what they are compared with
//! - [`report`]: the table and the page

pub mod baseline;
pub mod callgrind;
pub mod report;

use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::load::{Board, Dialect, Load};
use crate::peers::process::{ARGUMENTS_OF_AUTOVIA, Peer, Programs, Running};
use crate::suites::SuiteError;
use baseline::Baseline;
use callgrind::Profile;

/// Under callgrind all is some fifty times slower, and the machine may be busy.
const TICK_LIMIT: Duration = Duration::from_secs(60);

/// What to count and what to do with it.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// How often each case is counted; the median is compared.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Write the counts as the new baseline of this build's profile, and from a release build the report's page too.
    #[arg(long)]
    pub renew: bool,
    /// The baseline's file.
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/baseline.txt"))]
    pub baseline: PathBuf,
    /// Count this program, which serves the bench's page, instead of building the bench's own.
    #[arg(long, value_name = "PROGRAM")]
    pub autovia: Option<PathBuf>,
    /// Where the report goes.
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/benchmarks"))]
    pub out: PathBuf,
}

/// A kind of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// The name in the baseline.
    pub name: &'static str,
    /// What it is, for readers.
    pub meaning: &'static str,
    /// What the clients do.
    pub dialect: Dialect,
    /// Open streams in each run.
    pub streams: usize,
    /// Broadcasts in the short and in the long run.
    pub ticks: [u64; 2],
}

/// What is counted, the quickest first.
const ALL_CASES: [Case; 2] = [
    Case {
        name: "fanout",
        meaning: "one scope, one rendering for all",
        dialect: Dialect::Autovia(Board::One),
        streams: 200,
        ticks: [50, 250],
    },
    Case {
        name: "room",
        meaning: "the same in a large room",
        dialect: Dialect::Autovia(Board::One),
        streams: 2_000,
        ticks: [10, 110],
    },
];

/// What this program counts: a dev build's server is ten times slower still, so the large room is a release build's.
pub const CASES: &[Case] = if cfg!(debug_assertions) {
    ALL_CASES.split_at(1).0
} else {
    &ALL_CASES
};

impl Case {
    /// Delivered events by which its two runs differ.
    pub const fn events(&self) -> u64 {
        (self.ticks[1] - self.ticks[0]) * self.streams as u64
    }
}

/// One case in one round.
#[derive(Debug, Clone, PartialEq)]
pub struct Count {
    /// Which case.
    pub case: Case,
    /// Instructions per delivered event.
    pub per_event: f64,
    /// The same by function, the most expensive first.
    pub functions: Vec<(String, f64)>,
}

/// Counts all cases; `progress` is told each count as it comes.
pub fn run(options: &Options, progress: &mut dyn FnMut(&Count)) -> Result<Vec<Count>, SuiteError> {
    let programs = Programs::beside_this(options.autovia.clone())
        .map_err(SuiteError::system("finding this program"))?;
    programs.build(&[Peer::Autovia])?;
    let mut counts = Vec::new();
    for _ in 0..options.rounds {
        for &case in CASES {
            let [short, long] = [
                profile(&programs, case, case.ticks[0])?,
                profile(&programs, case, case.ticks[1])?,
            ];
            let count = difference(case, &short, &long);
            progress(&count);
            counts.push(count);
        }
    }
    Ok(counts)
}

/// The median of each case's counts.
pub fn medians(counts: &[Count]) -> Baseline {
    Baseline::of(CASES.iter().filter_map(|case| {
        let spread = report::spread(counts, case.name)?;
        Some((baseline::row(case.name), spread.median))
    }))
}

/// Runs the server under callgrind with `ticks` broadcasts.
fn profile(programs: &Programs, case: Case, ticks: u64) -> Result<Profile, SuiteError> {
    let file = std::env::temp_dir().join(format!(
        "autovia-callgrind-{}-{}-{ticks}",
        std::process::id(),
        case.name
    ));
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--fair-sched=yes", "--quiet"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(programs.path(Peer::Autovia))
        .args(ARGUMENTS_OF_AUTOVIA);
    let server = Running::start(command, None)?;
    let loaded = |source| SuiteError::Load {
        server: "autovia under callgrind",
        streams: case.streams,
        source,
    };
    let mut load = Load::open(server.address(), case.dialect, case.streams).map_err(loaded)?;
    for _ in 0..ticks {
        let tick = load.tick(TICK_LIMIT).map_err(loaded)?;
        if !tick.complete {
            return Err(SuiteError::EventsMissing);
        }
    }
    server
        .finish()
        .map_err(SuiteError::system("waiting for callgrind to write"))?;
    let report = load.finish().map_err(loaded)?;
    if !report.is_clean() {
        return Err(SuiteError::EventsMissing);
    }
    let profile = callgrind::read(&file).map_err(SuiteError::system("reading the counts"));
    let removed: io::Result<()> = std::fs::remove_file(&file);
    removed.map_err(SuiteError::system("removing the counts' file"))?;
    profile
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn difference(case: Case, short: &Profile, long: &Profile) -> Count {
    let events = case.events() as f64;
    let per_event = |long: u64, short: u64| (long as f64 - short as f64) / events;
    let mut functions: Vec<(String, f64)> = long
        .own
        .iter()
        .map(|(name, &own)| {
            let before = short.own.get(name).copied().unwrap_or(0);
            (name.clone(), per_event(own, before))
        })
        .collect();
    functions.sort_by(|one, other| other.1.total_cmp(&one.1));
    Count {
        case,
        per_event: per_event(long.total, short.total),
        functions,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_runs_did_drops_out() {
        let profile = |own: &[(&str, u64)]| Profile {
            total: own.iter().map(|(_, own)| own).sum(),
            own: own
                .iter()
                .map(|&(name, own)| (name.to_owned(), own))
                .collect(),
        };
        let events = CASES[0].events();
        let short = profile(&[("start", 1000), ("send", 7)]);
        let long = profile(&[
            ("start", 1000),
            ("send", 7 + 3 * events),
            ("render", events),
        ]);
        let count = difference(CASES[0], &short, &long);
        assert!((count.per_event - 4.0).abs() < 1e-9);
        assert_eq!(count.functions[0], ("send".to_owned(), 3.0));
        assert_eq!(count.functions[2], ("start".to_owned(), 0.0));
    }
}
