//! Which lanes of one receiver have something: a bit per sender, so that a turn in which nothing came
//! reads one cache line instead of two per sender.
//!
//! **Invariant.** From a sender's `raise` until the receiver's next `take`, that sender's bit is set. The
//! receiver takes a word first, then looks into the lanes that it names.
//!
//! **Who.** Senders raise their own bit, each after it has pushed. The receiver alone takes and looks.
//!
//! **Why the orderings are enough.** Both sides change a word by read-modify-write, so `fetch_or` and
//! `swap` are ordered. `fetch_or` first: the `swap` reads it, or a later one of the same chain, and
//! `[mesh.raise]` → `[mesh.take]` makes the ring's moved tail visible, so that the lane is not found
//! empty and its bit spent for nothing. `swap` first: the bit stays for the next `take`. `is_quiet`
//! touches no lane: `Relaxed`; used between `Doorbell::announce` and sleep, the fences there make it
//! fresh enough.

use crate::sync::{LINE_WORDS, Line, Ordering, word, zeroed_lines};

const BITS: usize = u64::BITS as usize;

/// The shared bits of one receiver.
pub(super) struct Arrivals {
    lines: Box<[Line]>,
}

impl Arrivals {
    pub(super) fn new(members: usize) -> Self {
        Self {
            lines: zeroed_lines(words(members).div_ceil(LINE_WORDS)),
        }
    }

    /// Sender: something was pushed.
    #[inline]
    pub(super) fn raise(&self, from: usize) {
        let bit = 1 << (from % BITS);
        word(&self.lines, from / BITS).fetch_or(bit, Ordering::Release); // [mesh.raise]
    }

    /// Receiver: moves all bits to `came`.
    #[inline]
    pub(super) fn take(&self, came: &mut Came) {
        for (i, bits) in came.0.iter_mut().enumerate() {
            let word = word(&self.lines, i);
            if word.load(Ordering::Relaxed) != 0 {
                *bits |= word.swap(0, Ordering::Acquire); // [mesh.take]
            }
        }
    }

    /// Receiver: whether no bit is set.
    #[inline]
    pub(super) fn is_quiet(&self, came: &Came) -> bool {
        (0..came.0.len()).all(|i| word(&self.lines, i).load(Ordering::Relaxed) == 0)
    }
}

/// The receiver's own copy: lanes that it has still to look into.
pub(super) struct Came(Box<[u64]>);

impl Came {
    pub(super) fn new(members: usize) -> Self {
        Self(vec![0; words(members)].into())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|&bits| bits == 0)
    }

    /// The first sender at or behind `start` whose bit is set.
    #[inline]
    pub(super) fn next(&self, start: usize) -> Option<usize> {
        let mut i = start / BITS;
        let mut bits = self.0.get(i)? & u64::MAX << (start % BITS);
        while bits == 0 {
            i += 1;
            bits = *self.0.get(i)?;
        }
        Some(i * BITS + bits.trailing_zeros() as usize)
    }

    #[inline]
    pub(super) fn done(&mut self, from: usize) {
        self.0[from / BITS] &= !(1 << (from % BITS));
    }
}

fn words(members: usize) -> usize {
    members.div_ceil(BITS)
}
