//! For `bench/` alone: descriptor tables for its load threads ([`Parting`]), and a hop from one thread to a shard's,
//! through everything of the runtime that a hop meets.
//!
//! The receiver is an executor with a reactor, a doorbell and a sleeper, and its turn has the steps of a shard's turn
//! that come before and after the app's work. What the app makes of a message is not in the figure.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::hint::spin_loop;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use autovia_shards::{Bell, Endpoint, MeshConfig, Received, mesh};

use crate::runtime::blocking::{Blocking, Pool};
pub use crate::runtime::tables::Parting;
use crate::runtime::timer::Timers;
use crate::runtime::wake::{Sleeper, WakeFd};
use crate::runtime::{Executor, Reactor, yield_now};

/// Whether the receiver sleeps between two messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// It turns without a pause.
    Awake,
    /// It sleeps in the kernel.
    Asleep,
}

/// How long each message was under way, and what waking cost the sender.
#[derive(Clone, Debug)]
pub struct Hops {
    /// From just before the send until the receiver's handler.
    pub latencies: Vec<Duration>,
    /// How often the sender had to wake the receiver: a system call each.
    pub calls: u32,
}

enum Parcel {
    Question(Instant),
    Answer(Duration),
    End,
}

/// Sends `count` messages from `cores[0]` to a receiver on `cores[1]`, one after another; before each, the sender
/// spins for `pause(n)`.
///
/// # Errors
/// The text of what the kernel refused, or that a message was lost.
pub fn hops(
    cores: [usize; 2],
    receiver: Receiver,
    count: u32,
    pause: impl Fn(u32) -> Duration + Send,
) -> Result<Hops, String> {
    let wake = WakeFd::new().map_err(|error| error.to_string())?;
    let ring = wake.clone();
    let (call, calls) = crossbeam_channel::unbounded();
    let mut ends = mesh(
        vec![
            Box::new(|| {}),
            Box::new(move || {
                ring.ring();
                call.send(()).ok();
            }),
        ],
        MeshConfig::default(),
    );
    let (far, near) = (ends.pop(), ends.pop());
    let (Some(far), Some(near)) = (far, near) else {
        return Err("a mesh of two has two ends".to_owned());
    };
    let bell = near.bell(1);
    std::thread::scope(|scope| {
        let shard = scope.spawn(move || sit(cores[1], far, wake, bell, receiver));
        let sender = scope.spawn(move || send(cores[0], near, count, pause));
        let latencies = sender.join().map_err(|_| "the sender panicked")??;
        shard.join().map_err(|_| "the receiver panicked")??;
        let calls = u32::try_from(calls.try_iter().count()).unwrap_or(u32::MAX);
        Ok(Hops { latencies, calls })
    })
}

/// An answer that takes longer is lost.
const PATIENCE: Duration = Duration::from_secs(5);

fn send(
    core: usize,
    mut endpoint: Endpoint<Parcel>,
    count: u32,
    pause: impl Fn(u32) -> Duration,
) -> Result<Vec<Duration>, String> {
    let _executor = Executor::pinned(Some(core), "hop-sender")?;
    let mut latencies = Vec::new();
    for number in 0..count {
        let start = Instant::now() + pause(number);
        while Instant::now() < start {
            spin_loop();
        }
        let sent = Instant::now();
        endpoint
            .send(1, Parcel::Question(sent))
            .map_err(|_| "the lane has no room for one message")?;
        endpoint.flush();
        let mut answer = None;
        while answer.is_none() {
            endpoint.receive(|_, received| {
                if let Received::Parcel(Parcel::Answer(took)) = received {
                    answer = Some(took);
                }
            });
            if sent.elapsed() > PATIENCE {
                return Err(format!("message {number} of {count} was lost"));
            }
        }
        latencies.extend(answer);
    }
    endpoint
        .send(1, Parcel::End)
        .map_err(|_| "the lane has no room for the end")?;
    endpoint.flush();
    Ok(latencies)
}

fn sit(
    core: usize,
    mut endpoint: Endpoint<Parcel>,
    wake: WakeFd,
    bell: Bell,
    receiver: Receiver,
) -> Result<(), String> {
    let executor = Executor::pinned(Some(core), "hop-receiver")?;
    executor.run(async move {
        let reactor = Reactor::install().map_err(|error| error.to_string())?;
        reactor
            .listen_to_wakes(wake.as_fd())
            .map_err(|error| error.to_string())?;
        let mut sleeper = Sleeper::new(Rc::clone(&reactor))?;
        let pool = Pool::start().map_err(|error| error.to_string())?;
        let blocking = Blocking::new(pool, Arc::new(move || bell.ring()));
        let timers = Timers::default();
        let ended = Cell::new(false);
        while !ended.get() {
            reactor.poll(|_, _| {}).map_err(|error| error.to_string())?;
            blocking.deliver();
            let mut answer = None;
            endpoint.receive(|_, received| match received {
                Received::Parcel(Parcel::Question(sent)) => answer = Some(sent.elapsed()),
                _ => ended.set(true),
            });
            timers.fire(Instant::now());
            if let Some(took) = answer {
                endpoint
                    .send(0, Parcel::Answer(took))
                    .map_err(|_| "the lane has no room for one answer")?;
            }
            endpoint.flush();
            yield_now().await;
            if receiver == Receiver::Awake || !endpoint.may_sleep(|| blocking.is_quiet()) {
                continue;
            }
            sleeper.sleep(timers.next_deadline(), |_| false).await;
            endpoint.woke();
        }
        Ok(())
    })
}
