//! More streams than a descriptor table holds, really held: server and load each have several tables.
//!
//! One round is one server that grows through three sizes, is told events, rests through a whole heartbeat, sees tabs
//! come and go and is left by all; then a second server without heartbeats. A stream that is refused or closed, and an
//! event that is lost or doubled, ends the run with an error.

pub mod report;
mod steps;

use std::path::PathBuf;
use std::time::Duration;

use super::SuiteError;
use super::rig::Rig;
use crate::peers::Peer;

/// Streams per load thread: a descriptor table holds 20,000 on small machines.
const STREAMS_PER_THREAD: u32 = 18_000;
/// Memory of both ends of a stream, the generator's account of it included.
const BYTES_PER_STREAM: u64 = 16 * 1024;

/// How the suite is run.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// The largest number of streams; a tenth and three tenths of it are measured on the way.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1_000..=4_000_000))]
    pub streams: u32,
    /// Shards of the server, each with a descriptor table of its own; all on one core.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(2..=256))]
    pub shards: u32,
    /// How often all is measured.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Seconds of rest while the server sends no heartbeats; with them it is one period, 45 s.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub rest_seconds: u64,
    /// Where the report goes.
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/benchmarks"))]
    pub out: PathBuf,
}

impl Options {
    /// The sizes that are measured, rising.
    pub fn sizes(&self) -> [u32; 3] {
        [self.streams / 10, self.streams / 10 * 3, self.streams]
    }

    /// Load threads.
    pub fn threads(&self) -> usize {
        self.streams.div_ceil(STREAMS_PER_THREAD) as usize
    }

    fn rest(&self) -> Duration {
        Duration::from_secs(self.rest_seconds)
    }
}

/// What is measured at one size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Size {
    /// Streams that are open.
    pub streams: u32,
    /// Server CPU for each stream with its page that was opened on the way here, µs.
    pub cpu_to_open: f64,
    /// The same by the clock, the generator included.
    pub opened_per_second: f64,
    /// Resident bytes of the server per stream, just opened.
    pub user: f64,
    /// The same after events.
    pub user_after_events: f64,
    /// Bytes of the kernel per stream, both ends, after events.
    pub kernel: f64,
    /// Server CPU per delivered event, µs.
    pub cpu_per_event: f64,
    /// Until the last stream has it, middle tick, ms.
    pub last: f64,
    /// Streams of the emptiest and of the fullest shard, in percent of an even share.
    pub shares: [f64; 2],
}

/// What is measured once all are open.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Held {
    /// Server CPU at rest with a heartbeat each 45 s, percent of a core.
    pub with_heartbeats: f64,
    /// The same without heartbeats.
    pub without: f64,
    /// Server CPU for a tab that goes and one that comes in its place, µs.
    pub cpu_per_change: f64,
    /// Resident memory of the empty server, before the first stream, MiB.
    pub empty: f64,
    /// The most that was resident, MiB.
    pub full: f64,
    /// Resident after all have left, MiB.
    pub left: f64,
}

/// One round.
#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    /// The sizes, rising.
    pub sizes: Vec<Size>,
    /// At the largest of them.
    pub held: Held,
}

/// Measures all rounds; `say` is told what is under way.
pub fn run(
    options: &Options,
    say: &mut dyn FnMut(String),
) -> Result<(Vec<Round>, Rig), SuiteError> {
    let need = u64::from(options.streams) * BYTES_PER_STREAM;
    let have = crate::cpu::available_bytes().map_err(SuiteError::system("reading what is free"))?;
    if have < need {
        return Err(SuiteError::TooLittleMemory {
            streams: options.streams,
            have: have >> 20,
            need: need >> 20,
        });
    }
    let rig = Rig::build(&[Peer::Autovia])?;
    let rounds = (1..=options.rounds).map(|round| {
        steps::round(&rig, options, &mut |text| {
            say(format!("round {round} · {text}"))
        })
    });
    Ok((rounds.collect::<Result<_, _>>()?, rig))
}
