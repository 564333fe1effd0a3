//! All at once: events, tabs that hide and show, tabs that come and go.

use super::{TRIO, board};
use crate::load::Board;
use crate::suites::rig::{Rig, each};
use crate::suites::sheet::Options;
use crate::suites::{Figure, Plan, SuiteError};
use crate::table::{percentile, thousands};

const STEPS: usize = 20;
/// New tabs in each step, which leave again.
const VISITORS: u32 = 20;
const EVENTS_A_STEP: usize = 3;

/// The plan.
pub const PLAN: Plan = Plan {
    name: "mixed",
    title: "A mixed load",
    columns: &["CPU µs/event, all in", "last stream p50 ms", "p99 ms"],
    floor: "floor-epoll",
    notes: &[
        "Twenty steps: 1 % of the tabs hide, 20 visitors open a page and its stream, three events go to everybody, the \
         hidden tabs come back, the visitors leave. All CPU of the server is divided by the events of those who stay.",
    ],
    peers: &TRIO,
    round,
};

fn round(rig: &Rig, options: &Options) -> Result<Vec<Figure>, SuiteError> {
    let streams = options.streams / 2;
    let group = (streams / 100) as usize;
    let mut figures = Vec::new();
    for peer in TRIO {
        let server = rig.start(peer, &[])?;
        let mut load = server.open(board(peer, Board::One), streams)?;
        server.tick(&mut load)?;
        let before = server.usage()?.1;
        let (mut elapsed, mut events) = (Vec::new(), 0);
        for step in 0..STEPS {
            let range = step * group..(step + 1) * group;
            server.told(load.hide(range.clone()), streams)?;
            let visitors = server.open(board(peer, Board::One), VISITORS)?;
            for _ in 0..EVENTS_A_STEP {
                elapsed.push(server.tick(&mut load)?);
                events += load.reached() as u64;
            }
            server.told(load.show(range), streams)?;
            drop(visitors);
        }
        let used = server.usage()?.1.saturating_sub(before);
        server.finish(load)?;
        let milliseconds = |percent| {
            percentile(&elapsed, percent)
                .unwrap_or_default()
                .as_secs_f64()
                * 1e3
        };
        let values = [
            each(used.as_secs_f64() * 1e6, events),
            milliseconds(50),
            milliseconds(99),
        ];
        let case = format!("{} streams", thousands(streams.into()));
        figures.push(Figure::new(case, peer.name(), &values));
    }
    Ok(figures)
}
