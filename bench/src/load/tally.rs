//! Every event accounted for: what came, what didn't, what came twice or too late.
//!
//! The k-th tick of a run makes each stream see `seq=k`, once and in order. A stream's first event may be `seq=0`,
//! the state before the first tick; the first after a pause may be the newest before the stream was opened again.

use std::ops::AddAssign;

/// What went wrong, counted in events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// Never came.
    pub lost: u64,
    /// Came again.
    pub doubled: u64,
    /// Came after a later one.
    pub reordered: u64,
    /// Carried a number that no tick had asked for yet.
    pub invented: u64,
}

impl Faults {
    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        *self == Faults::default()
    }
}

impl AddAssign for Faults {
    fn add_assign(&mut self, other: Faults) {
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.reordered += other.reordered;
        self.invented += other.invented;
    }
}

/// One stream's account.
#[derive(Debug, Default)]
pub struct Account {
    highest: u64,
    started: bool,
    /// Numbers below `highest` that have not come.
    missing: Vec<u64>,
    doubled: u64,
    reordered: u64,
    invented: u64,
}

impl Account {
    /// The highest number that came.
    pub fn highest(&self) -> u64 {
        self.highest
    }

    /// Forgives what a stream that was away has missed, up to `newest`, which may also still come.
    pub fn excuse(&mut self, newest: u64) {
        self.highest = self.highest.max(newest);
        self.missing.clear();
        self.started = false;
    }

    /// Books an event; `asked` is the number of the latest tick.
    pub fn book(&mut self, seq: u64, asked: u64) {
        let first = !self.started;
        self.started = true;
        if seq > asked {
            self.invented += 1;
        } else if seq > self.highest {
            self.missing.extend(self.highest + 1..seq);
            self.highest = seq;
        } else if let Some(index) = self.missing.iter().position(|&missing| missing == seq) {
            self.missing.swap_remove(index);
            self.reordered += 1;
        } else if !(first && seq == self.highest) {
            self.doubled += 1;
        }
    }

    /// Closes the account of a stream that should have seen every number up to `asked`.
    pub fn close(&self, asked: u64) -> Faults {
        Faults {
            lost: self.missing.len() as u64 + asked.saturating_sub(self.highest),
            doubled: self.doubled,
            reordered: self.reordered,
            invented: self.invented,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(numbers: &[u64], asked: u64) -> Faults {
        let mut account = Account::default();
        for &seq in numbers {
            account.book(seq, asked);
        }
        account.close(asked)
    }

    #[test]
    fn who_comes_back_may_begin_with_the_newest_once() {
        let mut account = Account::default();
        account.book(1, 1);
        account.excuse(5);
        account.book(5, 5);
        account.book(6, 6);
        assert_eq!(account.close(6), Faults::default());
        account.excuse(9);
        account.book(9, 9);
        account.book(9, 9);
        account.book(11, 11);
        assert_eq!(
            account.close(11),
            Faults {
                lost: 1,
                doubled: 1,
                ..Faults::default()
            }
        );
    }

    #[test]
    fn each_kind_of_fault_is_told_from_the_others() {
        let none = Faults::default();
        assert_eq!(account(&[0, 1, 2, 3], 3), none, "a greeting is no fault");
        assert_eq!(account(&[1, 2, 3], 3), none);
        assert_eq!(account(&[1, 3], 3), Faults { lost: 1, ..none });
        assert_eq!(
            account(&[1, 2], 3),
            Faults { lost: 1, ..none },
            "the last one counts too"
        );
        assert_eq!(account(&[], 3), Faults { lost: 3, ..none });
        assert_eq!(account(&[1, 2, 2, 3], 3), Faults { doubled: 1, ..none });
        assert_eq!(
            account(&[0, 0, 1], 1),
            Faults { doubled: 1, ..none },
            "only one greeting"
        );
        assert_eq!(
            account(&[1, 3, 2], 3),
            Faults {
                reordered: 1,
                ..none
            }
        );
        assert_eq!(
            account(&[1, 3, 2, 2], 3),
            Faults {
                reordered: 1,
                doubled: 1,
                ..none
            }
        );
        assert_eq!(
            account(&[1, 9, 2], 2),
            Faults {
                invented: 1,
                ..none
            }
        );
    }
}
