//! Counters that one member writes and all may read, and a flag that is only ever set.
//!
//! **Invariant.** A row is written by its owner alone; rows share no cache line.
//!
//! **Why the orderings are enough.** A counter carries no other data, so `Relaxed` everywhere: a
//! reader gets each counter as it was at some moment, never torn; two counters of one look need not
//! belong together. `add` is a load and a store, not a read-modify-write, since nobody else writes.
//! A [`Switch`] does carry data: what was done before `set` is seen by whoever finds it set
//! (`[switch.set]` → `[switch.is_set]`).

use crate::sync::{AtomicBool, LINE_WORDS, Line, Ordering, word, zeroed_lines};

/// Lines between two rows: pairs of lines are fetched together, so rows keep a pair apart.
const ROW_LINES_STEP: usize = 2;

/// One row of counters per member.
pub struct Board {
    lines: Box<[Line]>,
    rows: usize,
    counters: usize,
    row_words: usize,
}

impl Board {
    /// `rows` rows of `counters` counters, all zero.
    pub fn new(rows: usize, counters: usize) -> Self {
        let row_lines = counters
            .div_ceil(LINE_WORDS)
            .next_multiple_of(ROW_LINES_STEP);
        Self {
            lines: zeroed_lines(rows * row_lines),
            rows,
            counters,
            row_words: row_lines * LINE_WORDS,
        }
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many counters in each row.
    pub fn counters(&self) -> usize {
        self.counters
    }

    /// Counter `i` of `row`. Any thread.
    ///
    /// # Panics
    /// When `row` or `i` is out of range, like indexing; so do all methods here.
    #[inline]
    pub fn get(&self, row: usize, i: usize) -> u64 {
        self.at(row, i).load(Ordering::Relaxed)
    }

    /// Sets counter `i` of `row`. Only the row's owner, or writes get lost.
    #[inline]
    pub fn set(&self, row: usize, i: usize, value: u64) {
        self.at(row, i).store(value, Ordering::Relaxed);
    }

    /// Adds `delta`, which may be negative, to counter `i` of `row` (wrapping). Only the row's owner.
    #[inline]
    pub fn add(&self, row: usize, i: usize, delta: i64) {
        let counter = self.at(row, i);
        let value = counter.load(Ordering::Relaxed).wrapping_add_signed(delta);
        counter.store(value, Ordering::Relaxed);
    }

    /// The sum of counter `i` over all rows (wrapping), each as it is when it is read. Any thread.
    pub fn sum(&self, i: usize) -> u64 {
        (0..self.rows).fold(0, |sum, row| sum.wrapping_add(self.get(row, i)))
    }

    #[inline]
    fn at(&self, row: usize, i: usize) -> &crate::sync::AtomicU64 {
        assert!(
            row < self.rows && i < self.counters,
            "counter {i} of row {row} asked for; the board has {} counters in {} rows",
            self.counters,
            self.rows
        );
        word(&self.lines, row * self.row_words + i)
    }
}

/// A flag that goes from off to on, once.
#[derive(Debug)]
pub struct Switch(AtomicBool);

impl Switch {
    /// Off.
    pub fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// On. What this thread did before is seen by each thread that finds it on.
    #[inline]
    pub fn set(&self) {
        self.0.store(true, Ordering::Release); // [switch.set]
    }

    /// Whether it is on.
    #[inline]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire) // [switch.is_set]
    }
}

impl Default for Switch {
    fn default() -> Self {
        Self::new()
    }
}
