//! What ThreadSanitizer can't see into, as the standard library comes without its instructions: the last
//! drop of an `Arc`, which is ordered by a fence, and a lock that is waited for.
//!
//! Only under `--cfg tsan`; nothing here ships, so nothing here has a mutant.

use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::TryLockError;
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counted<T> {
    users: AtomicUsize,
    value: T,
}

/// As `std::sync::Arc`, but each drop acquires, so that no fence is needed before the last.
pub(crate) struct Arc<T>(NonNull<Counted<T>>);

// SAFETY: as for `std::sync::Arc`: all users share the value, and any of them may drop it.
unsafe impl<T: Send + Sync> Send for Arc<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Arc<T> {}

impl<T> Arc<T> {
    pub(crate) fn new(value: T) -> Self {
        let users = AtomicUsize::new(1);
        Self(NonNull::from(Box::leak(Box::new(Counted { users, value }))))
    }

    fn counted(&self) -> &Counted<T> {
        // SAFETY: it lives until its last user is dropped, and this is one.
        unsafe { self.0.as_ref() }
    }

    pub(crate) fn get_mut(this: &mut Self) -> Option<&mut T> {
        if this.counted().users.load(Ordering::Acquire) != 1 {
            return None;
        }
        // SAFETY: this is the only user, and it is borrowed mutably.
        Some(unsafe { &mut this.0.as_mut().value })
    }
}

impl<T> Clone for Arc<T> {
    fn clone(&self) -> Self {
        self.counted().users.fetch_add(1, Ordering::Relaxed);
        Self(self.0)
    }
}

impl<T> Deref for Arc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.counted().value
    }
}

impl<T> Drop for Arc<T> {
    fn drop(&mut self) {
        if self.counted().users.fetch_sub(1, Ordering::AcqRel) == 1 {
            // SAFETY: made by `Box::leak`, and this was the last user.
            drop(unsafe { Box::from_raw(self.0.as_ptr()) });
        }
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Arc<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.counted().value.fmt(f)
    }
}

/// `std::sync::Mutex`, tried until it is free: only that part of it is compiled here, and so seen.
pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

pub(crate) type MutexGuard<'a, T> = std::sync::MutexGuard<'a, T>;

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> std::sync::LockResult<MutexGuard<'_, T>> {
        loop {
            match self.0.try_lock() {
                Ok(guard) => return Ok(guard),
                Err(TryLockError::Poisoned(poison)) => return Err(poison),
                Err(TryLockError::WouldBlock) => std::thread::yield_now(),
            }
        }
    }
}
