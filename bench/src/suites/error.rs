//! Why a suite gives up.

use std::io;

use crate::load::{LoadError, Report};
use crate::peers::process::StartError;

/// Why a suite gave up.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// A server is missing.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A server misbehaved beyond what can be counted.
    #[error("{server} with {streams} streams: {source}")]
    Load {
        /// Which server.
        server: &'static str,
        /// How many streams.
        streams: usize,
        /// What happened.
        source: LoadError,
    },
    /// The kernel's figures can't be read, or the report can't be written.
    #[error("{doing}: {source}")]
    System {
        /// What failed.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
    /// A server lost, doubled or swapped events, or closed streams.
    #[error("{server} did not deliver each event once and in order: {report:?}")]
    Unclean {
        /// Which server.
        server: &'static str,
        /// What went wrong.
        report: Report,
    },
    /// The check found what has become dearer.
    #[error("{0}")]
    Worse(String),
    /// Some of many suites failed; a line for each.
    #[error("these suites failed:\n{0}")]
    Several(String),
    /// A figure per delivered event needs all events delivered.
    #[error(
        "events were lost, doubled or late, or streams were closed: what is counted per event would be wrong"
    )]
    EventsMissing,
    /// Two threads that share a core say nothing about two cores.
    #[error(
        "this suite needs two cores and may use one: allow more (taskset, cpuset) and run it again"
    )]
    TooFewCores,
    /// A run that swaps, or is killed, measures nothing.
    #[error(
        "{streams} streams with both their ends here need {need} MiB and {have} are available: give fewer --streams"
    )]
    TooLittleMemory {
        /// How many streams were asked for.
        streams: u32,
        /// MiB that are available.
        have: u64,
        /// MiB that it takes.
        need: u64,
    },
    /// The runtime under test did not start.
    #[error("the runtime did not start: {0}")]
    Runtime(String),
}

impl SuiteError {
    /// For `map_err`.
    pub fn system(doing: impl Into<String>) -> impl FnOnce(io::Error) -> SuiteError {
        let doing = doing.into();
        move |source| SuiteError::System { doing, source }
    }
}
