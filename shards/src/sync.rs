//! The only door to atomics, cells and locks: the standard library's, or a checker's under its `--cfg`.
//!
//! | cfg | who | what it sees |
//! |---|---|---|
//! | `loom` | every schedule of two or three threads, every store that a load may read | all |
//! | `shuttle` | random schedules of four and more threads | atomics, locks; orderings count as SeqCst |
//! | `tsan` | ThreadSanitizer on real threads | all but fences |
//!
//! Nothing else in this crate names `std::sync`, `loom` or `shuttle`, so they run the code that ships.

#[cfg(not(loom))]
mod cell {
    /// `core::cell::UnsafeCell` with loom's interface, so that loom can watch every access.
    pub(crate) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(core::cell::UnsafeCell::new(value))
        }

        #[inline]
        pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }
}

#[cfg(not(any(loom, shuttle)))]
mod real {
    pub(crate) use super::cell::UnsafeCell;
    #[cfg(tsan)]
    pub(crate) use super::tsan::{Arc, Mutex, MutexGuard};
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
    #[cfg(not(tsan))]
    pub(crate) use std::sync::{Arc, Mutex, MutexGuard};

    /// Waits a moment for another thread; gives the core away now and then.
    #[inline]
    pub(crate) fn wait_a_moment(round: u32) {
        if round % 16 == 15 {
            std::thread::yield_now();
        } else {
            core::hint::spin_loop();
        }
    }

    /// After a lost race, of which `lost` counts those in a row: leaves the winner alone for a moment, so that it goes
    /// on at the pace of one thread. Waits for nobody, and some microseconds at most.
    #[cold]
    pub(crate) fn step_back(lost: &mut u32) {
        for _ in 0..16 << (*lost).min(4) {
            core::hint::spin_loop();
        }
        *lost = lost.saturating_add(1);
    }

    /// A small number that differs between threads, to spread them over equal places.
    #[inline]
    pub(crate) fn thread_hint() -> usize {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static HINT: usize = NEXT.fetch_add(1, Ordering::Relaxed);
        }
        HINT.try_with(|hint| *hint).unwrap_or(0)
    }

    /// Zeroed lines, of which the kernel gives a page only when it is first written.
    pub(crate) fn zeroed_lines(count: usize) -> Box<[Line]> {
        // SAFETY: a `Line` is an array of `AtomicU64`, for which all-zero bytes are the value 0.
        unsafe { Box::<[Line]>::new_zeroed_slice(count).assume_init() }
    }

    use super::Line;
}

#[cfg(any(loom, shuttle))]
mod real {
    #[cfg(not(loom))]
    pub(crate) use super::cell::UnsafeCell;
    #[cfg(loom)]
    pub(crate) use loom::{
        cell::UnsafeCell,
        sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence},
        sync::{Arc, Mutex, MutexGuard},
        thread::yield_now,
    };
    #[cfg(not(loom))]
    pub(crate) use shuttle::{
        sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence},
        sync::{Arc, Mutex, MutexGuard},
        thread::yield_now,
    };

    pub(crate) fn wait_a_moment(_round: u32) {
        yield_now();
    }

    pub(crate) fn step_back(_lost: &mut u32) {}

    pub(crate) fn thread_hint() -> usize {
        0
    }

    pub(crate) fn zeroed_lines(count: usize) -> Box<[super::Line]> {
        (0..count).map(|_| super::Line::default()).collect()
    }
}

#[cfg(tsan)]
mod tsan;

pub(crate) use real::*;
use std::sync::PoisonError;

/// Locks. No code of callers runs under a lock of this crate, so a poisoned one can't be half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Words per [`Line`].
pub(crate) const LINE_WORDS: usize = 8;

/// One cache line of words.
#[repr(align(64))]
#[derive(Default)]
pub(crate) struct Line([AtomicU64; LINE_WORDS]);

impl Line {
    #[inline]
    pub(crate) fn words(&self) -> &[AtomicU64; LINE_WORDS] {
        &self.0
    }
}

/// Word `index` of a run of lines.
#[inline]
pub(crate) fn word(lines: &[Line], index: usize) -> &AtomicU64 {
    &lines[index / LINE_WORDS].0[index % LINE_WORDS]
}
