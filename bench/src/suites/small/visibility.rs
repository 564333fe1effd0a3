//! Tabs that hide and come back, while the others are served.

use super::{TRIO, board};
use crate::load::Board;
use crate::suites::rig::Rig;
use crate::suites::sheet::Options;
use crate::suites::{Figure, Plan, SuiteError};
use crate::table::{percentile, thousands};

/// Steps of a simulated minute: in each, a hundredth of the tabs hide, one event goes out, they come back.
const STEPS: usize = 20;

/// The plan.
pub const PLAN: Plan = Plan {
    name: "visibility",
    title: "A fifth of the tabs hide and show",
    columns: &["CPU µs per hide and show", "last stream p50 ms", "p99 ms"],
    floor: "floor-epoll",
    notes: &[
        "A minute in which 20 % of the tabs hide and show, run without its pauses: twenty steps, in each of which 1 % \
         of the streams end, an event goes to the others, and the hidden ones come back; then another event \
         reaches all. With autovia a tab resumes its context, with the others it is a new stream.",
        "`last stream` is that of the event that reaches all after the tabs came back. None was lost, doubled or out of \
         order, or the suite would have failed; a tab that comes back may begin with the newest event.",
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
        let mut moved = 0.0;
        let mut elapsed = Vec::new();
        for step in 0..STEPS {
            let range = step * group..(step + 1) * group;
            let before = server.usage()?.1;
            server.told(load.hide(range.clone()), streams)?;
            moved += server.micros_each(before, 1)?;
            server.tick(&mut load)?;
            let before = server.usage()?.1;
            server.told(load.show(range), streams)?;
            moved += server.micros_each(before, 1)?;
            elapsed.push(server.tick(&mut load)?);
        }
        server.finish(load)?;
        let milliseconds = |percent| {
            percentile(&elapsed, percent)
                .unwrap_or_default()
                .as_secs_f64()
                * 1e3
        };
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        let each = moved / (STEPS * group) as f64;
        let values = [each, milliseconds(50), milliseconds(99)];
        let case = format!("{} streams", thousands(streams.into()));
        figures.push(Figure::new(case, peer.name(), &values));
    }
    Ok(figures)
}
