//! One deadline for everything that a test waits for: long enough for a machine that is busy with
//! other work, so that reaching it means "never", not "slow".

use std::io;
use std::time::{Duration, Instant};

/// How long anything in this crate waits before it gives up.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A point in time after which waiting is over.
#[derive(Clone, Copy)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    pub(crate) fn start() -> Self {
        Self::after(DEADLINE)
    }

    pub(crate) fn after(duration: Duration) -> Self {
        Self(Instant::now() + duration)
    }

    /// What is left, never zero: socket options refuse a zero timeout.
    pub(crate) fn left(self) -> io::Result<Duration> {
        match self.0.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => Ok(left),
            _ => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "nothing more came before the deadline",
            )),
        }
    }

    pub(crate) fn passed(self) -> bool {
        Instant::now() >= self.0
    }
}
