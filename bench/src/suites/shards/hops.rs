//! From shard to shard through the runtime, beside the least that the machine can do.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use autovia::bench_support::{Receiver, hops};
use rustix::event::{EventfdFlags, epoll, eventfd};

use super::time::{nanoseconds, pin, until};
use super::{Case, Cores};
use crate::suites::SuiteError;
use crate::table::percentile;

const AWAKE_HOPS: u32 = 20_000;
const ASLEEP_HOPS: u32 = 500;
/// Long enough for the receiver to be asleep in the kernel, and its core idle.
const SLEEP: Duration = Duration::from_micros(300);

pub(super) const EXPLANATION: &str = "From just before the send until the receiver's handler, p50. `autovia runtime`: mesh, \
    doorbell, and a receiver that turns as a shard does, with its executor, reactor and timers. Awake, the floor is one word \
    that the receiver does nothing but read; asleep, a thread that blocks in `epoll_wait` on an eventfd. Asleep means for \
    300 µs, on a core that has nothing else to do. The targets are 1,000 ns awake and 20,000 ns asleep.";

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("receiver awake, p50")
            .with_fallible("autovia runtime", |cores| ours(cores, Receiver::Awake))
            .with("floor: a word in memory", awake_floor),
        Case::new("receiver asleep, p50")
            .with_fallible("autovia runtime", |cores| ours(cores, Receiver::Asleep))
            .with_fallible("floor: eventfd, epoll_wait", asleep_floor),
    ]
}

fn ours(cores: Cores, receiver: Receiver) -> Result<f64, SuiteError> {
    let (count, pause): (_, fn(u32) -> Duration) = match receiver {
        Receiver::Awake => (AWAKE_HOPS, out_of_step),
        Receiver::Asleep => (ASLEEP_HOPS, |_| SLEEP),
    };
    let hops = hops(cores, receiver, count, pause).map_err(SuiteError::Runtime)?;
    match receiver {
        Receiver::Awake => assert_eq!(hops.calls, 0, "an awake receiver costs no system call"),
        Receiver::Asleep => assert!(hops.calls <= count + 1, "one call per sleep at most"),
    }
    Ok(p50(&hops.latencies))
}

/// Differs from message to message, so that they don't fall into step with the receiver's turns.
fn out_of_step(number: u32) -> Duration {
    Duration::from_nanos(u64::from(number.wrapping_mul(2_654_435_761) >> 20))
}

/// Nothing but the way of a cache line from core to core.
fn awake_floor(cores: Cores) -> f64 {
    let (word, answer) = (AtomicU64::new(0), AtomicU64::new(0));
    let zero = Instant::now();
    let latencies = thread::scope(|scope| {
        scope.spawn(|| {
            pin(cores[1]);
            for _ in 0..AWAKE_HOPS {
                let sent = until(|| taken(&word));
                let took = since(zero) - sent;
                answer.store(took.max(1), Ordering::Release);
            }
        });
        let sender = scope.spawn(|| {
            pin(cores[0]);
            (0..AWAKE_HOPS)
                .map(|number| {
                    spin_for(out_of_step(number));
                    word.store(since(zero), Ordering::Release);
                    Duration::from_nanos(until(|| taken(&answer)))
                })
                .collect()
        });
        sender
            .join()
            .unwrap_or_else(|payload| std::panic::resume_unwind(payload))
    });
    let latencies: Vec<Duration> = latencies;
    p50(&latencies)
}

/// The number in `word` if there is one; whoever waits only reads until then.
fn taken(word: &AtomicU64) -> Option<u64> {
    let number = word.load(Ordering::Acquire);
    if number == 0 {
        return None;
    }
    word.store(0, Ordering::Relaxed);
    Some(number)
}

fn since(zero: Instant) -> u64 {
    u64::try_from(zero.elapsed().as_nanos()).expect("a run is shorter than centuries")
}

/// A thread that blocks in `epoll_wait` until an eventfd in the set is written to.
fn asleep_floor(cores: Cores) -> Result<f64, SuiteError> {
    let floor = || -> std::io::Result<(OwnedFd, OwnedFd)> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let set = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&set, &bell, epoll::EventData::new_u64(0), flags)?;
        Ok((bell, set))
    };
    let (bell, set) = floor().map_err(SuiteError::system("making an eventfd in an epoll set"))?;
    let (sent, answer) = (AtomicU64::new(0), AtomicU64::new(0));
    let zero = Instant::now();
    let latencies: Vec<Duration> = thread::scope(|scope| {
        scope.spawn(|| {
            pin(cores[1]);
            let mut events = Vec::with_capacity(1);
            for _ in 0..ASLEEP_HOPS {
                events.clear();
                while events.is_empty() {
                    let room = rustix::buffer::spare_capacity(&mut events);
                    // An interrupted wait is one to try again.
                    epoll::wait(&set, room, None).ok();
                }
                let took = since(zero) - sent.load(Ordering::Acquire);
                answer.store(took.max(1), Ordering::Release);
            }
        });
        let sender = scope.spawn(|| {
            pin(cores[0]);
            (0..ASLEEP_HOPS)
                .map(|_| {
                    spin_for(SLEEP);
                    sent.store(since(zero), Ordering::Release);
                    rustix::io::write(&bell, &1_u64.to_ne_bytes())
                        .expect("the counter is not full");
                    Duration::from_nanos(until(|| taken(&answer)))
                })
                .collect()
        });
        sender
            .join()
            .unwrap_or_else(|payload| std::panic::resume_unwind(payload))
    });
    Ok(p50(&latencies))
}

fn spin_for(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}

fn p50(latencies: &[Duration]) -> f64 {
    nanoseconds(percentile(latencies, 50).expect("there were hops"))
}
