//! A bounded queue from one thread to one other.
//!
//! **Invariant.** `head ≤ tail ≤ head + capacity` (free-running counters, compared by wrapping
//! subtraction). The places `head..tail` hold values and belong to the consumer; the others are empty
//! and belong to the producer. `tail` is written by the producer alone, `head` by the consumer alone.
//!
//! **Who.** [`Producer`] and [`Consumer`] are each one value, not `Clone`; what changes something
//! takes `&mut self`. Either may go away first: the other sees `is_closed`, and what is left in the
//! ring is dropped with the last of the two.
//!
//! **Why the orderings are enough.**
//! * `[ring.publish]` → `[ring.see_tail]`: the value was written before `tail` moved past it, so the
//!   consumer that reads this `tail` reads a whole value.
//! * `[ring.give_back]` → `[ring.see_head]`: the value was moved out before `head` moved past its
//!   place, so the producer that reads this `head` writes into a place that nobody reads any more.
//! * `[ring.close_*]` → `[ring.see_closed_*]`: after `is_closed()` one more `pop` finds all that was
//!   ever pushed, since each push happens before the producer's drop.
//! * Each side reads its own counter from a plain field, and keeps a copy of the other's: the shared
//!   line is read again only when the copy says full (or empty). An old copy errs to the safe side.
//! * `is_empty` reads `tail` with `Relaxed`: it touches no value. Used between `Doorbell::announce`
//!   and sleep, the fences there make it fresh enough.

use std::mem::MaybeUninit;
use std::ptr::NonNull;

use crossbeam_utils::CachePadded;

use crate::sync::{Arc, AtomicBool, AtomicUsize, Ordering, UnsafeCell};

/// Tens of cycles: less than a line takes from core to core.
const PAUSES_WHEN_CHASING: usize = 6;

struct Shared<T> {
    tail: CachePadded<AtomicUsize>,
    head: CachePadded<AtomicUsize>,
    producer_gone: AtomicBool,
    consumer_gone: AtomicBool,
    places: Box<[UnsafeCell<MaybeUninit<T>>]>,
}

// SAFETY: a place is touched by one side at a time (the invariant above), and handing it over
// synchronises; so the threads exchange whole values of `T`, which needs `T: Send` and no more.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above; `&Shared` gives no access to a value but through the one producer and consumer.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    #[inline]
    fn place(&self, index: usize) -> &UnsafeCell<MaybeUninit<T>> {
        &self.places[index & (self.places.len() - 1)]
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        let tail = self.tail.load(Ordering::Relaxed);
        let mut head = self.head.load(Ordering::Relaxed);
        while head != tail {
            // SAFETY: both sides are gone, and the last count of the `Arc` synchronises with them;
            // the places `head..tail` hold values, each of which is dropped once.
            self.place(head)
                .with_mut(|place| unsafe { (*place).assume_init_drop() });
            head = head.wrapping_add(1);
        }
    }
}

/// The ring had no room; the value comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Full<T>(pub T);

impl<T> std::fmt::Debug for Full<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Full(..)")
    }
}

impl<T> std::fmt::Display for Full<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "the ring is full: keep the value and push it again when the consumer has moved on",
        )
    }
}

impl<T> std::error::Error for Full<T> {}

/// A ring of at least `capacity` places (rounded up to a power of two), and its two ends.
///
/// All memory is taken here; pushing and popping allocate nothing.
///
/// ```
/// let (mut producer, mut consumer) = autovia_shards::ring(2);
/// producer.push('a').unwrap();
/// assert_eq!(consumer.pop(), Some('a'));
/// ```
pub fn ring<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    ring_starting_at(capacity, 0)
}

/// [`ring()`] whose counters start at `start`, so that tests reach their wrap-around.
#[doc(hidden)]
pub fn ring_starting_at<T>(capacity: usize, start: usize) -> (Producer<T>, Consumer<T>) {
    let capacity = capacity.max(1).next_power_of_two();
    let shared = Arc::new(Shared {
        tail: CachePadded::new(AtomicUsize::new(start)),
        head: CachePadded::new(AtomicUsize::new(start)),
        producer_gone: AtomicBool::new(false),
        consumer_gone: AtomicBool::new(false),
        places: (0..capacity)
            .map(|_| UnsafeCell::new(MaybeUninit::uninit()))
            .collect(),
    });
    let producer = Producer {
        places: Places::of(&shared),
        shared: Arc::clone(&shared),
        tail: start,
        seen_head: start,
    };
    let consumer = Consumer {
        places: Places::of(&shared),
        shared,
        head: start,
        seen_tail: start,
        found: [false; 2],
    };
    (producer, consumer)
}

/// The way to the places that each end keeps at hand: through [`Shared`] it would be two loads more per value.
struct Places<T> {
    first: NonNull<UnsafeCell<MaybeUninit<T>>>,
    mask: usize,
}

// SAFETY: an end owns `Shared` too, and touches a place only while the place is its own (the invariant above).
unsafe impl<T: Send> Send for Places<T> {}
// SAFETY: as above; by `&self` no place is read or written.
unsafe impl<T: Send> Sync for Places<T> {}

impl<T> Places<T> {
    fn of(shared: &Shared<T>) -> Self {
        Self {
            first: NonNull::from(&*shared.places).cast(),
            mask: shared.places.len() - 1,
        }
    }

    #[inline]
    fn at(&self, index: usize) -> &UnsafeCell<MaybeUninit<T>> {
        // SAFETY: the masked index is less than the number of places, which live as long as the `Shared` that
        // whoever holds this owns too.
        unsafe { self.first.add(index & self.mask).as_ref() }
    }
}

/// The end that pushes.
pub struct Producer<T> {
    shared: Arc<Shared<T>>,
    places: Places<T>,
    tail: usize,
    seen_head: usize,
}

impl<T> Producer<T> {
    /// How many values the ring holds at most.
    pub fn capacity(&self) -> usize {
        self.places.mask + 1
    }

    /// Puts `value` at the end of the queue.
    ///
    /// # Errors
    /// [`Full`] with the value when there is no room.
    #[inline]
    pub fn push(&mut self, value: T) -> Result<(), Full<T>> {
        if self.known_free() == 0 && !self.found_room() {
            return Err(Full(value));
        }
        // SAFETY: there is room, so the place at `tail` is empty and ours.
        self.places
            .at(self.tail)
            .with_mut(|place| unsafe { (*place).write(value) });
        self.tail = self.tail.wrapping_add(1);
        self.shared.tail.store(self.tail, Ordering::Release); // [ring.publish]
        Ok(())
    }

    /// Takes values from `values` while there is room and shows them to the consumer by one store.
    /// Returns how many; when the ring is full, nothing more is taken.
    pub fn push_batch(&mut self, values: &mut impl Iterator<Item = T>) -> usize {
        // The other side's counter is read again only when the copy may be too old, and nothing is stored
        // where nothing is new: a full ring's producer leaves its consumer's cache alone.
        let wanted = values.size_hint().1.unwrap_or(usize::MAX);
        if self.known_free() < wanted && self.free() == 0 {
            return 0;
        }
        let free = self.known_free();
        // Publishes on drop, so also what came before a panic in `values.next()`.
        let batch = PublishOnDrop(self);
        let mut count = 0;
        while count < free {
            let Some(value) = values.next() else { break };
            // SAFETY: fewer than `free` were written, so the place at `tail` is empty and ours.
            batch
                .0
                .places
                .at(batch.0.tail)
                .with_mut(|place| unsafe { (*place).write(value) });
            batch.0.tail = batch.0.tail.wrapping_add(1);
            count += 1;
        }
        count
    }

    /// How many values can be pushed now at least.
    #[inline]
    pub fn free(&mut self) -> usize {
        self.seen_head = self.shared.head.load(Ordering::Acquire); // [ring.see_head]
        self.known_free()
    }

    /// Looks again for room, which `push` needs once in a ring's length when the consumer keeps up.
    #[cold]
    #[inline(never)]
    fn found_room(&mut self) -> bool {
        self.free() > 0
    }

    /// Whether the consumer is gone, so that nobody will ever pop.
    pub fn is_closed(&self) -> bool {
        self.shared.consumer_gone.load(Ordering::Relaxed)
    }

    #[inline]
    fn known_free(&self) -> usize {
        (self.places.mask + 1) - self.tail.wrapping_sub(self.seen_head)
    }
}

impl<T> Drop for Producer<T> {
    fn drop(&mut self) {
        self.shared.producer_gone.store(true, Ordering::Release); // [ring.close]
    }
}

struct PublishOnDrop<'a, T>(&'a mut Producer<T>);

impl<T> Drop for PublishOnDrop<'_, T> {
    fn drop(&mut self) {
        self.0.shared.tail.store(self.0.tail, Ordering::Release); // [ring.publish_batch]
    }
}

/// The end that pops.
pub struct Consumer<T> {
    shared: Arc<Shared<T>>,
    places: Places<T>,
    head: usize,
    seen_tail: usize,
    /// Whether the last look of `pop` found something, and the one before.
    found: [bool; 2],
}

impl<T> Consumer<T> {
    /// How many values the ring holds at most.
    pub fn capacity(&self) -> usize {
        self.places.mask + 1
    }

    /// Takes the oldest value.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        if self.head == self.seen_tail && !self.look_again() {
            return None;
        }
        let value = self.take();
        self.shared.head.store(self.head, Ordering::Release); // [ring.give_back]
        Some(value)
    }

    /// Takes up to `max` of the values that are there now, oldest first, and gives their places back
    /// by one store. Returns how many.
    pub fn pop_batch(&mut self, max: usize, mut f: impl FnMut(T)) -> usize {
        let known = self.seen_tail.wrapping_sub(self.head);
        let count = if known < max {
            self.available().min(max)
        } else {
            max
        };
        if count == 0 {
            return 0;
        }
        // Gives back on drop, so also what was taken before a panic in `f`.
        let batch = GiveBackOnDrop(self);
        for _ in 0..count {
            f(batch.0.take());
        }
        count
    }

    /// Whether nothing is there to pop now.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.head == self.shared.tail.load(Ordering::Relaxed)
    }

    /// Whether the producer is gone. What it pushed before can still be popped.
    pub fn is_closed(&self) -> bool {
        self.shared.producer_gone.load(Ordering::Acquire) // [ring.see_closed]
    }

    /// Reads the producer's counter for `pop`; tells whether it has moved on.
    ///
    /// A consumer that finds something at each look is at the producer's heels: it would take the line of
    /// `tail`, and that of the values, for every few. So it gives the producer a moment to get ahead, and then
    /// takes more for one look. Who found nothing at one of the last two looks waits for nothing.
    #[cold]
    #[inline(never)]
    fn look_again(&mut self) -> bool {
        if self.found == [true; 2] {
            for _ in 0..PAUSES_WHEN_CHASING {
                std::hint::spin_loop();
            }
        }
        let found = self.available() > 0;
        self.found = [found, self.found[0]];
        found
    }

    #[inline]
    fn available(&mut self) -> usize {
        self.seen_tail = self.shared.tail.load(Ordering::Acquire); // [ring.see_tail]
        self.seen_tail.wrapping_sub(self.head)
    }

    /// Moves the value at `head` out; the caller knows that one is there and gives its place back.
    #[inline]
    fn take(&mut self) -> T {
        debug_assert_ne!(self.head, self.seen_tail);
        // SAFETY: `head` is before a `tail` that was read with Acquire, so the place holds a value
        // and is ours; `head` moves on at once, so it is read once.
        let value = self
            .places
            .at(self.head)
            .with_mut(|place| unsafe { (*place).assume_init_read() });
        self.head = self.head.wrapping_add(1);
        value
    }
}

impl<T> Drop for Consumer<T> {
    fn drop(&mut self) {
        self.shared.consumer_gone.store(true, Ordering::Relaxed);
    }
}

struct GiveBackOnDrop<'a, T>(&'a mut Consumer<T>);

impl<T> Drop for GiveBackOnDrop<'_, T> {
    fn drop(&mut self) {
        self.0.shared.head.store(self.0.head, Ordering::Release); // [ring.give_back_batch]
    }
}
