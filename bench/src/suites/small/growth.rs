//! What an event costs when there are more streams, beside what it costs the floor.

use crate::load::{Board, Dialect};
use crate::peers::Peer;
use crate::suites::rig::{Delivered, Rig};
use crate::suites::sheet::Options;
use crate::suites::{Figure, Plan, SuiteError};
use crate::table::thousands;

const FEW: u32 = 1_000;
/// One descriptor table takes so many beside all else.
const MANY: u32 = 15_000;
const EVENTS: u64 = 150_000;

/// The plan.
pub const PLAN: Plan = Plan {
    name: "growth",
    title: "Cost by growth",
    columns: &[
        "CPU µs/event",
        "user µs/event",
        "last stream p50 ms",
        "p99 ms",
    ],
    floor: "floor-epoll",
    notes: &[
        "The last case is the cost at 15,000 streams divided by that at 1,000, in the same round; its `× floor-epoll` \
         is the growth beside the floor's own, which the kernel's caches cause. The target is at most 1.05.",
        "Two shards share the server's one core here, so they show what sharing costs and not what a second core gives.",
        "15,000 streams are what one descriptor table of this machine takes; the hold suite goes beyond.",
    ],
    peers: &[Peer::FloorEpoll, Peer::Autovia],
    round,
};

fn round(rig: &Rig, options: &Options) -> Result<Vec<Figure>, SuiteError> {
    let many = MANY.min(options.streams.max(FEW) * 3 / 2);
    let subjects: [(&str, Peer, &[&str], Dialect); 3] = [
        ("floor-epoll", Peer::FloorEpoll, &[], Dialect::Plain),
        (
            "autovia, 1 shard",
            Peer::Autovia,
            &[],
            Dialect::Autovia(Board::One),
        ),
        (
            "autovia, 2 shards",
            Peer::Autovia,
            &["--shards", "2"],
            Dialect::Autovia(Board::One),
        ),
    ];
    let (mut few, mut full, mut growth) = (Vec::new(), Vec::new(), Vec::new());
    let ratio = format!("{} / {}", thousands(many.into()), thousands(FEW.into()));
    for (name, peer, extra, dialect) in subjects {
        let small = rig.fanout(peer, extra, dialect, FEW, EVENTS)?;
        let large = rig.fanout(peer, extra, dialect, many, EVENTS)?;
        few.push(figure(&thousands(FEW.into()), name, small));
        full.push(figure(&thousands(many.into()), name, large));
        let none = f64::NAN;
        growth.push(Figure::new(
            ratio.as_str(),
            name,
            &[large.cpu / small.cpu, none, none, none],
        ));
    }
    Ok([few, full, growth].concat())
}

fn figure(case: &str, subject: &str, it: Delivered) -> Figure {
    let values = [it.cpu, it.user, it.last_p50, it.last_p99];
    Figure::new(case, subject, &values)
}
