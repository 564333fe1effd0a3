//! 0005: waking a sleeping shard from another thread. Does any wake-up get lost in a
//! million, and how long does one take when the shard sleeps in the kernel?
//!
//! The shard sleeps by the architecture's protocol: announce, fence, look again, sleep.
//! The other thread stores its message, fences, and rings only where sleep is announced.
//! No timer is in flight, so a lost wake-up hangs: the watch ends the run and says so.
//!
//! `wake [pings] [asleep samples] [rounds]`

use std::{
    env,
    future::poll_fn,
    process::exit,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::*, fence},
    },
    task::{Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use autovia_spikes::{
    stats::{Latencies, Runs},
    sys,
};
use glommio::io::PollableFd;
use rustix::{
    event::{EventfdFlags, Timespec, epoll, eventfd},
    fd::OwnedFd,
};

#[derive(Clone, Copy, PartialEq, Debug)]
enum Way {
    /// Edge-triggered eventfd in an epoll set, never read; the set awaited by glommio.
    EpollDoorbell,
    /// An eventfd awaited by glommio itself, and read after each wake-up.
    AwaitedEventfd,
    /// The task's waker, called from the other thread.
    ForeignWaker,
    /// No glommio: the thread blocks in `epoll_wait`. The floor.
    BareEpoll,
}

const WAYS: [Way; 4] = [
    Way::EpollDoorbell,
    Way::AwaitedEventfd,
    Way::ForeignWaker,
    Way::BareEpoll,
];

#[derive(Default)]
struct Shared {
    message: AtomicU64,
    answer: AtomicU64,
    asleep: AtomicBool,
    rings: AtomicU64,
    waker: Mutex<Option<Waker>>,
}

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let number = |i: usize, default: u64| {
        args.get(i)
            .map_or(default, |a| a.parse().expect("a number"))
    };
    let (pings, samples, rounds) = (number(0, 1_000_000), number(1, 2_000), number(2, 3));

    println!("| way | pings | answered | rings | µs per ping-pong |\n|---|---|---|---|---|");
    for way in WAYS {
        let start = Instant::now();
        let (rings, _) = play(way, pings, false);
        let each = start.elapsed().as_secs_f64() * 1e6 / pings as f64;
        println!("| {way:?} | {pings} | all | {rings} | {each:.2} |");
    }

    let mut p50 = vec![Runs::default(); WAYS.len()];
    let mut p99 = vec![Runs::default(); WAYS.len()];
    for _ in 0..rounds {
        for (i, way) in WAYS.into_iter().enumerate() {
            let latencies = Latencies::new(play(way, samples, true).1);
            p50[i].push(latencies.micros(0.5));
            p99[i].push(latencies.micros(0.99));
        }
    }
    println!("\n| way, shard asleep for 300 µs | p50, µs | p99, µs |\n|---|---|---|");
    for (i, way) in WAYS.into_iter().enumerate() {
        println!("| {way:?} | {} | {} |", p50[i], p99[i]);
    }
}

fn play(way: Way, pings: u64, asleep: bool) -> (u64, Vec<u64>) {
    let shared = Arc::new(Shared::default());
    let doorbell = Arc::new(eventfd(0, EventfdFlags::NONBLOCK).expect("eventfd"));
    let shard = thread::spawn({
        let (shared, doorbell) = (shared.clone(), doorbell.clone());
        move || {
            sys::pin(1);
            if way == Way::BareEpoll {
                bare_shard(&shared, &doorbell, pings);
            } else {
                glommio_shard(way, shared, &doorbell, pings);
            }
        }
    });
    sys::pin(0);
    let mut latencies = Vec::new();
    for ping in 1..=pings {
        if asleep {
            while !shared.asleep.load(SeqCst) {
                std::hint::spin_loop();
            }
            sys::spin_until(Instant::now() + Duration::from_micros(300));
        }
        let start = sys::now();
        shared.message.store(ping, Release);
        fence(SeqCst);
        if shared.asleep.swap(false, AcqRel) {
            shared.rings.fetch_add(1, Relaxed);
            if way == Way::ForeignWaker {
                let waker = shared.waker.lock().expect("no panic").clone();
                waker.expect("announced with its waker").wake();
            } else {
                rustix::io::write(&*doorbell, &1u64.to_ne_bytes()).expect("ring");
            }
        }
        let mut spins = 0u64;
        while shared.answer.load(Acquire) != ping {
            std::hint::spin_loop();
            spins += 1;
            if spins.is_multiple_of(1 << 20) && sys::now() - start > 3_000_000_000 {
                println!("{way:?}: LOST the wake-up of ping {ping}");
                exit(1);
            }
        }
        if asleep {
            latencies.push(sys::now() - start);
        }
    }
    shard.join().expect("the shard ends");
    (shared.rings.load(SeqCst), latencies)
}

fn set_with(doorbell: &OwnedFd) -> OwnedFd {
    let set = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll");
    epoll::add(
        &set,
        doorbell,
        epoll::EventData::new_u64(1),
        epoll::EventFlags::IN | epoll::EventFlags::ET,
    )
    .expect("add the doorbell");
    set
}

fn harvest(set: &OwnedFd, timeout: Option<&Timespec>) {
    let mut events = Vec::with_capacity(16);
    epoll::wait(set, rustix::buffer::spare_capacity(&mut events), timeout).expect("epoll_wait");
}

/// Announce, fence, look again: true when it is right to sleep.
fn may_sleep(shared: &Shared, done: u64) -> bool {
    shared.asleep.store(true, Release);
    fence(SeqCst);
    if shared.message.load(Acquire) == done {
        return true;
    }
    shared.asleep.store(false, Release);
    false
}

fn bare_shard(shared: &Shared, doorbell: &OwnedFd, pings: u64) {
    let set = set_with(doorbell);
    let mut done = 0;
    while done < pings {
        let message = shared.message.load(Acquire);
        if message != done {
            done = message;
            shared.answer.store(done, Release);
        } else if may_sleep(shared, done) {
            harvest(&set, None);
        }
    }
}

fn glommio_shard(way: Way, shared: Arc<Shared>, doorbell: &OwnedFd, pings: u64) {
    let set = set_with(doorbell);
    let doorbell = doorbell.try_clone().expect("a descriptor");
    glommio::LocalExecutorBuilder::new(glommio::Placement::Fixed(1))
        .io_memory(65536)
        .make()
        .expect("io_uring is allowed here")
        .run(async move {
            let set = PollableFd::new(set).expect("pollable");
            let doorbell = PollableFd::new(doorbell).expect("pollable");
            let mut done = 0;
            while done < pings {
                let message = shared.message.load(Acquire);
                if message != done {
                    done = message;
                    shared.answer.store(done, Release);
                    continue;
                }
                if way == Way::ForeignWaker {
                    poll_fn(|cx| {
                        *shared.waker.lock().expect("no panic") = Some(cx.waker().clone());
                        if may_sleep(&shared, done) {
                            Poll::Pending
                        } else {
                            Poll::Ready(())
                        }
                    })
                    .await;
                } else if may_sleep(&shared, done) {
                    if way == Way::EpollDoorbell {
                        set.readable().await.expect("readable");
                        harvest(set.get_ref(), Some(&Timespec::default()));
                    } else {
                        doorbell.readable().await.expect("readable");
                        let mut count = [0; 8];
                        let _ = rustix::io::read(doorbell.get_ref(), &mut count);
                    }
                }
            }
        });
}
