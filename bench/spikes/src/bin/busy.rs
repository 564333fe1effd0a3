//! 0001, 0005: how late does an executor see the world while its run queue never gets
//! empty? A wake-up from outside, an awaited descriptor, a timer; and the ways round it.
//!
//! `busy [rounds]`

use std::{
    cell::Cell,
    env,
    future::{Future, poll_fn},
    rc::Rc,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    task::{Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use autovia_spikes::{
    stats::{Latencies, Runs},
    sys,
};
use futures_lite::future::yield_now;
use glommio::io::{PollState, PollableFd};
use rustix::{
    event::{EventfdFlags, epoll, eventfd},
    fd::OwnedFd,
};

fn main() {
    busy(
        env::args()
            .nth(1)
            .map_or(3, |a| a.parse().expect("a number")),
    );
}

/// How a thread outside reaches an executor whose run queue never gets empty.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Way {
    /// The task's own waker, called from the other thread.
    ForeignWaker,
    /// An eventfd in an epoll set whose descriptor is awaited by `PollableFd`.
    AwaitedEpoll,
    /// The same, with a preempt timer of 1 ms instead of 100 ms.
    AwaitedShortPreempt,
    /// The same set, looked into (timeout 0) by a task that takes its turn for ever.
    PolledEpoll,
    /// Looked into after each round of the others; awaited only when no other task ran.
    Driver,
    /// No wake-up at all: how late a glommio timer of 1 ms fires.
    Timer,
}

/// Lets one task know whether any other ran, and wakes it when one does.
#[derive(Default)]
struct Others {
    ran: Cell<u64>,
    sleeper: Cell<Option<Waker>>,
}

impl Others {
    async fn counted(self: Rc<Self>, task: impl Future<Output = ()>) {
        let mut task = std::pin::pin!(task);
        poll_fn(|cx| {
            self.ran.set(self.ran.get() + 1);
            if let Some(driver) = self.sleeper.take() {
                driver.wake();
            }
            task.as_mut().poll(cx)
        })
        .await
    }

    /// Gives every other task its turn, then sleeps if none took it.
    async fn turn(&self, set: &PollableFd<OwnedFd>, state: &mut PollState) {
        let before = self.ran.get();
        yield_now().await;
        if self.ran.get() != before || harvest(set) > 0 {
            return;
        }
        poll_fn(|cx| {
            if set.poll_readable(cx, state).is_ready() || self.ran.get() != before {
                return Poll::Ready(());
            }
            self.sleeper.set(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await
    }
}

fn busy(rounds: u64) {
    let ways = [
        Way::ForeignWaker,
        Way::AwaitedEpoll,
        Way::AwaitedShortPreempt,
        Way::Timer,
        Way::PolledEpoll,
        Way::Driver,
    ];
    let mut p50 = vec![Runs::default(); ways.len()];
    let mut p99 = vec![Runs::default(); ways.len()];
    for _ in 0..rounds {
        for (i, way) in ways.iter().enumerate() {
            let wakes = match way {
                Way::PolledEpoll | Way::Driver => 2_000,
                Way::AwaitedShortPreempt => 500,
                _ => 20,
            };
            let latencies = Latencies::new(reach_busy(*way, wakes));
            p50[i].push(latencies.micros(0.5));
            p99[i].push(latencies.micros(0.99));
        }
    }
    println!("| way to a busy executor (ng) | p50, µs | p99, µs |\n|---|---|---|");
    for (i, way) in ways.iter().enumerate() {
        println!("| {way:?} | {} | {} |", p50[i], p99[i]);
    }
}

/// The executor runs four tasks that each work for 50 µs and yield; latencies in ns.
fn reach_busy(way: Way, wakes: usize) -> Vec<u64> {
    let rung_at = Arc::new(AtomicU64::new(0));
    let done = Arc::new(AtomicBool::new(false));
    let waker: Arc<Mutex<Option<Waker>>> = Arc::default();
    let doorbell = Arc::new(eventfd(0, EventfdFlags::NONBLOCK).expect("eventfd"));
    let executor = thread::spawn({
        let (rung_at, done, waker, doorbell) = (
            rung_at.clone(),
            done.clone(),
            waker.clone(),
            doorbell.clone(),
        );
        move || {
            glommio::LocalExecutorBuilder::new(glommio::Placement::Fixed(0))
                .preempt_timer(Duration::from_millis(match way {
                    Way::AwaitedShortPreempt => 1,
                    _ => 100,
                }))
                .io_memory(65536)
                .make()
                .expect("io_uring is allowed here")
                .run(async move {
                    let over = Rc::new(Cell::new(false));
                    let others = Rc::new(Others::default());
                    for _ in 0..4 {
                        let over = over.clone();
                        glommio::spawn_local(others.clone().counted(async move {
                            while !over.get() {
                                sys::spin_until(Instant::now() + Duration::from_micros(50));
                                yield_now().await;
                            }
                        }))
                        .detach();
                    }
                    let set = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll");
                    epoll::add(
                        &set,
                        &*doorbell,
                        epoll::EventData::new_u64(1),
                        epoll::EventFlags::IN | epoll::EventFlags::ET,
                    )
                    .expect("add the doorbell");
                    let set = PollableFd::new(set).expect("pollable");
                    let (mut latencies, mut state) = (Vec::new(), PollState::new());
                    while latencies.len() < wakes {
                        match way {
                            Way::ForeignWaker => {
                                poll_fn(|cx| {
                                    *waker.lock().expect("no panic") = Some(cx.waker().clone());
                                    if rung_at.load(SeqCst) == 0 {
                                        Poll::Pending
                                    } else {
                                        Poll::Ready(())
                                    }
                                })
                                .await
                            }
                            Way::AwaitedEpoll | Way::AwaitedShortPreempt => {
                                set.readable().await.expect("readable");
                                harvest(&set);
                            }
                            Way::Timer => {
                                let due = sys::now() + 1_000_000;
                                glommio::timer::sleep(Duration::from_millis(1)).await;
                                latencies.push(sys::now().saturating_sub(due));
                                continue;
                            }
                            Way::Driver => others.turn(&set, &mut state).await,
                            Way::PolledEpoll => {
                                while harvest(&set) == 0 {
                                    yield_now().await;
                                }
                            }
                        }
                        let at = rung_at.swap(0, SeqCst);
                        if at != 0 {
                            latencies.push(sys::now() - at);
                        }
                    }
                    over.set(true);
                    done.store(true, SeqCst);
                    latencies
                })
        }
    });
    sys::pin(1);
    while !done.load(SeqCst) {
        // Long enough that the last wake-up has arrived and the task waits again.
        thread::sleep(Duration::from_micros(700));
        if way != Way::Timer && rung_at.load(SeqCst) == 0 {
            rung_at.store(sys::now(), SeqCst);
            if way == Way::ForeignWaker {
                if let Some(waker) = waker.lock().expect("no panic").take() {
                    waker.wake();
                }
            } else {
                rustix::io::write(&*doorbell, &1u64.to_ne_bytes()).expect("ring");
            }
        }
    }
    executor.join().expect("the executor ends")
}

fn harvest(set: &PollableFd<OwnedFd>) -> usize {
    let mut events = Vec::with_capacity(16);
    epoll::wait(
        set.get_ref(),
        rustix::buffer::spare_capacity(&mut events),
        Some(&rustix::event::Timespec::default()),
    )
    .expect("epoll_wait")
}
