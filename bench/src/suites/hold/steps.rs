//! One round, step by step.

use std::time::{Duration, Instant};

use super::{Held, Options, Round, Size};
use crate::cpu;
use crate::load::{Board, Crowd, Dialect};
use crate::peers::Peer;
use crate::suites::rig::{Rig, Server, each, kib};
use crate::suites::{SuiteError, metrics};
use crate::table::thousands;

const DIALECT: Dialect = Dialect::Autovia(Board::One);
/// Events for each stream at each size, those for warming up not counted.
const TICKS: u64 = 5;
/// The server's default.
const HEARTBEAT: Duration = Duration::from_secs(45);
/// Of the tabs, one in so many goes and another comes.
const CHANGES: u32 = 20;
/// By then all pages have to be gone that no tab looks at.
const GONE_LIMIT: Duration = Duration::from_secs(60);
/// The server sees within two seconds that a peak is over, and then gives memory back.
const GIVE_BACK_TIME: Duration = Duration::from_secs(4);
const POLL: Duration = Duration::from_millis(100);

type Say<'a> = &'a mut dyn FnMut(String);

pub(super) fn round(rig: &Rig, options: &Options, say: Say<'_>) -> Result<Round, SuiteError> {
    let without = quiet(rig, options, say)?;
    let server = start(
        rig,
        options,
        &["--away-seconds", "5", "--park-seconds", "0"],
    )?;
    let before = memory(&server)?;
    let mut crowd = server.told(
        Crowd::connect(server.address(), DIALECT, options.threads()),
        options.streams,
    )?;
    let mut sizes: Vec<Size> = Vec::new();
    for streams in options.sizes() {
        let open = sizes.last().map_or(0, |size| size.streams);
        let size = grow(&server, &mut crowd, open, streams, before)?;
        say(format!(
            "{} streams: {:.0} µs to open, {:.0} + {:.0} B each, {:.1} µs/event, last stream {:.0} ms",
            thousands(streams.into()),
            size.cpu_to_open,
            size.user_after_events,
            size.kernel,
            size.cpu_per_event,
            size.last
        ));
        sizes.push(size);
    }
    let with_heartbeats = rest(&server, &crowd, HEARTBEAT)?;
    say(format!(
        "at rest: {with_heartbeats:.2} % of a core with heartbeats, {without:.2} % without"
    ));
    let full = kib(server.resident()?) / 1024.0;
    let changes = options.streams / CHANGES;
    let start = server.usage()?.1;
    server.told(crowd.replace(changes as usize), options.streams)?;
    let cpu_per_change = server.micros_each(start, changes.into())?;
    server.tick(&mut crowd)?;
    let report = server.told(crowd.leave(), options.streams)?;
    server.clean(report)?;
    wait_for_gone(&server)?;
    std::thread::sleep(GIVE_BACK_TIME);
    let left = kib(server.resident()?) / 1024.0;
    say(format!(
        "{cpu_per_change:.0} µs per tab that goes and one that comes; {full:.0} MiB full, {left:.0} MiB after all have left"
    ));
    let held = Held {
        with_heartbeats,
        without,
        cpu_per_change,
        empty: kib(before[0]) / 1024.0,
        full,
        left,
    };
    Ok(Round { sizes, held })
}

/// Percent of a core that streams cost which are sent nothing at all.
fn quiet(rig: &Rig, options: &Options, say: Say<'_>) -> Result<f64, SuiteError> {
    let server = start(rig, options, &["--heartbeat-seconds", "0"])?;
    let mut crowd = server.told(
        Crowd::connect(server.address(), DIALECT, options.threads()),
        options.streams,
    )?;
    server.told(crowd.grow(options.streams as usize), options.streams)?;
    say(format!(
        "{} streams are open",
        thousands(options.streams.into())
    ));
    let percent = rest(&server, &crowd, options.rest())?;
    server.tick(&mut crowd)?;
    server.finish(crowd)?;
    Ok(percent)
}

fn start(rig: &Rig, options: &Options, extra: &[&str]) -> Result<Server, SuiteError> {
    let shards = options.shards.to_string();
    let mut all = vec!["--shards", &shards];
    all.extend(extra);
    rig.start(Peer::Autovia, &all)
}

fn grow(
    server: &Server,
    crowd: &mut Crowd,
    open: u32,
    streams: u32,
    before: [u64; 2],
) -> Result<Size, SuiteError> {
    let (cpu, start) = (server.usage()?.1, Instant::now());
    let more = streams - open;
    server.told(crowd.grow(more as usize), streams)?;
    let seconds = start.elapsed().as_secs_f64();
    let cpu_to_open = server.micros_each(cpu, more.into())?;
    let grown =
        |now: u64, before: u64| each(kib(now.saturating_sub(before)) * 1024.0, streams.into());
    let user = grown(server.resident()?, before[0]);
    let delivered = server.ticks(crowd, TICKS)?;
    let after = memory(server)?;
    Ok(Size {
        streams,
        cpu_to_open,
        opened_per_second: 1.0 / each(seconds, more.into()),
        user,
        user_after_events: grown(after[0], before[0]),
        kernel: grown(after[1], before[1]),
        cpu_per_event: delivered.cpu,
        last: delivered.last_p50,
        shares: shares(server)?,
    })
}

/// Percent of a core that the server takes while nothing happens for `time`.
fn rest(server: &Server, crowd: &Crowd, time: Duration) -> Result<f64, SuiteError> {
    let (before, start) = (server.usage()?.1, Instant::now());
    server.told(crowd.listen(start + time), 0)?;
    let used = server.usage()?.1.saturating_sub(before);
    Ok(used.as_secs_f64() / start.elapsed().as_secs_f64() * 100.0)
}

/// Streams of the emptiest and the fullest shard, in percent of an even share.
fn shares(server: &Server) -> Result<[f64; 2], SuiteError> {
    let streams = counted(server, "autovia_streams")?;
    let all: u64 = streams.iter().sum();
    let of_even = |own: Option<&u64>| {
        let own = u32::try_from(own.copied().unwrap_or(0) * streams.len() as u64);
        each(f64::from(own.unwrap_or(u32::MAX)) * 100.0, all)
    };
    Ok([of_even(streams.iter().min()), of_even(streams.iter().max())])
}

fn wait_for_gone(server: &Server) -> Result<(), SuiteError> {
    let start = Instant::now();
    loop {
        let pages: u64 = counted(server, "autovia_pages")?.iter().sum();
        if pages == 0 {
            return Ok(());
        }
        if start.elapsed() > GONE_LIMIT {
            let text = format!("{pages} are still there after {GONE_LIMIT:?}");
            let error = std::io::Error::new(std::io::ErrorKind::TimedOut, text);
            return Err(SuiteError::system("waiting until all pages are gone")(
                error,
            ));
        }
        std::thread::sleep(POLL);
    }
}

fn counted(server: &Server, name: &str) -> Result<Vec<u64>, SuiteError> {
    metrics::per_shard(server.address(), name).map_err(SuiteError::system("asking for /_metrics"))
}

/// Resident memory of the server, and the kernel's of all sockets.
fn memory(server: &Server) -> Result<[u64; 2], SuiteError> {
    let kernel = cpu::socket_bytes().map_err(SuiteError::system("reading the kernel's memory"))?;
    Ok([server.resident()?, kernel])
}
