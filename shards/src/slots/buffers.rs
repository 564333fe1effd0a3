//! Where the rows' contents lie: buffers that are filled in private, published by one store, and
//! checked by their readers.
//!
//! **Invariant.** Each buffer belongs to one place at a time: the row whose pointer names it, a spare
//! cell, or the one writer that took it out of its cell. Only that writer fills it. Publishing
//! exchanges: the row gets the writer's buffer, and the cell that the writer took gets the row's old
//! one. So a writer waits for another only when every cell is taken, and a writer that is descheduled
//! anywhere holds up nobody.
//!
//! A pointer names a buffer and how often it had been filled: it is good for as long as that count is.
//!
//! **Who.** Any thread, any method.
//!
//! **Why the orderings are enough.**
//! * `[slot.publish]` → `[slot.see]`: who reads a pointer reads at least the contents that it was
//!   published with.
//! * A later fill of the same buffer is noticed. Its writer counts `fills` up, then `[slot.fill_fence]`
//!   (Release), then writes words; a reader that got one of these words passes `[slot.look_fence]`
//!   (Acquire), so it reads the raised count afterwards and looks again. All words are atomics, so
//!   words of two fills in one look are no data race; they are thrown away.
//! * A reader looks again only if its buffer was filled again, for which two commits are needed: one
//!   that takes the buffer out of the row, one that reuses it. Who saw the raised count passes
//!   `[slot.look_fence]` once more in its next look, and sees with it (`[slot.fills]`) that the pointer
//!   has moved on: two looks in a row are never in vain for the same fill.
//! * `[slot.return]` → `[slot.take]`: the next writer of a buffer reads the last count and writes
//!   after the last writer's words. A buffer that comes out of a row has been seen by `[slot.see]`, as
//!   the exchange expects a pointer that this thread has read before.

use crossbeam_utils::CachePadded;

use super::key::{KEY_WORDS, Key};
use crate::sync::{
    AtomicU64, LINE_WORDS, Line, Ordering, fence, thread_hint, wait_a_moment, word, zeroed_lines,
};

/// Bits of a pointer that name the buffer; the others are the low bits of its count of fills. An
/// exchange would be fooled by 2^40 fills of one buffer within one call.
pub(super) const BUFFER_BITS: u32 = 24;
const BUFFER_MASK: u64 = (1 << BUFFER_BITS) - 1;
const EMPTY: u64 = u64::MAX;

const FILLS: usize = 0;
const VERSION: usize = 1;
const BORN: usize = 2;
const SHAPE: usize = 3;
const KEY: usize = 4;
/// Values start a line of their own: they are copied line by line, and a key of up to 32 bytes with a value of up to 64
/// is read from two lines.
const VALUE_LINE: usize = (KEY + KEY_WORDS).div_ceil(LINE_WORDS);

const LEN_MASK: u64 = u32::MAX as u64;
const KEY_LEN_SHIFT: u32 = 32;
const LIVE: u64 = 1 << 40;

/// What a buffer says about its row, besides key and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Counts the row's commits, over all keys that it ever had.
    pub(super) version: u64,
    /// The version at which the present key came: the generation.
    pub(super) born: u64,
    pub(super) live: bool,
}

/// All buffers of a table.
pub(super) struct Buffers {
    lines: Box<[Line]>,
    lines_each: usize,
    spares: Box<[CachePadded<AtomicU64>]>,
}

impl Buffers {
    /// One buffer for each of `rows` rows, and one for each of `writers` spare cells.
    pub(super) fn new(rows: usize, writers: usize, value_bytes: usize) -> Self {
        let lines_each = VALUE_LINE + value_bytes.div_ceil(8 * LINE_WORDS);
        Self {
            lines: zeroed_lines((rows + writers) * lines_each),
            lines_each,
            spares: (rows..rows + writers)
                .map(|buffer| CachePadded::new(AtomicU64::new(buffer as u64)))
                .collect(),
        }
    }

    /// The pointer that a row starts with: its own buffer, never filled, not live.
    pub(super) fn first_pointer(row: usize) -> u64 {
        row as u64
    }

    #[inline]
    fn buffer(&self, pointer: u64) -> Buffer<'_> {
        let first = (pointer & BUFFER_MASK) as usize * self.lines_each;
        Buffer {
            lines: &self.lines[first..first + self.lines_each],
        }
    }

    /// Lets `read` look at what `place` points to until it has seen one fill and no other. What it
    /// sees meanwhile may be torn: it must not believe it, only return it.
    #[inline]
    pub(super) fn look<T>(
        &self,
        place: &AtomicU64,
        mut read: impl FnMut(Buffer<'_>) -> T,
    ) -> (u64, T) {
        loop {
            let pointer = place.load(Ordering::Acquire); // [slot.see]
            let buffer = self.buffer(pointer);
            let seen = read(buffer);
            fence(Ordering::Acquire); // [slot.look_fence]
            let fills = buffer.word(FILLS).load(Ordering::Relaxed);
            if fills << BUFFER_BITS == pointer & !BUFFER_MASK {
                return (pointer, seen);
            }
        }
    }

    /// A buffer to fill. Waits only when all spare cells are taken.
    pub(super) fn take(&self) -> Taken<'_> {
        let (before, from) = self.spares.split_at(thread_hint() % self.spares.len());
        let mut round = 0;
        loop {
            for cell in from.iter().chain(before) {
                let buffer = cell.load(Ordering::Relaxed);
                if buffer != EMPTY
                    && cell
                        .compare_exchange(buffer, EMPTY, Ordering::Acquire, Ordering::Relaxed) // [slot.take]
                        .is_ok()
                {
                    return Taken {
                        buffers: self,
                        cell,
                        buffer,
                    };
                }
            }
            wait_a_moment(round);
            round = round.wrapping_add(1);
        }
    }
}

/// A buffer that one writer owns, and the cell that it came from.
pub(super) struct Taken<'a> {
    buffers: &'a Buffers,
    cell: &'a AtomicU64,
    buffer: u64,
}

impl Taken<'_> {
    /// Writes the contents of a row, exchanges them for what `expected` names, and returns whether
    /// `place` still held that. `value` fits, as the table has checked.
    pub(super) fn publish(
        mut self,
        place: &AtomicU64,
        expected: u64,
        header: Header,
        key: &Key,
        value: &[u8],
    ) -> bool {
        let pointer = self.fill(header, key, value);
        let published = place
            .compare_exchange(expected, pointer, Ordering::Release, Ordering::Relaxed) // [slot.publish]
            .is_ok();
        if published {
            self.buffer = expected & BUFFER_MASK;
        }
        published
    }

    fn fill(&mut self, header: Header, key: &Key, value: &[u8]) -> u64 {
        let buffer = self.buffers.buffer(self.buffer);
        let fills = buffer.word(FILLS).load(Ordering::Relaxed).wrapping_add(1);
        buffer.word(FILLS).store(fills, Ordering::Release); // [slot.fills]
        fence(Ordering::Release); // [slot.fill_fence]
        let shape = value.len() as u64
            | (key.len() as u64) << KEY_LEN_SHIFT
            | if header.live { LIVE } else { 0 };
        buffer
            .word(VERSION)
            .store(header.version, Ordering::Relaxed);
        buffer.word(BORN).store(header.born, Ordering::Relaxed);
        buffer.word(SHAPE).store(shape, Ordering::Relaxed);
        for (i, &bytes) in key.words().iter().enumerate() {
            buffer.word(KEY + i).store(bytes, Ordering::Relaxed);
        }
        buffer.fill_value(value);
        fills << BUFFER_BITS | self.buffer
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.cell.store(self.buffer, Ordering::Release); // [slot.return]
    }
}

/// One buffer, as a reader sees it before it knows whether what it saw belongs together.
#[derive(Clone, Copy)]
pub(super) struct Buffer<'a> {
    lines: &'a [Line],
}

impl Buffer<'_> {
    #[inline]
    fn word(&self, index: usize) -> &AtomicU64 {
        word(self.lines, index)
    }

    #[inline]
    fn read(&self, index: usize) -> u64 {
        self.word(index).load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn header(&self) -> Header {
        Header {
            version: self.read(VERSION),
            born: self.read(BORN),
            live: self.read(SHAPE) & LIVE != 0,
        }
    }

    /// Whether this is live and has this key.
    #[inline]
    pub(super) fn is_live_with(&self, key: &Key) -> bool {
        let shape = self.read(SHAPE);
        shape & !LEN_MASK == (LIVE | (key.len() as u64) << KEY_LEN_SHIFT)
            && key
                .words()
                .iter()
                .enumerate()
                .all(|(i, &bytes)| self.read(KEY + i) == bytes)
    }

    /// The key, of a row that was reached without it.
    pub(super) fn key(&self) -> Key {
        let len = (self.read(SHAPE) >> KEY_LEN_SHIFT & 0xff) as usize;
        Key::from_words(len, |i| self.read(KEY + i))
    }

    /// Copies the value. `out` holds nothing else afterwards.
    #[inline]
    pub(super) fn copy_value(&self, out: &mut Vec<u8>) {
        let len = (self.read(SHAPE) & LEN_MASK) as usize;
        // What `out` held is overwritten, so nothing is cleared before.
        out.resize(len.next_multiple_of(8), 0);
        let (words, _) = out.as_chunks_mut::<8>();
        let (full, rest) = words.as_chunks_mut::<LINE_WORDS>();
        let mut lines = self.lines[VALUE_LINE..].iter();
        for (words, line) in full.iter_mut().zip(&mut lines) {
            for (bytes, word) in words.iter_mut().zip(line.words()) {
                *bytes = word.load(Ordering::Relaxed).to_le_bytes();
            }
        }
        if let Some(line) = lines.next() {
            for (bytes, word) in rest.iter_mut().zip(line.words()) {
                *bytes = word.load(Ordering::Relaxed).to_le_bytes();
            }
        }
        out.truncate(len);
    }

    /// Writes the words that hold bytes of `value`, the last one padded with zeros.
    #[inline]
    fn fill_value(&self, value: &[u8]) {
        let (words, last_bytes) = value.as_chunks::<8>();
        let (full, rest) = words.as_chunks::<LINE_WORDS>();
        let mut lines = self.lines[VALUE_LINE..].iter();
        for (words, line) in full.iter().zip(&mut lines) {
            for (&bytes, word) in words.iter().zip(line.words()) {
                word.store(u64::from_le_bytes(bytes), Ordering::Relaxed);
            }
        }
        let Some(line) = lines.next() else { return };
        for (&bytes, word) in rest.iter().zip(line.words()) {
            word.store(u64::from_le_bytes(bytes), Ordering::Relaxed);
        }
        if !last_bytes.is_empty() {
            let mut last = [0; 8];
            last[..last_bytes.len()].copy_from_slice(last_bytes);
            line.words()[rest.len()].store(u64::from_le_bytes(last), Ordering::Relaxed);
        }
    }
}
