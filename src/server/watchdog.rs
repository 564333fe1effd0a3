//! The watchdog: a shard whose turns stand still ends the process.
//!
//! It counts its own ticks, not wall time, so a process that was stopped or got no CPU, watchdog
//! and shards alike, is no hang.

use std::sync::Arc;
use std::time::Duration;

use autovia_shards::Board;
use crossbeam_channel::Sender;

use super::StartError;
use super::counters::{TURNS, link};
use super::start::Event;

const TICK: Duration = Duration::from_millis(100);

/// Ticks that the link shard may stand still: nothing that it does blocks.
const LINK_TICKS: u128 = 20;

/// How long a row of a board stands still.
struct Watched {
    turns: u64,
    still: u128,
}

impl Watched {
    /// Looks again; the ticks that it has not moved.
    fn look(&mut self, turns: u64) -> u128 {
        self.still = if turns == self.turns {
            self.still + 1
        } else {
            0
        };
        self.turns = turns;
        self.still
    }
}

/// Starts the watchdog's thread.
pub(crate) fn start(
    board: Arc<Board>,
    link: Option<Arc<Board>>,
    hang_time: Duration,
    events: Sender<Event>,
) -> Result<(), StartError> {
    let limit = (hang_time.as_millis() / TICK.as_millis()).max(1);
    let watched = || Watched { turns: 0, still: 0 };
    std::thread::Builder::new()
        .name("watchdog".to_owned())
        .spawn(move || {
            let mut seen: Vec<Watched> = (0..board.rows()).map(|_| watched()).collect();
            let mut link_seen = watched();
            loop {
                std::thread::sleep(TICK);
                for (shard, row) in seen.iter_mut().enumerate() {
                    if row.look(board.get(shard, TURNS)) >= limit {
                        events.send(Event::ShardHangs(shard, hang_time)).ok();
                        return;
                    }
                }
                if let Some(link) = &link
                    && link_seen.look(link.get(0, link::TURNS)) >= LINK_TICKS
                {
                    events.send(Event::LinkHangs).ok();
                    return;
                }
            }
        })
        .map(drop)
        .map_err(|error| StartError::Machine(format!("no thread for the watchdog: {error}")))
}
