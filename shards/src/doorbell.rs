//! How a sleeping thread is woken, and an awake one is left alone.
//!
//! **Invariant.** `asleep` is true only between the receiver's `announce` and the first of: its own
//! `awake`, or the one `ring` that found it true. That `ring` owes exactly one call of the callback.
//!
//! **Who.** Any thread rings, after it has put something where the receiver looks. One thread, the
//! receiver, announces, looks, sleeps and says that it is awake.
//!
//! **Why no wake-up is lost.** Both sides write, fence, then read what the other wrote:
//!
//! ```text
//! sender                                  receiver
//! put something (a ring's tail)           asleep = true
//! fence(SeqCst)    [bell.ring_fence]      fence(SeqCst)    [bell.announce_fence]
//! read asleep                             look at everything
//! ```
//!
//! The two fences are ordered one way or the other. Sender's first: the look sees what was put, and
//! the receiver does not sleep. Receiver's first: the sender reads `asleep == true` and calls. No
//! other order is needed, so all accesses of `asleep` are `Relaxed`. Each change is a `swap`, so the
//! changes form one chain: one of several senders finds it true and calls, and a late one can't undo a
//! later announcement unseen. (A plain store would do for the receiver, whose value does not depend on
//! the old one; but loom has no total order of the stores to one place, and could not show it.) What
//! the receiver reads once awake, it reads with the orderings of the
//! structure that holds it. The callback itself must synchronise with the end of the sleep, as a write
//! to an eventfd or `Thread::unpark` does.

use crossbeam_utils::CachePadded;

use crate::sync::{AtomicBool, Ordering, fence};

/// A sleeping/awake flag and what to call to wake the sleeper.
///
/// ```
/// use autovia_shards::Doorbell;
/// let bell = Doorbell::new(Box::new(|| println!("wake up")));
/// bell.ring(); // awake: nothing is called
/// bell.announce();
/// // Look at everything that could have come; if there is nothing: sleep.
/// bell.ring(); // calls
/// bell.ring(); // has been called for this sleep
/// bell.awake();
/// ```
pub struct Doorbell {
    asleep: CachePadded<AtomicBool>,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Doorbell {
    /// A doorbell of a receiver that is awake. `wake` ends its sleep, whether that has begun or is
    /// about to.
    pub fn new(wake: Box<dyn Fn() + Send + Sync>) -> Self {
        Self {
            asleep: CachePadded::new(AtomicBool::new(false)),
            wake,
        }
    }

    /// Sender: something was put where the receiver looks. Calls `wake` when the receiver sleeps and
    /// nobody has called for this sleep; an awake receiver costs a fence and a load.
    #[inline]
    pub fn ring(&self) {
        fence(Ordering::SeqCst); // [bell.ring_fence]
        if self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::Relaxed) {
            (self.wake)();
        }
    }

    /// Receiver: from now on senders call. Look at everything once more after this, then sleep, or
    /// say [`awake`](Self::awake) when something was there.
    #[inline]
    pub fn announce(&self) {
        self.asleep.swap(true, Ordering::Relaxed);
        fence(Ordering::SeqCst); // [bell.announce_fence]
    }

    /// Receiver: no more calls are needed. After this, everything must be looked at before the next
    /// sleep, which `announce` asks for anyway.
    #[inline]
    pub fn awake(&self) {
        if self.asleep.load(Ordering::Relaxed) {
            self.asleep.swap(false, Ordering::Relaxed);
        }
    }
}

impl std::fmt::Debug for Doorbell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Doorbell")
            .field("asleep", &self.asleep.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}
