//! Everybody comes at once: how many streams a server takes in, per second of its CPU.

use std::time::Instant;

use super::{TRIO, board};
use crate::load::Board;
use crate::suites::rig::{Rig, each};
use crate::suites::sheet::Options;
use crate::suites::{Figure, Plan, SuiteError};
use crate::table::thousands;

/// The plan.
pub const PLAN: Plan = Plan {
    name: "storm",
    title: "Connect storm",
    columns: &[
        "CPU µs/stream",
        "streams per CPU second",
        "streams/s by the clock",
    ],
    floor: "floor-epoll",
    notes: &[
        "autovia answers two requests for each stream, the page (which makes a session and a context, and is rendered) \
         and the stream; the others only the stream. The target is 10,000 streams with their pages per second and core.",
        "By the clock the generator takes part: it waits for each answer and speaks for all tabs on one core, with 64 \
         handshakes under way.",
    ],
    peers: &TRIO,
    round,
};

fn round(rig: &Rig, options: &Options) -> Result<Vec<Figure>, SuiteError> {
    let mut figures = Vec::new();
    for peer in TRIO {
        let server = rig.start(peer, &[])?;
        let (before, start) = (server.usage()?.1, Instant::now());
        let load = server.open(board(peer, Board::One), options.streams)?;
        let seconds = start.elapsed().as_secs_f64();
        let micros = server.micros_each(before, options.streams.into())?;
        server.finish(load)?;
        let values = [
            micros,
            1e6 / micros,
            1.0 / each(seconds, options.streams.into()),
        ];
        let case = format!("{} streams", thousands(options.streams.into()));
        figures.push(Figure::new(case, peer.name(), &values));
    }
    Ok(figures)
}
