//! The watchdog: a shard whose turns stand still ends the process.
//!
//! It counts its own ticks, not wall time, so a process that was stopped or got no CPU, watchdog
//! and shards alike, is no hang.

use std::sync::Arc;
use std::time::Duration;

use autovia_shards::Board;
use crossbeam_channel::Sender;

use super::StartError;
use super::counters::TURNS;
use super::start::Event;

const TICK: Duration = Duration::from_millis(100);

/// Starts the watchdog's thread.
pub(crate) fn start(
    board: Arc<Board>,
    hang_time: Duration,
    events: Sender<Event>,
) -> Result<(), StartError> {
    let limit = (hang_time.as_millis() / TICK.as_millis()).max(1);
    std::thread::Builder::new()
        .name("watchdog".to_owned())
        .spawn(move || {
            let mut seen: Vec<(u64, u128)> = vec![(0, 0); board.rows()];
            loop {
                std::thread::sleep(TICK);
                for (shard, (turns, still)) in seen.iter_mut().enumerate() {
                    let now = board.get(shard, TURNS);
                    *still = if now == *turns { *still + 1 } else { 0 };
                    *turns = now;
                    if *still >= limit {
                        events.send(Event::ShardHangs(shard, hang_time)).ok();
                        return;
                    }
                }
            }
        })
        .map(drop)
        .map_err(|error| StartError::Machine(format!("no thread for the watchdog: {error}")))
}
