//! One click, one effect: the keys that a page's clicks carried, and how each ended.
//!
//! A page numbers its clicks upward, so the highest number and a window below it are enough:
//! 32 bytes per context.

/// Keys that are remembered below the highest.
pub const CLICK_WINDOW: u64 = 64;

/// How a finished click ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Done,
    WrongType,
    Failed,
}

impl Ended {
    const ALL: [Self; 3] = [Self::Done, Self::WrongType, Self::Failed];
}

/// What a key means when it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Never seen: run it.
    New,
    /// Seen, and not finished.
    Running,
    /// Seen and finished so.
    Finished(Ended),
    /// Below the window: nothing is known about it.
    TooOld,
}

/// The window of one context.
#[derive(Clone, Copy, Default)]
pub(crate) struct Clicks {
    highest: u64,
    /// Bit `i`: the key `highest - i` was seen.
    seen: u64,
    /// Two bits per key, in the order of `seen`: 0 is running, else `Ended` + 1.
    outcomes: u128,
}

impl Clicks {
    /// Looks a key up; nothing changes by it.
    pub fn look(&self, key: u64) -> Arrival {
        if self.seen == 0 || key > self.highest {
            return Arrival::New;
        }
        let back = self.highest - key;
        if back >= CLICK_WINDOW {
            return Arrival::TooOld;
        }
        if self.seen >> back & 1 == 0 {
            return Arrival::New;
        }
        match (self.outcomes >> (2 * back) & 3) as usize {
            0 => Arrival::Running,
            ended => Arrival::Finished(Ended::ALL[ended - 1]),
        }
    }

    /// A new key runs from now on. Only this moves the window: a click that is refused does not
    /// push out those that were taken.
    pub fn start(&mut self, key: u64) {
        debug_assert_eq!(self.look(key), Arrival::New);
        if self.seen == 0 {
            (self.highest, self.seen, self.outcomes) = (key, 1, 0);
            return;
        }
        if key > self.highest {
            let step = key - self.highest;
            (self.seen, self.outcomes) = if step >= CLICK_WINDOW {
                (0, 0)
            } else {
                (self.seen << step, self.outcomes << (2 * step))
            };
            self.highest = key;
        }
        self.seen |= 1 << (self.highest - key);
    }

    /// Records how a running key ended.
    pub fn finish(&mut self, key: u64, ended: Ended) {
        self.set(key, ended as u128 + 1);
    }

    fn set(&mut self, key: u64, value: u128) {
        let back = self.highest.wrapping_sub(key);
        if back < CLICK_WINDOW {
            self.outcomes = self.outcomes & !(3 << (2 * back)) | value << (2 * back);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Clicks {
        /// Looks a key up, and starts a new one.
        fn arrive(&mut self, key: u64) -> Arrival {
            let arrival = self.look(key);
            if arrival == Arrival::New {
                self.start(key);
            }
            arrival
        }
    }

    #[test]
    fn each_key_runs_once() {
        let mut clicks = Clicks::default();
        assert_eq!(clicks.arrive(1), Arrival::New);
        assert_eq!(clicks.arrive(1), Arrival::Running);
        clicks.finish(1, Ended::Failed);
        assert_eq!(clicks.arrive(1), Arrival::Finished(Ended::Failed));
        assert_eq!(clicks.arrive(3), Arrival::New);
        assert_eq!(
            clicks.arrive(2),
            Arrival::New,
            "clicks may overtake each other"
        );
        assert_eq!(clicks.arrive(1), Arrival::Finished(Ended::Failed));
        clicks.finish(2, Ended::WrongType);
        assert_eq!(clicks.arrive(2), Arrival::Finished(Ended::WrongType));
        assert_eq!(clicks.arrive(3), Arrival::Running);
    }

    #[test]
    fn the_window_has_an_end() {
        let mut clicks = Clicks::default();
        clicks.arrive(1);
        clicks.finish(1, Ended::Done);
        assert_eq!(clicks.arrive(64), Arrival::New);
        assert_eq!(clicks.arrive(1), Arrival::Finished(Ended::Done));
        assert_eq!(clicks.arrive(65), Arrival::New);
        assert_eq!(clicks.arrive(1), Arrival::TooOld);
        assert_eq!(clicks.arrive(u64::MAX), Arrival::New);
        assert_eq!(clicks.arrive(65), Arrival::TooOld);
        assert_eq!(clicks.arrive(0), Arrival::TooOld);
    }

    #[test]
    fn a_key_that_was_only_looked_at_leaves_nothing() {
        let mut clicks = Clicks::default();
        assert_eq!(clicks.look(500), Arrival::New);
        clicks.arrive(5);
        clicks.finish(5, Ended::Failed);
        for key in 6..200 {
            assert_eq!(clicks.look(key), Arrival::New);
        }
        assert_eq!(clicks.arrive(5), Arrival::Finished(Ended::Failed));
        assert_eq!(clicks.arrive(4), Arrival::New);
    }

    #[test]
    fn a_click_that_ends_outside_of_the_window_changes_nothing() {
        let mut clicks = Clicks::default();
        clicks.arrive(1);
        clicks.arrive(65);
        clicks.finish(1, Ended::Done);
        assert_eq!(clicks.look(65), Arrival::Running);
        assert_eq!(clicks.look(1), Arrival::TooOld);
    }

    #[test]
    fn the_window_is_small() {
        assert_eq!(size_of::<Clicks>(), 32);
    }
}
