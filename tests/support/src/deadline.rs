//! One deadline for everything that a test waits for: long enough for a machine that is busy with
//! other work, so that reaching it means "never", not "slow".

use std::io;
use std::thread;
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

/// Asks again and again until there is an answer, for up to [`DEADLINE`]: for what no message announces.
///
/// Each question is a round trip to somebody, so nothing is slept away; between two of them others may run.
pub fn eventually<T>(wanted: &str, ask: impl FnMut() -> Option<T>) -> T {
    eventually_within(DEADLINE, wanted, ask)
}

/// The same with another limit.
pub fn eventually_within<T>(limit: Duration, wanted: &str, ask: impl FnMut() -> Option<T>) -> T {
    ask_within(limit, ask).unwrap_or_else(|| panic!("waited in vain for: {wanted}"))
}

/// The same, for those who have more to tell when there was no answer.
pub(crate) fn ask_within<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Deadline::after(limit);
    loop {
        let answer = ask();
        if answer.is_some() || deadline.passed() {
            return answer;
        }
        thread::yield_now();
    }
}
