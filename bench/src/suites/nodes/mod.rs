//! From node to node: a click on one, the event on a page of the other, through each broker.
//!
//! Beside it, in the same round and on the same server, the floor: a bare `PUBLISH` on one blocking socket and the
//! message on another. Who comes first turns with the round. Both ends of a latency are read on one clock.

mod bare;
mod broker;
mod pair;
pub mod report;
mod tab;

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::cpu;
use crate::peers::{Peer, Programs};
use crate::suites::SuiteError;
use crate::table::percentile;

/// Scopes that one burst makes stale. Their names fit into what a node may have in flight, so none are merged.
pub const BURST: usize = 10_000;

/// The names of a burst's rooms, each after `n:`, in the order in which they are published.
///
/// ```
/// use autovia_bench::suites::nodes;
/// assert_eq!(nodes::rooms().count(), nodes::BURST);
/// assert!(nodes::rooms().is_sorted());
/// assert_eq!(nodes::rooms().last(), Some(nodes::last_room()));
/// ```
pub fn rooms() -> impl Iterator<Item = String> {
    (0..BURST).map(|index| format!("{index:04}"))
}

/// The room whose page is watched: the last that a burst reaches.
pub fn last_room() -> String {
    format!("{:04}", BURST - 1)
}

/// What to run.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Brokers to go through; one that is not installed is left out.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Kind::ALL)]
    pub brokers: Vec<Kind>,
    /// How often everything is measured.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Clicks, and bare publications, of one round; each waits for the one before.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(100..))]
    pub clicks: u32,
    /// Bursts of 10,000 scopes, and as many bare publications, of one round.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub bursts: u32,
    /// Where the report goes.
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/benchmarks"))]
    pub out: PathBuf,
}

/// What joins the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Kind {
    /// Redis or Valkey.
    Redis,
    /// NATS.
    Nats,
}

impl Kind {
    /// All, in the order of the report.
    pub const ALL: [Kind; 2] = [Kind::Redis, Kind::Nats];
}

/// As on the command line, and as the scheme of an address.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Redis => "redis",
            Kind::Nats => "nats",
        })
    }
}

/// What is measured on a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Two sockets and nothing else.
    Bare,
    /// Two nodes.
    Autovia,
}

impl Subject {
    const ALL: [Subject; 2] = [Subject::Bare, Subject::Autovia];

    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Subject::Bare => "bare",
            Subject::Autovia => "autovia",
        }
    }
}

/// One subject on one broker in one round.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The broker.
    pub broker: Kind,
    /// What was measured on it.
    pub subject: Subject,
    /// In which round, from 1.
    pub round: u32,
    /// From click or publication until the event or message: the middle one.
    pub p50: Duration,
    /// The same, 99th percentile.
    pub p99: Duration,
    /// Messages per second of a burst, from its request until its last message.
    pub rate: f64,
    /// CPU of a burst, µs per message.
    pub cpu: Cpu,
    /// Events on the watched page beyond one per click.
    pub extra: u64,
}

/// CPU in µs per message, all threads.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cpu {
    /// Of the side that publishes.
    pub publisher: f64,
    /// Of the side that is told.
    pub subscriber: f64,
    /// Of the broker itself.
    pub broker: f64,
}

/// All that a run gives.
#[derive(Debug)]
pub struct Outcome {
    /// The samples.
    pub samples: Vec<Sample>,
    /// The brokers as they name themselves, and those that are not installed.
    pub notes: Vec<String>,
    /// Cores of the two nodes, where there are two.
    pub cores: Option<[usize; 2]>,
}

/// Runs all rounds; `progress` is told each sample as it comes.
pub fn run(options: &Options, progress: &mut dyn FnMut(&Sample)) -> Result<Outcome, SuiteError> {
    let programs =
        Programs::beside_this(None).map_err(SuiteError::system("finding this program"))?;
    programs.build(&[Peer::Autovia])?;
    let cores = match cpu::allowed_cores().map_err(SuiteError::system("choosing cores"))?[..] {
        [first, second, ..] => Some([first, second]),
        _ => None,
    };
    let mut outcome = Outcome {
        samples: Vec::new(),
        notes: Vec::new(),
        cores,
    };
    for &kind in &options.brokers {
        let Some(broker) = broker::Broker::start(kind)
            .map_err(SuiteError::system(format!("starting a server for {kind}")))?
        else {
            let note = format!("{kind} is left out: its server is not installed");
            eprintln!("{note}");
            outcome.notes.push(note);
            continue;
        };
        outcome.notes.push(broker.version().to_owned());
        let mut bare = bare::Bare::connect(kind, broker.port()).map_err(SuiteError::system(
            format!("the bare loop connects to {kind}"),
        ))?;
        let mut pair = pair::Pair::start(&broker, cores)?;
        for round in 1..=options.rounds {
            let mut subjects = Subject::ALL;
            subjects.rotate_left((round as usize - 1) % Subject::ALL.len());
            for subject in subjects {
                let measured = match subject {
                    Subject::Bare => bare.measure(&broker, options),
                    Subject::Autovia => pair.measure(&broker, options),
                };
                let sample = measured
                    .map_err(SuiteError::system(format!("{kind}, {}", subject.name())))?
                    .sample(kind, subject, round);
                progress(&sample);
                outcome.samples.push(sample);
            }
        }
    }
    Ok(outcome)
}

/// What one subject gave in one round.
#[derive(Debug, Default)]
struct Measured {
    latencies: Vec<Duration>,
    /// Messages of all bursts, and the time that they took.
    messages: u64,
    elapsed: Duration,
    /// CPU of all bursts.
    publisher: Duration,
    subscriber: Duration,
    broker: Duration,
    extra: u64,
}

impl Measured {
    fn sample(&self, broker: Kind, subject: Subject, round: u32) -> Sample {
        #[expect(clippy::cast_precision_loss, reason = "a count far below 2^52")]
        let messages = self.messages as f64;
        let per_message = |time: Duration| time.as_secs_f64() * 1e6 / messages;
        Sample {
            broker,
            subject,
            round,
            p50: percentile(&self.latencies, 50).unwrap_or_default(),
            p99: percentile(&self.latencies, 99).unwrap_or_default(),
            rate: messages / self.elapsed.as_secs_f64(),
            cpu: Cpu {
                publisher: per_message(self.publisher),
                subscriber: per_message(self.subscriber),
                broker: per_message(self.broker),
            },
            extra: self.extra,
        }
    }
}

/// CPU time of the living threads of `pid`. [`cpu::usage`] goes by steps of 10 ms, a burst takes a few of them.
fn thread_time(pid: u32) -> io::Result<Duration> {
    let mut sum = Duration::ZERO;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        match fs::read_to_string(task?.path().join("schedstat")) {
            Ok(text) => sum += on_cpu(&text)?,
            // It ended after it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sum)
}

/// CPU time of the calling thread.
fn own_thread_time() -> io::Result<Duration> {
    on_cpu(&fs::read_to_string("/proc/thread-self/schedstat")?)
}

/// The first number of a `schedstat`: nanoseconds on a core.
fn on_cpu(schedstat: &str) -> io::Result<Duration> {
    let nanoseconds = schedstat
        .split(' ')
        .next()
        .and_then(|text| text.parse().ok());
    nanoseconds
        .map(Duration::from_nanos)
        .ok_or_else(|| io::Error::other(format!("schedstat has an unexpected form: {schedstat}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_are_divided_by_their_messages() {
        let measured = Measured {
            latencies: (1..=100).map(Duration::from_micros).collect(),
            messages: 20_000,
            elapsed: Duration::from_millis(100),
            publisher: Duration::from_millis(40),
            subscriber: Duration::from_millis(60),
            broker: Duration::from_millis(20),
            extra: 2,
        };
        let sample = measured.sample(Kind::Nats, Subject::Bare, 3);
        let micros = |time: Duration| time.as_micros();
        assert_eq!((micros(sample.p50), micros(sample.p99)), (50, 99));
        let close = |value: f64, expected: f64| (value - expected).abs() < 1e-6;
        assert!(close(sample.rate, 200_000.0), "{sample:?}");
        assert!(close(sample.cpu.publisher, 2.0), "{sample:?}");
        assert!(close(sample.cpu.subscriber, 3.0), "{sample:?}");
        assert!(close(sample.cpu.broker, 1.0), "{sample:?}");
        assert_eq!((sample.round, sample.extra), (3, 2));
    }

    #[test]
    fn schedstat_is_read_in_nanoseconds() {
        assert_eq!(
            on_cpu("1361222 10500790 5\n").unwrap(),
            Duration::from_nanos(1_361_222)
        );
        assert!(on_cpu("").is_err());
    }
}
