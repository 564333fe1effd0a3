//! The bench's own bench: programs that are built, cores that are chosen, a server that is measured while it runs.
//!
//! Invariant: `ksoftirqd` of the server's core is in every CPU figure, or a server that batches would look cheaper
//! than it is.

use std::time::Duration;

use super::SuiteError;
use crate::cpu::{self, Usage};
use crate::load::{Audience, Dialect, Load, LoadError, Report};
use crate::peers::{Peer, Programs, Running};
use crate::table::percentile;

/// A tick that has not reached everybody by then has lost events.
pub const TICK_LIMIT: Duration = Duration::from_secs(10);
/// Ticks before a measurement starts.
const WARM_UP_TICKS: u64 = 3;
/// Fewer ticks say nothing about a percentile.
const TICKS_MIN: u64 = 10;

/// Programs and cores.
pub struct Rig {
    programs: Programs,
    server_core: Option<usize>,
}

/// What one fan-out has cost.
#[derive(Debug, Clone, Copy)]
pub struct Delivered {
    /// Server CPU per delivered event, µs.
    pub cpu: f64,
    /// Of it in user space.
    pub user: f64,
    /// Until the last stream had it, ms, middle tick.
    pub last_p50: f64,
    /// The same, 99th percentile.
    pub last_p99: f64,
}

impl Rig {
    /// Builds the programs and pins this process, the generator, to its core.
    pub fn build(peers: &[Peer]) -> Result<Rig, SuiteError> {
        let programs =
            Programs::beside_this(None).map_err(SuiteError::system("finding this program"))?;
        programs.build(peers)?;
        let cores = cpu::own_cores().map_err(SuiteError::system("choosing cores"))?;
        let server_core = match cores[..] {
            [server, load, ..] => {
                cpu::pin_this_thread(load).map_err(SuiteError::system("pinning the generator"))?;
                Some(server)
            }
            _ => None,
        };
        Ok(Rig {
            programs,
            server_core,
        })
    }

    /// Who runs where, for the report.
    pub fn pinning(&self) -> String {
        match self.server_core {
            Some(core) => format!("server on core {core}, generator on another"),
            None => "server and generator share the only core".to_owned(),
        }
    }

    /// Starts a server; `extra` are further arguments, for autovia instead of `--shards 1`.
    pub fn start(&self, peer: Peer, extra: &[&str]) -> Result<Server, SuiteError> {
        let running = self.programs.start_with(peer, self.server_core, extra)?;
        Ok(Server {
            peer,
            running,
            softirq: self.server_core.and_then(cpu::ksoftirqd),
        })
    }

    /// Delivers some `events` events to `streams` streams.
    pub fn fanout(
        &self,
        peer: Peer,
        extra: &[&str],
        dialect: Dialect,
        streams: u32,
        events: u64,
    ) -> Result<Delivered, SuiteError> {
        let server = self.start(peer, extra)?;
        let mut load = server.open(dialect, streams)?;
        let delivered = server.ticks(&mut load, (events / u64::from(streams)).max(TICKS_MIN))?;
        server.finish(load)?;
        Ok(delivered)
    }
}

/// A running server.
pub struct Server {
    peer: Peer,
    running: Running,
    softirq: Option<u32>,
}

impl Server {
    /// Where it listens.
    pub fn address(&self) -> std::net::SocketAddr {
        self.running.address()
    }

    /// CPU so far: its own, and with ksoftirqd's.
    pub fn usage(&self) -> Result<(Usage, Duration), SuiteError> {
        let read = || {
            let own = cpu::usage(self.running.pid())?;
            let softirq = self.softirq.map_or(Ok(Usage::default()), cpu::usage)?;
            Ok((own, own.total() + softirq.total()))
        };
        read().map_err(SuiteError::system("reading CPU times"))
    }

    /// CPU since `earlier`, in µs for each of `count` things.
    pub fn micros_each(&self, earlier: Duration, count: u64) -> Result<f64, SuiteError> {
        let used = self.usage()?.1.saturating_sub(earlier);
        Ok(each(used.as_secs_f64() * 1e6, count))
    }

    /// Resident bytes.
    pub fn resident(&self) -> Result<u64, SuiteError> {
        cpu::resident_bytes(self.running.pid())
            .map_err(SuiteError::system("reading the server's memory"))
    }

    /// Opens streams.
    pub fn open(&self, dialect: Dialect, streams: u32) -> Result<Load, SuiteError> {
        self.told(
            Load::open(self.running.address(), dialect, streams as usize),
            streams,
        )
    }

    /// Makes ticks and measures them.
    pub fn ticks(&self, load: &mut impl Audience, ticks: u64) -> Result<Delivered, SuiteError> {
        for _ in 0..WARM_UP_TICKS {
            self.tick(load)?;
        }
        let (before, all_before) = self.usage()?;
        let mut elapsed = Vec::new();
        let mut events = 0;
        for _ in 0..ticks {
            elapsed.push(self.tick(load)?);
            events += load.reached() as u64;
        }
        let (after, all_after) = self.usage()?;
        let micros = |time: Duration| each(time.as_secs_f64() * 1e6, events);
        let milliseconds = |percent| {
            percentile(&elapsed, percent)
                .unwrap_or_default()
                .as_secs_f64()
                * 1e3
        };
        Ok(Delivered {
            cpu: micros(all_after.saturating_sub(all_before)),
            user: micros(after.since(before).user),
            last_p50: milliseconds(50),
            last_p99: milliseconds(99),
        })
    }

    /// One tick that has to reach all.
    pub fn tick(&self, load: &mut impl Audience) -> Result<Duration, SuiteError> {
        let tick = load.tick(TICK_LIMIT);
        let tick = self.told(tick, 0)?;
        if tick.complete {
            Ok(tick.elapsed)
        } else {
            Err(SuiteError::EventsMissing)
        }
    }

    /// Ends the server and closes the books; an error where anything was lost, doubled or closed.
    pub fn finish(self, load: impl Audience) -> Result<(), SuiteError> {
        let (peer, _) = (self.peer, self.running.kill());
        let report = load.finish().map_err(|source| failed(peer, 0, source))?;
        clean(peer, report)
    }

    /// The same with a server that lives on and streams that left it.
    pub fn clean(&self, report: Report) -> Result<(), SuiteError> {
        clean(self.peer, report)
    }

    /// A failure of the load, told with the server's name.
    pub fn told<T>(&self, result: Result<T, LoadError>, streams: u32) -> Result<T, SuiteError> {
        result.map_err(|source| failed(self.peer, streams as usize, source))
    }
}

/// An error where anything was lost, doubled or closed.
fn clean(peer: Peer, report: Report) -> Result<(), SuiteError> {
    if report.is_clean() {
        Ok(())
    } else {
        let report = Report {
            unnumbered: 0,
            ..report
        };
        Err(SuiteError::Unclean {
            server: peer.name(),
            report,
        })
    }
}

fn failed(peer: Peer, streams: usize, source: LoadError) -> SuiteError {
    SuiteError::Load {
        server: peer.name(),
        streams,
        source,
    }
}

/// `total` for each of `count`.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
pub fn each(total: f64, count: u64) -> f64 {
    total / count as f64
}

/// A number of bytes as KiB.
#[expect(clippy::cast_precision_loss, reason = "memory of one machine")]
pub fn kib(bytes: u64) -> f64 {
    bytes as f64 / 1024.0
}
