//! How long to wait between two attempts: 1 s, 2 s, 4 s, … 30 s, each longer by chance, from the start
//! again after a link that stayed up.

use std::time::Duration;

/// The first pause between two attempts, and the longest; each is twice the one before.
const MIN: Duration = Duration::from_secs(1);
const MAX: Duration = Duration::from_secs(30);

/// A link that stayed up for so long starts the pauses anew.
const STABLE_TIME: Duration = Duration::from_secs(10);

/// Pauses vary by up to a quarter, so that nodes don't come back all at once.
pub(super) const JITTER_PERCENT: u32 = 25;

#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub const fn new() -> Self {
        Self { next: MIN }
    }

    /// The pause before the next attempt; `jitter` is 0 to [`JITTER_PERCENT`].
    pub fn pause(&mut self, jitter: u32) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(MAX);
        pause + pause * jitter.min(JITTER_PERCENT) / 100
    }

    /// A link has ended on which messages came back, `up` after it was opened.
    pub fn was_connected(&mut self, up: Duration) {
        if up >= STABLE_TIME {
            self.next = MIN;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(backoff: &mut Backoff, count: usize) -> Vec<u64> {
        (0..count).map(|_| backoff.pause(0).as_secs()).collect()
    }

    #[test]
    fn pauses_double_up_to_half_a_minute_for_ever() {
        let mut backoff = Backoff::new();
        assert_eq!(seconds(&mut backoff, 9), [1, 2, 4, 8, 16, 30, 30, 30, 30]);
        assert!((0..1_000_000).all(|_| backoff.pause(0) == MAX));
    }

    #[test]
    fn chance_makes_a_pause_longer_by_a_quarter_at_most() {
        for attempt in 0..9 {
            let mut backoff = Backoff::new();
            for _ in 0..attempt {
                backoff.pause(0);
            }
            let pauses =
                [0, 1, JITTER_PERCENT, u32::MAX].map(|jitter| backoff.clone().pause(jitter));
            assert!(pauses.is_sorted() && pauses[0] < pauses[1], "{pauses:?}");
            assert_eq!(pauses[2], pauses[0] * 5 / 4);
            assert_eq!(pauses[3], pauses[2]);
        }
    }

    #[test]
    fn a_link_that_stayed_up_starts_anew_and_one_that_flutters_does_not() {
        let mut backoff = Backoff::new();
        seconds(&mut backoff, 4);
        backoff.was_connected(STABLE_TIME - Duration::from_nanos(1));
        assert_eq!(seconds(&mut backoff, 1), [16]);
        backoff.was_connected(STABLE_TIME);
        assert_eq!(seconds(&mut backoff, 3), [1, 2, 4]);
    }
}
