//! The watchdog: a shard whose turns stand still ends the process. It also sees when a peak is over, and gives
//! memory back then.
//!
//! It counts its own ticks, not wall time, so a process that was stopped or got no CPU, watchdog
//! and shards alike, is no hang. Nor is a thread that was runnable all the time and got no processor:
//! the kernel counts how long a thread has waited for one (`schedstat`).

use std::sync::Arc;
use std::time::Duration;

use autovia_shards::Board;
use crossbeam_channel::Sender;

use super::StartError;
use super::counters::{CONTEXTS, THREAD, TURNS, link};
use super::start::Event;
use crate::runtime::memory::give_back;

const TICK: Duration = Duration::from_millis(100);

/// Ticks that the link shard may stand still: nothing that it does blocks.
const LINK_TICKS: u128 = 20;

/// Ticks between two looks at how many pages there are.
const PEAK_TICKS: u64 = 10;

/// Pages whose memory is worth a look through all of it when they have gone.
const PEAK_MIN: u64 = 4096;

/// The most pages since memory was given back last.
#[derive(Default)]
struct Peak {
    highest: u64,
    last: u64,
}

impl Peak {
    /// Whether at least half of them have gone, and no more are going.
    fn is_over(&mut self, pages: u64) -> bool {
        self.highest = self.highest.max(pages);
        let rests = pages >= std::mem::replace(&mut self.last, pages);
        let over = rests && self.highest >= PEAK_MIN && pages <= self.highest / 2;
        if over {
            self.highest = pages;
        }
        over
    }
}

/// How long a row of a board stands still.
#[derive(Default)]
struct Watched {
    turns: u64,
    still: u128,
    /// What its thread had waited for a processor when it was first seen to stand still.
    waited: Duration,
}

impl Watched {
    /// Looks again: whether it has not moved for `limit` ticks, though it could.
    fn hangs(&mut self, turns: u64, limit: u128, waited: impl Fn() -> Option<Duration>) -> bool {
        if turns != self.turns {
            self.turns = turns;
            self.still = 0;
            return false;
        }
        self.still += 1;
        if self.still == 1 {
            self.waited = waited().unwrap_or_default();
        }
        if self.still < limit {
            return false;
        }
        let now = waited().unwrap_or_default();
        let starved =
            now.saturating_sub(self.waited) * 2 >= TICK * u32::try_from(limit).unwrap_or(u32::MAX);
        if starved {
            // The count begins anew: a thread that hangs waits for no processor.
            self.still = 0;
        }
        !starved
    }
}

/// How long a thread of this process has been runnable without a processor since its start.
fn waited(thread: u64) -> Option<Duration> {
    let path = format!("/proc/self/task/{thread}/schedstat");
    let text = std::fs::read_to_string(path).ok()?;
    let nanoseconds = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

/// Starts the watchdog's thread.
pub(crate) fn start(
    board: Arc<Board>,
    link: Option<Arc<Board>>,
    hang_time: Duration,
    events: Sender<Event>,
) -> Result<(), StartError> {
    let limit = (hang_time.as_millis() / TICK.as_millis()).max(1);
    std::thread::Builder::new()
        .name("watchdog".to_owned())
        .spawn(move || {
            let mut seen: Vec<Watched> = (0..board.rows()).map(|_| Watched::default()).collect();
            let mut link_seen = Watched::default();
            let mut peak = Peak::default();
            for tick in 1_u64.. {
                std::thread::sleep(TICK);
                if tick.is_multiple_of(PEAK_TICKS) {
                    let pages = (0..board.rows()).map(|shard| board.get(shard, CONTEXTS));
                    if peak.is_over(pages.sum()) {
                        give_back();
                    }
                }
                for (shard, row) in seen.iter_mut().enumerate() {
                    let thread = || waited(board.get(shard, THREAD));
                    if row.hangs(board.get(shard, TURNS), limit, thread) {
                        events.send(Event::ShardHangs(shard, hang_time)).ok();
                        return;
                    }
                }
                if let Some(link) = &link
                    && link_seen.hangs(link.get(0, link::TURNS), LINK_TICKS, || {
                        waited(link.get(0, link::THREAD))
                    })
                {
                    events.send(Event::LinkHangs).ok();
                    return;
                }
            }
        })
        .map(drop)
        .map_err(|error| StartError::Machine(format!("no thread for the watchdog: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ticks until a row that stands still is taken for hanging, of at most a hundred.
    fn ticks_until_hanging(waits_per_tick: Duration) -> Option<u32> {
        let mut row = Watched::default();
        (1..=100).find(|tick| row.hangs(0, 10, || Some(waits_per_tick * *tick)))
    }

    #[test]
    fn what_stands_still_hangs_unless_it_waits_for_a_processor() {
        assert_eq!(ticks_until_hanging(Duration::ZERO), Some(10));
        assert_eq!(ticks_until_hanging(TICK / 4), Some(10));
        assert_eq!(ticks_until_hanging(TICK), None);
    }

    #[test]
    fn a_peak_is_over_once_when_half_has_gone_and_the_rest_stays() {
        let mut peak = Peak::default();
        let over: Vec<u64> = [
            0, 5000, 3000, 2000, 1000, 1000, 1000, 900, 900, 8000, 4001, 4001, 4000, 4000,
        ]
        .into_iter()
        .filter(|pages| peak.is_over(*pages))
        .collect();
        assert_eq!(over, [1000, 4000]);
    }

    #[test]
    fn few_pages_are_no_peak() {
        let mut peak = Peak::default();
        assert!(
            ![0, 4000, 0, 0, 0]
                .into_iter()
                .any(|pages| peak.is_over(pages))
        );
    }

    #[test]
    fn what_moves_does_not_hang() {
        let mut row = Watched::default();
        for turns in 0..100 {
            assert!(!row.hangs(turns / 5, 10, || None));
        }
    }

    #[test]
    fn the_kernel_tells_how_long_this_thread_waited() {
        let thread = rustix::thread::gettid().as_raw_nonzero().get();
        assert!(waited(u64::try_from(thread).unwrap()).is_some());
    }
}
