//! A key as words, padded with zeros, and its hash.

use super::{KEY_MAX_BYTES, SlotError};
use crate::hash::siphash;

pub(super) const KEY_WORDS: usize = KEY_MAX_BYTES / 8;

/// A key of at most [`KEY_MAX_BYTES`] bytes.
#[derive(Clone, Copy)]
pub(super) struct Key {
    words: [u64; KEY_WORDS],
    len: usize,
}

impl Key {
    #[inline]
    pub(super) fn new(bytes: &[u8]) -> Result<Self, SlotError> {
        if bytes.len() > KEY_MAX_BYTES {
            return Err(SlotError::KeyTooLong {
                len: bytes.len(),
                max: KEY_MAX_BYTES,
            });
        }
        let mut words = [0; KEY_WORDS];
        let (full, rest) = bytes.as_chunks::<8>();
        for (place, &chunk) in words.iter_mut().zip(full) {
            *place = u64::from_le_bytes(chunk);
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            words[full.len()] = u64::from_le_bytes(last);
        }
        let len = bytes.len();
        Ok(Self { words, len })
    }

    /// The key of a row without one.
    pub(super) fn none() -> Self {
        Self::from_words(0, |_| 0)
    }

    /// A key whose word `i` is `word(i)`; asks for no more words than `len` bytes need.
    pub(super) fn from_words(len: usize, word: impl Fn(usize) -> u64) -> Self {
        let len = len.min(KEY_MAX_BYTES);
        let mut words = [0; KEY_WORDS];
        for (i, place) in words.iter_mut().enumerate().take(len.div_ceil(8)) {
            *place = word(i);
        }
        Self { words, len }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The words that hold bytes of the key.
    #[inline]
    pub(super) fn words(&self) -> &[u64] {
        &self.words[..self.len.div_ceil(8)]
    }

    #[inline]
    pub(super) fn hash(&self, key: [u64; 2]) -> u64 {
        siphash(key, self.words(), self.len)
    }
}
