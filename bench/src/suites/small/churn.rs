//! Streams come and go: what each costs, and whether the server keeps anything of those that went.

use super::{TRIO, board, settle};
use crate::load::Board;
use crate::suites::rig::{Rig, each, kib};
use crate::suites::sheet::Options;
use crate::suites::{Figure, Plan, SuiteError};

/// Opened and closed before the count, so that tables have grown.
const WARM_UP: u32 = 2;
const TURNS: u32 = 5;

/// The plan.
pub const PLAN: Plan = Plan {
    name: "churn",
    title: "Streams that open and close",
    columns: &["CPU µs per open and close", "KiB kept per 1,000 streams"],
    floor: "floor-epoll",
    notes: &[
        "Five times a tenth of the streams open and all close at once. With autovia each is a new tab: page, context, \
         stream, disconnect; `--away-seconds 1 --park-seconds 0`, so that contexts go within the run.",
        "Kept is what resident memory has grown by over the five turns, after two that are not counted.",
    ],
    peers: &TRIO,
    round,
};

fn round(rig: &Rig, options: &Options) -> Result<Vec<Figure>, SuiteError> {
    let streams = options.streams / 10;
    let mut figures = Vec::new();
    for peer in TRIO {
        let extra: &[&str] = match peer {
            crate::peers::Peer::Autovia => &[
                "--shards",
                "1",
                "--away-seconds",
                "1",
                "--park-seconds",
                "0",
            ],
            _ => &[],
        };
        let server = rig.start(peer, extra)?;
        let dialect = board(peer, Board::One);
        let turn = || server.open(dialect, streams).map(drop);
        for _ in 0..WARM_UP {
            turn()?;
        }
        settle(&server, dialect)?;
        let (before, memory) = (server.usage()?.1, server.resident()?);
        for _ in 0..TURNS {
            turn()?;
        }
        settle(&server, dialect)?;
        let opened = u64::from(TURNS * streams);
        let micros = server.micros_each(before, opened)?;
        let kept = kib(server.resident()?.saturating_sub(memory));
        let values = [micros, each(kept * 1_000.0, opened)];
        figures.push(Figure::new("open and close", peer.name(), &values));
    }
    Ok(figures)
}
