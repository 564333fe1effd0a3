//! What did not fit into a full ring of invalidations: a set, since two of the same are worth one.
//!
//! **Invariant.** `everything` absorbs: while it is set, the set is empty and stays so.
//!
//! **Who.** The sending thread alone; nothing here is shared.

use std::hash::{BuildHasherDefault, Hasher};

use hashbrown::HashSet;

use super::terms::{EVERYTHING, Invalidation};
use crate::ring::Producer;

/// Mixes two words that are hashes (or small numbers) already. Without a seed, so that loom's runs
/// repeat; who can choose scopes that collide here can only fill a set that is bounded.
#[derive(Default)]
pub(super) struct Mix(u64);

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(byte.into());
        }
    }

    fn write_u64(&mut self, word: u64) {
        let mixed = (self.0.rotate_left(29) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ (mixed >> 32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The invalidations that one receiver has still to get.
#[derive(Default)]
pub(super) struct Pending {
    set: HashSet<Invalidation, BuildHasherDefault<Mix>>,
    everything: bool,
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.set.is_empty() && !self.everything
    }

    pub(super) fn len(&self) -> usize {
        self.set.len()
    }

    /// Merges; returns whether the set grew.
    pub(super) fn add(&mut self, invalidation: Invalidation) -> bool {
        if self.everything {
            return false;
        }
        if invalidation == EVERYTHING {
            self.make_everything();
            return false;
        }
        self.set.insert(invalidation)
    }

    /// Forgets the details, and gives their memory back.
    pub(super) fn make_everything(&mut self) {
        self.set = HashSet::default();
        self.everything = true;
    }

    /// Forgets all, for a receiver that is gone.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Moves as much as fits into `ring`; returns whether anything moved.
    pub(super) fn drain_into(&mut self, ring: &mut Producer<Invalidation>) -> bool {
        if self.everything {
            self.everything = ring.push(EVERYTHING).is_err();
            return !self.everything;
        }
        let moved = ring.push_batch(&mut self.set.extract_if(|_| true));
        if self.set.is_empty() {
            self.set = HashSet::default();
        }
        moved > 0
    }
}
