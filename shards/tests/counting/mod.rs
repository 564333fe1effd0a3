//! An allocator that counts.
//!
//! The count is the thread's own: the test harness allocates on its threads whenever it likes.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Far from zero: a thread may free what another has taken.
    static LIVE: Cell<usize> = const { Cell::new(1 << 40) };
}

fn count(change: impl Fn(usize) -> usize) {
    // A thread that ends may free after its own values are gone: nobody asks it any more.
    let _ = LIVE.try_with(|live| live.set(change(live.get())));
}

struct Counting;

// SAFETY: every call is passed on unchanged to the system's allocator; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(|live| live.wrapping_add(layout.size()));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(|live| live.wrapping_sub(layout.size()));
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that this thread has taken and not freed, and a constant.
pub fn live() -> usize {
    LIVE.get()
}
