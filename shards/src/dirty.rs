//! What has to be looked at: numbers that any thread marks and one sweeps.
//!
//! **Invariant.** For each marked number its bit in `leaves` is set, and, once `mark` has returned and
//! until a sweep takes it, the bit of its leaf in `summary`. A sweep takes a summary word first, then
//! the leaves that it names.
//!
//! **Who.** [`DirtySet`] belongs to the sweeper; [`DirtyMarker`]s (and the set itself) mark, on any
//! thread. Growing adds a segment, so markers made before stay good for the numbers they knew.
//!
//! **Why the orderings are enough.** `mark` sets the leaf, then the summary, always both and both by
//! read-modify-write, even if the leaf was set already: whoever set it may not have come to the
//! summary yet. So of one summary word, `mark`'s `fetch_or` and the sweep's `swap` are ordered:
//! * `fetch_or` first: the `swap` reads it or a later one of the same chain, and `[dirty.summary]` →
//!   `[dirty.sweep_summary]` makes the leaf's bit visible: this sweep finds it;
//! * `swap` first: the bit stays in the summary, and the next sweep finds it.
//!
//! What a thread did before `mark(i)` is visible when the sweep reports `i`: `[dirty.leaf]` →
//! `[dirty.sweep_leaf]`. That pair is needed besides, as another's summary bit can lead the sweep to a
//! leaf whose marker has not come to the summary. `is_empty` touches no data: `Relaxed`.

use crate::sync::{Arc, AtomicU64, Ordering};

const BITS: usize = u64::BITS as usize;

struct Segment {
    start: usize,
    len: usize,
    leaves: Box<[AtomicU64]>,
    summary: Box<[AtomicU64]>,
}

impl Segment {
    fn new(start: usize, len: usize) -> Self {
        let leaves = len.div_ceil(BITS);
        Self {
            start,
            len,
            leaves: (0..leaves).map(|_| AtomicU64::new(0)).collect(),
            summary: (0..leaves.div_ceil(BITS))
                .map(|_| AtomicU64::new(0))
                .collect(),
        }
    }

    #[inline]
    fn mark(&self, offset: usize) -> bool {
        let (leaf, bit) = (offset / BITS, 1 << (offset % BITS));
        let before = self.leaves[leaf].fetch_or(bit, Ordering::Release); // [dirty.leaf]
        let (word, bit_of_leaf) = (leaf / BITS, 1 << (leaf % BITS));
        self.summary[word].fetch_or(bit_of_leaf, Ordering::Release); // [dirty.summary]
        before & bit == 0
    }

    fn sweep(&self, f: &mut impl FnMut(usize)) {
        for (word, summary) in self.summary.iter().enumerate() {
            if summary.load(Ordering::Relaxed) == 0 {
                continue;
            }
            let leaves = summary.swap(0, Ordering::Acquire); // [dirty.sweep_summary]
            for leaf in bits(leaves).map(|bit| word * BITS + bit) {
                let marked = self.leaves[leaf].swap(0, Ordering::Acquire); // [dirty.sweep_leaf]
                for bit in bits(marked) {
                    f(self.start + leaf * BITS + bit);
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.summary
            .iter()
            .all(|word| word.load(Ordering::Relaxed) == 0)
    }
}

/// The positions of the ones in `word`, ascending.
fn bits(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros() as usize)?;
        word &= word - 1;
        Some(bit)
    })
}

#[inline]
fn mark(segments: &[Arc<Segment>], i: usize) -> bool {
    let segment = match segments {
        [only] => only,
        _ => {
            let after = segments.partition_point(|segment| segment.start <= i);
            &segments[after.saturating_sub(1)]
        }
    };
    let offset = i - segment.start;
    assert!(
        offset < segment.len,
        "{i} marked; the dirty set holds numbers below {}",
        segment.start + segment.len
    );
    segment.mark(offset)
}

/// A set of numbers below a capacity: marked by any thread, swept by the owner.
///
/// ```
/// let mut dirty = autovia_shards::DirtySet::new(1_000);
/// assert!(dirty.mark(7));
/// assert!(!dirty.mark(7));
/// dirty.sweep(|i| assert_eq!(i, 7));
/// assert!(dirty.is_empty());
/// ```
pub struct DirtySet {
    segments: Vec<Arc<Segment>>,
}

impl DirtySet {
    /// An empty set of numbers below `capacity`.
    pub fn new(capacity: usize) -> Self {
        Self {
            segments: vec![Arc::new(Segment::new(0, capacity))],
        }
    }

    /// One more than the greatest number that can be marked.
    pub fn capacity(&self) -> usize {
        self.segments
            .last()
            .map_or(0, |segment| segment.start + segment.len)
    }

    /// Makes room for numbers below `capacity`; what is marked stays marked. Markers made before keep
    /// the old capacity. A smaller `capacity` changes nothing.
    pub fn grow(&mut self, capacity: usize) {
        let old = self.capacity();
        if capacity <= old {
            return;
        }
        if let [only] = &mut self.segments[..]
            && Arc::get_mut(only).is_some()
        {
            // Nobody else marks: one larger segment in place of a chain of them.
            let whole = Segment::new(0, capacity);
            only.sweep(&mut |i| {
                whole.mark(i);
            });
            *only = Arc::new(whole);
        } else {
            self.segments
                .push(Arc::new(Segment::new(old, capacity - old)));
        }
    }

    /// A handle that marks from any thread.
    pub fn marker(&self) -> DirtyMarker {
        DirtyMarker {
            segments: self.segments.clone(),
        }
    }

    /// Marks `i`; true when it was not marked. A mark that happens before a sweep is found by it.
    ///
    /// # Panics
    /// When `i` is not below the capacity.
    #[inline]
    pub fn mark(&self, i: usize) -> bool {
        mark(&self.segments, i)
    }

    /// Unmarks each number and tells `f`, ascending. What is marked meanwhile is told now or next
    /// time.
    pub fn sweep(&mut self, mut f: impl FnMut(usize)) {
        for segment in &self.segments {
            segment.sweep(&mut f);
        }
    }

    /// Whether a sweep would find nothing.
    pub fn is_empty(&self) -> bool {
        self.segments.iter().all(|segment| segment.is_empty())
    }
}

/// Marks numbers of a [`DirtySet`] from any thread.
#[derive(Clone)]
pub struct DirtyMarker {
    segments: Vec<Arc<Segment>>,
}

impl DirtyMarker {
    /// Like [`DirtySet::mark`]. Ring the owner's doorbell afterwards.
    ///
    /// # Panics
    /// When `i` is not below the capacity that the set had when this handle was made.
    #[inline]
    pub fn mark(&self, i: usize) -> bool {
        mark(&self.segments, i)
    }
}
