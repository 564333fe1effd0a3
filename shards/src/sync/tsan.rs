//! What ThreadSanitizer can't see into, as the standard library comes without its instructions: the last
//! drop of an `Arc`, which is ordered by a fence, and a lock that is waited for.
//!
//! Only under `--cfg tsan`; nothing here ships, so nothing here has a mutant.

use std::ops::Deref;
use std::sync::TryLockError;
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counted<T> {
    drops: AtomicUsize,
    value: T,
}

/// `std::sync::Arc`, whose drops are ordered by a read-modify-write.
pub(crate) struct Arc<T>(std::sync::Arc<Counted<T>>);

impl<T> Arc<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(std::sync::Arc::new(Counted {
            drops: AtomicUsize::new(0),
            value,
        }))
    }

    pub(crate) fn get_mut(this: &mut Self) -> Option<&mut T> {
        this.0.drops.load(Ordering::Acquire);
        std::sync::Arc::get_mut(&mut this.0).map(|counted| &mut counted.value)
    }
}

impl<T> Clone for Arc<T> {
    fn clone(&self) -> Self {
        Self(std::sync::Arc::clone(&self.0))
    }
}

impl<T> Deref for Arc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T> Drop for Arc<T> {
    fn drop(&mut self) {
        self.0.drops.fetch_add(1, Ordering::AcqRel);
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Arc<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.value.fmt(f)
    }
}

/// `std::sync::Mutex`, which is tried until it is free: the part of it that is compiled here.
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
