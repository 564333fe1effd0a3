//! Whether this machine can run autovia, and what to change where it can't.
//!
//! The server and `autovia doctor` ask the same questions and use the same words: what the
//! server refuses to start for is exactly what doctor calls a failure. Finding something out
//! (`ring`, `machine`) is kept apart from judging it (`judge`), so that each judgement can
//! be tested on a machine that has nothing wrong with it.

#![forbid(unsafe_code)]

mod certificate;
mod judge;
mod limits;
mod machine;
mod ring;
mod streams;

use std::fmt::Write as _;

use super::config::{Cpus, ServerArgs};
pub use limits::{Raised, raise_locked_memory, raise_open_files};
pub use streams::report as report_streams;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing to do.
    Ok,
    /// The server starts, but something will be tight.
    Warn,
    /// The server refuses to start.
    Fail,
}

impl State {
    /// The word in the report.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

/// One check: what was found, and what to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, in a word or two.
    pub name: &'static str,
    /// How it went.
    pub state: State,
    /// What was found there.
    pub found: String,
    /// What to change; empty if nothing.
    pub change: String,
}

impl Finding {
    fn ok(name: &'static str, found: String) -> Self {
        Self {
            name,
            state: State::Ok,
            found,
            change: String::new(),
        }
    }

    fn warn(name: &'static str, found: String, change: String) -> Self {
        Self {
            name,
            state: State::Warn,
            found,
            change,
        }
    }

    fn fail(name: &'static str, found: String, change: String) -> Self {
        Self {
            name,
            state: State::Fail,
            found,
            change,
        }
    }
}

/// Checks this machine for the number of shards that autovia would run by default.
pub fn check() -> Vec<Finding> {
    check_for(Cpus::of_this_process().usable)
}

/// Checks this machine for that many shards. Changes nothing.
pub fn check_for(shards: usize) -> Vec<Finding> {
    let machine = machine::look();
    let (io_uring, features) = judge::ring(ring::try_out(), &machine);
    let mut findings = vec![judge::kernel(&machine.kernel), io_uring];
    findings.extend(features);
    findings.push(judge::locked_memory(&machine, shards));
    findings.push(judge::open_files(machine.open_files, shards));
    findings.push(judge::cpus(&Cpus::of_this_process()));
    findings
}

/// Prints the report of `autovia doctor` to standard output.
///
/// Returns the exit code: 1 if the server would refuse to start, else 0.
pub fn report() -> i32 {
    print(&check())
}

/// As [`report`], for a server that would be started with these options: they are read as the server
/// reads them, and its certificate is looked at.
pub fn report_for(args: ServerArgs) -> i32 {
    let findings = match args.resolve() {
        Ok(config) => {
            let mut findings = check_for(config.shards);
            findings.extend(certificate::look(&config));
            findings
        }
        Err(error) => {
            let mut findings = check();
            let change = "say it otherwise: the server would end with exit code 2".to_owned();
            findings.push(Finding::fail("options", error.to_string(), change));
            findings
        }
    };
    print(&findings)
}

fn print(findings: &[Finding]) -> i32 {
    // A closed pipe (`autovia doctor | head -1`) is no failure of the machine.
    let _ = std::io::Write::write_all(&mut std::io::stdout(), render(findings).as_bytes());
    i32::from(findings.iter().any(|finding| finding.state == State::Fail))
}

/// Why the server can't start on this machine with that many shards, in one line, if it can't.
pub fn refuse(shards: usize) -> Option<String> {
    refusal(&check_for(shards))
}

fn refusal(findings: &[Finding]) -> Option<String> {
    let failed: Vec<String> = findings
        .iter()
        .filter(|finding| finding.state == State::Fail)
        .map(|finding| format!("{}: {}. {}", finding.name, finding.found, finding.change))
        .collect();
    (!failed.is_empty()).then(|| format!("autovia can't run here. {}", failed.join(". ")))
}

/// The report as text, one line per finding and one more for each change.
pub fn render(findings: &[Finding]) -> String {
    let width = findings
        .iter()
        .map(|finding| finding.name.len())
        .max()
        .unwrap_or(0);
    let mut out = String::new();
    for finding in findings {
        let state = finding.state.word();
        let _ = writeln!(
            out,
            "{state:<4}  {:<width$}  {}",
            finding.name, finding.found
        );
        if !finding.change.is_empty() {
            let _ = writeln!(out, "{:<4}  {:<width$}  change: {}", "", "", finding.change);
        }
    }
    let count = |state| {
        findings
            .iter()
            .filter(|finding| finding.state == state)
            .count()
    };
    let verdict = match (count(State::Fail), count(State::Warn)) {
        (0, 0) => "autovia runs well here.".to_owned(),
        (0, warnings) => format!("autovia runs here; {}.", counted(warnings, "warning")),
        (failures, _) => format!("autovia can't run here; {}.", counted(failures, "failure")),
    };
    let _ = writeln!(out, "\n{verdict}");
    out
}

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<Finding> {
        vec![
            Finding::ok("kernel", "6.8.0".into()),
            Finding::fail("io_uring", "switched off".into(), "switch it on".into()),
            Finding::warn("open files", "1024".into(), "ulimit -n 65536".into()),
        ]
    }

    #[test]
    fn the_report_has_a_line_per_finding_and_a_verdict() {
        assert_eq!(
            render(&sample()),
            "ok    kernel      6.8.0\n\
             FAIL  io_uring    switched off\n\
             \u{20}                 change: switch it on\n\
             warn  open files  1024\n\
             \u{20}                 change: ulimit -n 65536\n\
             \n\
             autovia can't run here; 1 failure.\n"
        );
        assert!(render(&sample()[..1]).ends_with("autovia runs well here.\n"));
        assert!(render(&sample()[2..]).ends_with("autovia runs here; 1 warning.\n"));
    }

    #[test]
    fn the_server_refuses_in_the_words_of_the_report() {
        assert_eq!(
            refusal(&sample()).as_deref(),
            Some("autovia can't run here. io_uring: switched off. switch it on")
        );
        assert_eq!(refusal(&sample()[2..]), None);
    }

    #[test]
    fn each_check_reports_once_on_this_machine() {
        let names: Vec<_> = check_for(1).iter().map(|finding| finding.name).collect();
        for name in ["kernel", "io_uring", "locked memory", "open files", "CPUs"] {
            assert_eq!(names.iter().filter(|found| **found == name).count(), 1);
        }
    }
}
