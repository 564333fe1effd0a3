//! Taking time: short slices, of which the middle one counts.
//!
//! What a thread works with is moved to its own stack: two of them side by side in a caller's frame would share a
//! cache line, and the measurement would be of that.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Cores;
use crate::cpu::pin_this_thread;
use crate::table::Spread;

/// Slices of one measurement.
const SLICES: usize = 15;
/// How long a slice should take: short beside a scheduler's turn, long beside reading the clock.
const SLICE: Duration = Duration::from_millis(2);

/// Nanoseconds per operation of `work`, which does as many operations as it is asked for. The first slices find
/// out how many fit into a slice and warm up.
pub(super) fn per_operation(mut work: impl FnMut(u64)) -> f64 {
    let mut operations = 64;
    while timed(operations, &mut work) < SLICE {
        operations *= 2;
    }
    middle((0..SLICES).map(|_| nanoseconds(timed(operations, &mut work)) / count(operations)))
}

fn timed(operations: u64, work: &mut impl FnMut(u64)) -> Duration {
    let start = Instant::now();
    work(operations);
    start.elapsed()
}

/// [`per_operation`] on a thread of its own on the first core.
pub(super) fn alone(cores: Cores, work: impl FnMut(u64) + Send) -> f64 {
    on_core(cores[0], move || per_operation(work))
}

/// [`per_operation`] of `work` on the first core, while the second core does nothing but `other`, which is called
/// again and again and returns soon.
pub(super) fn against(
    cores: Cores,
    work: impl FnMut(u64) + Send,
    mut other: impl FnMut() + Send,
) -> f64 {
    let (done, calls) = (&AtomicBool::new(false), &Apart(AtomicU64::new(0)).0);
    thread::scope(|scope| {
        scope.spawn(move || {
            pin(cores[1]);
            while !done.load(Ordering::Relaxed) {
                other();
                calls.fetch_add(1, Ordering::Relaxed);
            }
        });
        let _stops_the_other = SetOnDrop(done);
        while calls.load(Ordering::Relaxed) == 0 {
            thread::yield_now();
        }
        on_core(cores[0], move || per_operation(work))
    })
}

/// Nanoseconds per operation and thread while both cores do the same as fast as they can. The operations of both are
/// counted, so a structure that lets one thread starve the other gains nothing by it.
pub(super) fn together(
    cores: Cores,
    mut one: impl FnMut(u64) + Send,
    mut other: impl FnMut(u64) + Send,
) -> f64 {
    /// How many operations pass between two looks at the clock or the flag.
    const AT_ONCE: u64 = 16;
    let (done, others) = (&AtomicBool::new(false), &Apart(AtomicU64::new(0)).0);
    thread::scope(|scope| {
        scope.spawn(move || {
            pin(cores[1]);
            while !done.load(Ordering::Relaxed) {
                other(AT_ONCE);
                others.fetch_add(AT_ONCE, Ordering::Relaxed);
            }
        });
        let _stops_the_other = SetOnDrop(done);
        while others.load(Ordering::Relaxed) == 0 {
            thread::yield_now();
        }
        on_core(cores[0], move || {
            middle((0..SLICES).map(|_| {
                let (start, before) = (Instant::now(), others.load(Ordering::Relaxed));
                let mut own = 0;
                while start.elapsed() < SLICE {
                    one(AT_ONCE);
                    own += AT_ONCE;
                }
                per_thread(
                    start.elapsed(),
                    own,
                    others.load(Ordering::Relaxed) - before,
                )
            }))
        })
    })
}

fn per_thread(elapsed: Duration, own: u64, others: u64) -> f64 {
    2.0 * nanoseconds(elapsed) / count(own + others)
}

/// On lines of its own, so that counting disturbs nothing that is measured.
#[repr(align(256))]
struct Apart(AtomicU64);

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn on_core<T: Send>(core: usize, work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let thread = scope.spawn(move || {
            pin(core);
            work()
        });
        thread
            .join()
            .unwrap_or_else(|payload| std::panic::resume_unwind(payload))
    })
}

/// Pins the calling thread to a core that the process was seen to be allowed.
pub(super) fn pin(core: usize) {
    pin_this_thread(core).expect("the core was in this process's set when the suite began");
}

/// Calls `attempt` until it gives something.
#[inline]
pub(super) fn until<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        spin_loop();
    }
}

/// The median.
pub(super) fn middle(samples: impl IntoIterator<Item = f64>) -> f64 {
    Spread::of(samples)
        .expect("a measurement has slices")
        .median
}

pub(super) fn nanoseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn count(operations: u64) -> f64 {
    operations as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_is_asked_for_more_until_a_slice_is_long_and_then_always_for_the_same() {
        let mut asked = Vec::new();
        per_operation(|operations| {
            asked.push(operations);
            let until =
                Instant::now() + Duration::from_micros(10) * u32::try_from(operations).unwrap();
            while Instant::now() < until {}
        });
        let last = *asked.last().unwrap();
        assert!(asked.starts_with(&[64, 128]), "{asked:?}");
        assert!(asked.ends_with(&[last; SLICES]), "{asked:?}");
    }

    #[test]
    fn the_other_thread_runs_before_the_clock_starts_and_ends_with_it() {
        let calls = AtomicU64::new(0);
        let core = crate::cpu::allowed_cores().unwrap()[0];
        let seen_first = std::sync::OnceLock::new();
        against(
            [core, core],
            |_| {
                seen_first.get_or_init(|| calls.load(Ordering::Relaxed));
                thread::sleep(SLICE);
            },
            || {
                calls.fetch_add(1, Ordering::Relaxed);
                thread::yield_now();
            },
        );
        assert!(*seen_first.get().unwrap() > 0);
    }

    #[test]
    fn who_starves_the_other_gains_nothing() {
        let fair = per_thread(Duration::from_micros(1), 10, 10);
        let unfair = per_thread(Duration::from_micros(1), 20, 0);
        assert!((fair - 100.0).abs() < 1e-9, "{fair}");
        assert!((unfair - 100.0).abs() < 1e-9, "{unfair}");
    }
}
