//! From key to row: buckets with chains of rows, walked without locks, changed under one.
//!
//! **Invariant.** A live row is in the chain of its key's bucket, and no key is live in two rows. A row
//! is dead before it leaves its chain, and out of its chain, with the bucket's count raised, before it
//! can be given another key. A head word holds the chain's first row and a count of the bucket's
//! changes, so that equal words mean an unchanged chain.
//!
//! **Who.** Any thread walks. Chains change only with the [`Rows`] lock held.
//!
//! **Why the orderings are enough.**
//! * A hit needs none of the chain: the row's own contents say that this key was live in it.
//! * `[slot.link]`, `[slot.head]` → `[slot.see_head]`: who reads a head sees the rows behind it as they
//!   were when they were linked.
//! * A miss counts only if the chain was whole. A row that was taken from under the walker leads
//!   elsewhere by a new link, stored (Release, `[slot.link]`) after the count of its old bucket was
//!   raised: a walker that followed it reads the raised count after `[slot.miss_fence]` (Acquire), and
//!   walks again. Walkers are never held up by a descheduled writer: each step of a change leaves
//!   whole chains.
//! * The lock orders changes among themselves, so they read links with `Relaxed`.

use super::buffers::{BUFFER_BITS, Buffer, Buffers, Header};
use super::key::Key;
use crate::sync::{AtomicU64, Ordering, fence};

const ROW_MASK: u64 = (1 << BUFFER_BITS) - 1;
/// No row: the end of a chain.
const END: u64 = ROW_MASK;
/// After so many rows a walker checks whether its chain still stands.
const CHECK_EVERY: usize = 8;

/// One row: what it holds, and its successor in the chain with part of its key's hash.
#[repr(align(64))]
pub(super) struct Place {
    pub(super) pointer: AtomicU64,
    link: AtomicU64,
}

/// A row that was seen with the wanted key.
pub(super) struct Found {
    pub(super) row: usize,
    pub(super) pointer: u64,
    pub(super) header: Header,
}

/// What the lock protects: the rows that are free, and the users of each.
pub(super) struct Rows {
    pub(super) free: Vec<u32>,
    pub(super) users: Vec<u32>,
}

/// The rows and the chains that lead to them.
pub(super) struct Index {
    pub(super) places: Box<[Place]>,
    heads: Box<[AtomicU64]>,
    hash_key: [u64; 2],
}

/// Where a key belongs.
#[derive(Clone, Copy)]
pub(super) struct Home {
    bucket: usize,
    tag: u64,
}

impl Index {
    pub(super) fn new(rows: usize, hash_key: [u64; 2]) -> Self {
        Self {
            places: (0..rows)
                .map(|row| Place {
                    pointer: AtomicU64::new(Buffers::first_pointer(row)),
                    link: AtomicU64::new(END),
                })
                .collect(),
            heads: (0..(2 * rows).next_power_of_two())
                .map(|_| AtomicU64::new(END))
                .collect(),
            hash_key,
        }
    }

    #[inline]
    pub(super) fn home(&self, key: &Key) -> Home {
        let hash = key.hash(self.hash_key);
        Home {
            bucket: hash as usize & (self.heads.len() - 1),
            tag: hash & !ROW_MASK,
        }
    }

    pub(super) fn bucket(home: Home) -> usize {
        home.bucket
    }

    /// The row where `key` is live, with what `read` made of it.
    #[inline]
    pub(super) fn find<T>(
        &self,
        buffers: &Buffers,
        key: &Key,
        mut read: impl FnMut(Buffer<'_>) -> T,
    ) -> Option<(Found, T)> {
        let home = self.home(key);
        let head_word = &self.heads[home.bucket];
        'walk: loop {
            let head = head_word.load(Ordering::Acquire); // [slot.see_head]
            let mut at = head & ROW_MASK;
            let mut steps = 0;
            while at != END {
                let row = at as usize;
                let link = self.places[row].link.load(Ordering::Relaxed);
                if link & !ROW_MASK == home.tag
                    && let Some(hit) = self.look(buffers, row, key, &mut read)
                {
                    return Some(hit);
                }
                at = link & ROW_MASK;
                steps += 1;
                if steps % CHECK_EVERY == 0 && head_word.load(Ordering::Relaxed) != head {
                    continue 'walk;
                }
            }
            fence(Ordering::Acquire); // [slot.miss_fence]
            if head_word.load(Ordering::Relaxed) == head {
                return None;
            }
        }
    }

    /// How many rows the chains hold together, and the longest. Lock held.
    pub(super) fn chained(&self, _lock: &mut Rows) -> (usize, usize) {
        let lengths = self.heads.iter().map(|head| {
            let first = head.load(Ordering::Relaxed) & ROW_MASK;
            std::iter::successors((first != END).then_some(first), |&row| {
                let next = self.places[row as usize].link.load(Ordering::Relaxed) & ROW_MASK;
                (next != END).then_some(next)
            })
            .count()
        });
        lengths.fold((0, 0), |(sum, longest), length| {
            (sum + length, longest.max(length))
        })
    }

    #[inline]
    fn look<T>(
        &self,
        buffers: &Buffers,
        row: usize,
        key: &Key,
        read: &mut impl FnMut(Buffer<'_>) -> T,
    ) -> Option<(Found, T)> {
        let (pointer, seen) = buffers.look(&self.places[row].pointer, |buffer| {
            buffer
                .is_live_with(key)
                .then(|| (buffer.header(), read(buffer)))
        });
        seen.map(|(header, seen)| {
            let found = Found {
                row,
                pointer,
                header,
            };
            (found, seen)
        })
    }

    /// Puts `row` in front of the chain of `home`. Lock held; the row is live and in no chain.
    pub(super) fn link(&self, _lock: &mut Rows, home: Home, row: usize) {
        let head = self.heads[home.bucket].load(Ordering::Relaxed);
        let link = home.tag | head & ROW_MASK;
        self.places[row].link.store(link, Ordering::Release); // [slot.link]
        self.heads[home.bucket].store(raised(head, row as u64), Ordering::Release); // [slot.head]
    }

    /// Takes `row` out of the chain of `home`. Lock held; the row is dead and in that chain.
    pub(super) fn unlink(&self, _lock: &mut Rows, home: Home, row: usize) {
        let head_word = &self.heads[home.bucket];
        let head = head_word.load(Ordering::Relaxed);
        let next = self.places[row].link.load(Ordering::Relaxed) & ROW_MASK;
        let mut first = head & ROW_MASK;
        if first == row as u64 {
            first = next;
        } else {
            let mut at = first;
            loop {
                assert_ne!(at, END, "row {row} is in the chain of its key");
                let before = &self.places[at as usize].link;
                let link = before.load(Ordering::Relaxed);
                if link & ROW_MASK == row as u64 {
                    before.store(link & !ROW_MASK | next, Ordering::Release); // [slot.bypass]
                    break;
                }
                at = link & ROW_MASK;
            }
        }
        head_word.store(raised(head, first), Ordering::Release); // [slot.head_unlink]
    }
}

/// A head word with the count of changes raised.
fn raised(head: u64, first: u64) -> u64 {
    (head & !ROW_MASK).wrapping_add(ROW_MASK + 1) | first
}
