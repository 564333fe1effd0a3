//! Fan-out in other shapes than one scope: many scopes, few of them stale, a rendering for each viewer.

use crate::load::{Board, Dialect};
use crate::peers::Peer;
use crate::suites::rig::{Delivered, Rig};
use crate::suites::sheet::Options;
use crate::suites::{Figure, Plan, SuiteError};

/// Viewers of one room.
const ROOM: u32 = 100;
/// One of so many scopes is stale.
const SPARSE: u32 = 1_000;
const EVENTS: u64 = 100_000;
/// Sparse ticks: each reaches few, so it takes many to say something. `Rig::fanout` counts a tick as an event for all.
const TICKS_SPARSE: u64 = 300;

/// The plan.
pub const PLAN: Plan = Plan {
    name: "variants",
    title: "Fan-out to many scopes and to many renderings",
    columns: &[
        "CPU µs/event",
        "user µs/event",
        "last stream p50 ms",
        "p99 ms",
    ],
    floor: "floor-epoll",
    notes: &[
        "CPU has `ksoftirqd` of the server's core in it. The floor sends the same bytes to all streams, whatever the case.",
        "Rooms of 100: a tick makes every room stale, one rendering for each room.",
        "1 in 1,000 stale: each tick is for one room of 1,000; the rest must cost nothing. So few streams share a click's \
         request that most of the figure is the request. There is no floor for it.",
        "Own rendering: no two viewers see the same, so nothing is shared but the scope. `format!` is the floor of what a view \
         can cost; a template is a precompiled one of minijinja.",
    ],
    peers: &[Peer::FloorEpoll, Peer::Autovia],
    round,
};

fn round(rig: &Rig, options: &Options) -> Result<Vec<Figure>, SuiteError> {
    let streams = options.streams;
    let floor = rig.fanout(Peer::FloorEpoll, &[], Dialect::Plain, streams, EVENTS)?;
    let mut figures = Vec::new();
    let cases = [
        ("one scope", Board::One),
        ("rooms of 100", Board::Rooms(streams / ROOM)),
        ("own rendering for each, `format!`", Board::Own),
        ("own rendering for each, maud", Board::OwnByMaud),
        ("own rendering for each, template", Board::OwnByTemplate),
    ];
    for (case, board) in cases {
        let own = rig.fanout(Peer::Autovia, &[], Dialect::Autovia(board), streams, EVENTS)?;
        figures.push(figure(case, Peer::FloorEpoll, floor));
        figures.push(figure(case, Peer::Autovia, own));
    }
    let sparse = Dialect::Autovia(Board::Sparse(SPARSE));
    let events = TICKS_SPARSE * u64::from(streams);
    let own = rig.fanout(Peer::Autovia, &[], sparse, streams, events)?;
    figures.push(figure("1 in 1,000 stale", Peer::Autovia, own));
    Ok(figures)
}

fn figure(case: &str, peer: Peer, it: Delivered) -> Figure {
    let values = [it.cpu, it.user, it.last_p50, it.last_p99];
    Figure::new(case, peer.name(), &values)
}
