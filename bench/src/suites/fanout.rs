//! Fan-out: all streams watch one scope, each tick reaches all of them.
//!
//! Only one server runs at a time. The order turns with each round, so that none is always the first after a build
//! or the last on a warm machine, and every ratio is taken between neighbours of one round.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::cpu::{self, Usage};
use crate::load::{Load, LoadError, Report};
use crate::peers::{Peer, Programs};
use crate::suites::SuiteError;
use crate::table::percentile;

/// Ticks before the clock starts: buffers have grown, lazily built parts are there.
const WARM_UP_TICKS: u64 = 3;
/// Fewer ticks than this say nothing about a p99.
const TICKS_MIN: u64 = 10;
/// A tick that has not reached everybody by then has lost events.
const TICK_LIMIT: Duration = Duration::from_secs(10);

/// What to run.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Open streams; several sizes make several groups of rows.
    #[arg(long, value_delimiter = ',', default_value = "1000,10000", value_name = "N,…", value_parser = parse_streams)]
    pub streams: Vec<usize>,
    /// How often each server is measured at each size.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Events that are delivered in one measurement, over all streams.
    #[arg(long, default_value_t = 200_000)]
    pub events: u64,
    /// Servers to compare.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Peer::ALL)]
    pub servers: Vec<Peer>,
    /// A program that serves the bench's page, instead of the one that cargo builds.
    #[arg(long, value_name = "PATH")]
    pub autovia: Option<PathBuf>,
    /// Where the report goes.
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/benchmarks"))]
    pub out: PathBuf,
}

/// One server at one size in one round.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Which server.
    pub peer: Peer,
    /// How many streams.
    pub streams: usize,
    /// In which round, from 1.
    pub round: u32,
    /// µs per delivered event in the server's own code.
    pub user: f64,
    /// µs per delivered event in the kernel, charged to the server.
    pub system: f64,
    /// µs per delivered event in `ksoftirqd` of the server's core.
    pub softirq: f64,
    /// µs per delivered event in the generator.
    pub load: f64,
    /// From a tick's request until the last stream had it: the middle tick.
    pub last_p50: Duration,
    /// The same, 99th percentile over ticks.
    pub last_p99: Duration,
    /// Resident bytes that each open, idle stream has added.
    pub resident: f64,
    /// What was lost, doubled, swapped or closed.
    pub report: Report,
}

impl Sample {
    /// All CPU of the server's side, µs per delivered event.
    pub fn cpu(&self) -> f64 {
        self.user + self.system + self.softirq
    }
}

/// Which cores the two sides had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cores {
    /// The server's.
    pub server: Option<usize>,
    /// The generator's.
    pub load: Option<usize>,
}

/// Runs all rounds; `progress` is told each sample as it comes.
pub fn run(
    options: &Options,
    progress: &mut dyn FnMut(&Sample),
) -> Result<(Vec<Sample>, Cores), SuiteError> {
    let programs = Programs::beside_this(options.autovia.clone())
        .map_err(SuiteError::system("finding this program"))?;
    let servers = Peer::available(&options.servers);
    programs.build(&servers)?;
    let cores = choose_cores().map_err(SuiteError::system("choosing cores"))?;
    if let Some(core) = cores.load {
        cpu::pin_this_thread(core).map_err(SuiteError::system("pinning the generator"))?;
    }
    let mut samples = Vec::new();
    for round in 1..=options.rounds {
        for &streams in &options.streams {
            let first = (round as usize - 1) % servers.len().max(1);
            for &peer in servers[first..].iter().chain(&servers[..first]) {
                let sample = Measurement {
                    programs: &programs,
                    cores,
                    peer,
                    streams,
                    round,
                }
                .run(options.events)?;
                progress(&sample);
                samples.push(sample);
            }
        }
    }
    Ok((samples, cores))
}

fn choose_cores() -> io::Result<Cores> {
    Ok(match cpu::own_cores()?[..] {
        [server, load, ..] => Cores {
            server: Some(server),
            load: Some(load),
        },
        _ => Cores {
            server: None,
            load: None,
        },
    })
}

struct Measurement<'a> {
    programs: &'a Programs,
    cores: Cores,
    peer: Peer,
    streams: usize,
    round: u32,
}

impl Measurement<'_> {
    fn run(&self, events: u64) -> Result<Sample, SuiteError> {
        let server = self.programs.start(self.peer, self.cores.server)?;
        let pid = server.pid();
        let softirq = self.cores.server.and_then(cpu::ksoftirqd);
        let usages = || -> Result<[Usage; 3], SuiteError> {
            let read = || {
                Ok([
                    cpu::usage(pid)?,
                    softirq.map_or(Ok(Usage::default()), cpu::usage)?,
                    cpu::own_usage()?,
                ])
            };
            read().map_err(SuiteError::system("reading CPU times"))
        };
        let resident =
            || cpu::resident_bytes(pid).map_err(SuiteError::system("reading the server's memory"));

        let empty = resident()?;
        let mut load = self.loaded(Load::open(
            server.address(),
            self.peer.dialect(),
            self.streams,
        ))?;
        let full = resident()?;
        for _ in 0..WARM_UP_TICKS {
            self.loaded(load.tick(TICK_LIMIT))?;
        }
        let ticks = (events / self.streams as u64).max(TICKS_MIN);
        let mut elapsed = Vec::new();
        let before = usages()?;
        for _ in 0..ticks {
            elapsed.push(self.loaded(load.tick(TICK_LIMIT))?.elapsed);
        }
        let after = usages()?;
        server.kill();
        let report = self.loaded(load.finish())?;

        let [own, softirq, load] = std::array::from_fn(|index| after[index].since(before[index]));
        #[expect(
            clippy::cast_precision_loss,
            reason = "counts and bytes far below 2^52"
        )]
        let (delivered, resident) = (
            (ticks * self.streams as u64) as f64,
            full.saturating_sub(empty) as f64,
        );
        let per_event = |time: Duration| time.as_secs_f64() * 1e6 / delivered;
        Ok(Sample {
            peer: self.peer,
            streams: self.streams,
            round: self.round,
            user: per_event(own.user),
            system: per_event(own.system),
            softirq: per_event(softirq.total()),
            load: per_event(load.total()),
            last_p50: percentile(&elapsed, 50).unwrap_or_default(),
            last_p99: percentile(&elapsed, 99).unwrap_or_default(),
            #[expect(
                clippy::cast_precision_loss,
                reason = "at most a descriptor table's size"
            )]
            resident: resident / self.streams as f64,
            report,
        })
    }

    fn loaded<T>(&self, result: Result<T, LoadError>) -> Result<T, SuiteError> {
        let (server, streams) = (self.peer.name(), self.streams);
        result.map_err(|source| SuiteError::Load {
            server,
            streams,
            source,
        })
    }
}

fn parse_streams(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(streams) if streams > 0 => Ok(streams),
        _ => Err("a number of streams is a whole number from 1 up".to_owned()),
    }
}
