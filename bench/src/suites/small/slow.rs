//! Readers that stop to read: what they cost the others, and what the server keeps for them.

use crate::load::{Board, Dialect};
use crate::peers::Peer;
use crate::suites::rig::{Rig, Server, kib};
use crate::suites::sheet::Options;
use crate::suites::{Figure, Plan, SuiteError};
use crate::table::{percentile, thousands};

/// Events of 4 KiB: past the kernel's buffers and the outbox's 256 KiB.
const TICKS: usize = 100;
const DIALECT: Dialect = Dialect::Autovia(Board::Large);

/// The plan.
pub const PLAN: Plan = Plan {
    name: "slow",
    title: "Slow readers",
    columns: &[
        "p99 ms of the others",
        "p50 ms",
        "server memory KiB/frozen reader",
        "KiB until the newest",
    ],
    floor: "none frozen",
    notes: &[
        "A hundred events of 4 KiB go to all streams of one autovia while some of them read nothing: more than the kernel \
         takes for them (`TCP_NOTSENT_LOWAT`, the reader's own buffer) and the outbox holds (`--outbox-bytes`, 256 KiB).",
        "p99 and p50 are the time until the last of the readers that do read has an event. The target for one frozen \
         reader is at most 1.2 × of none frozen.",
        "Memory is what the server's resident memory has grown by while the events went out; nobody was closed for it \
         before `--outbox-seconds`. The target is at most 256 KiB.",
        "KiB until the newest: one of the frozen readers reads on; so many bytes come, beyond those which its own \
         socket held already, until it has the newest state. The target is at most 64.",
    ],
    peers: &[Peer::Autovia],
    round,
};

fn round(rig: &Rig, options: &Options) -> Result<Vec<Figure>, SuiteError> {
    let streams = options.streams / 5;
    let case = format!("{} streams", thousands(streams.into()));
    let mut figures = Vec::new();
    for (subject, frozen) in [
        ("none frozen", 0),
        ("1 frozen", 1),
        ("half frozen", streams / 2),
    ] {
        let server = rig.start(Peer::Autovia, &[])?;
        let values = frozen_readers(&server, streams, frozen)?;
        figures.push(Figure::new(case.as_str(), subject, &values));
    }
    Ok(figures)
}

fn frozen_readers(server: &Server, streams: u32, frozen: u32) -> Result<[f64; 4], SuiteError> {
    let mut load = server.open(DIALECT, streams)?;
    server.tick(&mut load)?;
    server.told(load.freeze(0..frozen as usize), streams)?;
    let before = server.resident()?;
    let mut elapsed = Vec::new();
    for _ in 0..TICKS {
        elapsed.push(server.tick(&mut load)?);
    }
    let grown = kib(server.resident()?.saturating_sub(before));
    let milliseconds = |percent| {
        percentile(&elapsed, percent)
            .unwrap_or_default()
            .as_secs_f64()
            * 1e3
    };
    let (mut memory, mut newest) = (f64::NAN, f64::NAN);
    if frozen > 0 {
        memory = grown / f64::from(frozen);
        newest = server.told(load.thaw(0), streams)?.map_or(f64::NAN, kib);
    }
    Ok([milliseconds(99), milliseconds(50), memory, newest])
}
