//! The mesh: what it tells, its bounds, and threads that sleep.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Thread};

use autovia_shards::{Doorbell, Endpoint, Invalidation, MeshConfig, Received, mesh};

type Wake = Box<dyn Fn() + Send + Sync>;

fn silent(members: usize) -> Vec<Wake> {
    (0..members).map(|_| Box::new(|| ()) as Wake).collect()
}

fn small() -> MeshConfig {
    MeshConfig {
        invalidation_capacity: 2,
        parcel_capacity: 2,
        pending_max: 4,
    }
}

fn scope(scope: u64) -> Invalidation {
    Invalidation { kind: 1, scope }
}

#[test]
fn the_bell_calls_once_per_sleep_and_never_while_awake() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let bell = Doorbell::new(Box::new(move || {
        counted.fetch_add(1, Ordering::Relaxed);
    }));
    bell.ring();
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    bell.announce();
    bell.ring();
    bell.ring();
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    bell.awake();
    bell.ring();
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    bell.announce();
    bell.awake();
    bell.ring();
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[test]
fn a_flush_rings_each_sleeper_once_and_only_who_was_sent_something() {
    let calls: Vec<_> = (0..3).map(|_| Arc::new(AtomicUsize::new(0))).collect();
    let wakes = calls
        .iter()
        .map(|calls| {
            let calls = Arc::clone(calls);
            Box::new(move || {
                calls.fetch_add(1, Ordering::Relaxed);
            }) as Wake
        })
        .collect();
    let mut ends = mesh::<u32>(wakes, MeshConfig::default());
    assert!(ends[1].may_sleep(|| true));
    assert!(ends[2].may_sleep(|| true));
    for i in 0..10 {
        ends[0].invalidate(1, scope(i));
    }
    ends[0].send(1, 5).unwrap();
    let seen = || -> Vec<_> { calls.iter().map(|c| c.load(Ordering::Relaxed)).collect() };
    assert_eq!(seen(), [0, 0, 0]);
    assert!(ends[0].flush());
    assert!(ends[0].flush());
    assert_eq!(seen(), [0, 1, 0]);
    ends[0].bell(2).ring();
    assert_eq!(seen(), [0, 1, 1]);
}

#[test]
fn sleep_is_refused_while_something_is_there() {
    let mut ends = mesh::<u32>(silent(2), small());
    ends[0].invalidate(1, scope(1));
    assert!(ends[0].flush());
    assert!(!ends[1].may_sleep(|| true));
    assert_eq!(ends[1].receive(|_, _| ()), 1);
    assert!(!ends[1].may_sleep(|| false), "something else is there");
    assert!(ends[1].may_sleep(|| true));
    ends[1].woke();
    ends[0].send(1, 9).unwrap();
    assert!(ends[0].flush());
    assert!(!ends[1].may_sleep(|| true));
}

/// The senders' bits lie in several words; each is found, and those that sent nothing are not looked at.
#[test]
fn each_of_many_senders_is_heard() {
    const MEMBERS: usize = 131;
    let mut ends = mesh::<u32>(silent(MEMBERS), small());
    for round in 0..MEMBERS {
        let senders = [0, 1, 62, 63, 64, 65, 127, 128, 129].map(|from| (from + round) % MEMBERS);
        let to = (round + 130) % MEMBERS;
        for &from in senders.iter().filter(|&&from| from != to) {
            ends[from].invalidate(to, scope(from as u64));
            assert!(ends[from].flush());
        }
        let mut heard = HashSet::new();
        let count = ends[to].receive(|from, received| {
            assert_eq!(received, Received::Invalidation(scope(from as u64)));
            heard.insert(from);
        });
        assert_eq!((count, heard), (9, HashSet::from(senders)));
        assert!(ends[to].may_sleep(|| true));
        ends[to].woke();
    }
}

/// The senders take turns at being first.
#[test]
fn no_sender_is_always_first() {
    let mut ends = mesh::<u32>(silent(4), small());
    let mut firsts = HashSet::new();
    for _ in 0..4 {
        for end in &mut ends[1..] {
            end.invalidate(0, scope(0));
            end.flush();
        }
        let mut order = Vec::new();
        ends[0].receive(|from, _| order.push(from));
        assert_eq!(order.len(), 3);
        firsts.insert(order[0]);
    }
    assert_eq!(firsts, HashSet::from([1, 2, 3]));
}

#[test]
fn what_a_panicking_callback_left_is_there_for_the_next() {
    let (calls, mut wakes) = (Arc::new(AtomicUsize::new(0)), silent(3));
    let counted = Arc::clone(&calls);
    wakes[0] = Box::new(move || {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let mut ends = mesh::<u32>(wakes, small());
    for parcel in 0..2 {
        ends[0].send(2, parcel).unwrap();
    }
    assert_eq!(ends[0].send(2, 2), Err(2));
    ends[1].send(2, 3).unwrap();
    ends[1].flush();
    assert!(ends[0].may_sleep(|| true), "no room: sleep");
    for parcel in [3, 0, 1] {
        let receive = || {
            ends[2].receive(|_, received| {
                assert_eq!(received, Received::Parcel(parcel));
                panic!("stop");
            })
        };
        let stopped = catch_unwind(AssertUnwindSafe(receive)).unwrap_err();
        assert_eq!(stopped.downcast_ref(), Some(&"stop"));
    }
    assert_eq!(ends[2].receive(|_, _| ()), 0);
    assert_eq!(calls.load(Ordering::Relaxed), 1, "told of room");
    assert!(ends[2].may_sleep(|| true));
}

#[test]
fn what_a_member_sent_is_heard_though_it_is_gone() {
    let mut ends = mesh::<u32>(silent(2), small());
    ends[1].invalidate(0, scope(1));
    ends[1].send(0, 2).unwrap();
    drop(ends.pop());
    assert!(!ends[0].may_sleep(|| true));
    assert_eq!(ends[0].receive(|_, _| ()), 2);
    assert!(ends[0].is_gone(1));
}

#[test]
fn a_full_parcel_lane_gives_back_and_room_keeps_its_sender_awake_once() {
    let mut ends = mesh::<u32>(silent(2), small());
    ends[0].send(1, 1).unwrap();
    ends[0].send(1, 2).unwrap();
    assert_eq!(ends[0].send(1, 3), Err(3));
    assert!(ends[0].may_sleep(|| true), "no room: sleep");
    ends[0].woke();
    let mut got = Vec::new();
    ends[1].receive(|from, parcel| got.push((from, parcel)));
    assert_eq!(got, [(0, Received::Parcel(1)), (0, Received::Parcel(2))]);
    assert!(!ends[0].may_sleep(|| true), "room: try again");
    assert!(ends[0].may_sleep(|| true), "given up: sleep");
}

#[test]
fn room_wakes_a_sender_that_sleeps_with_something_pending() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let mut wakes = silent(2);
    wakes[0] = Box::new(move || {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let mut ends = mesh::<u32>(wakes, small());
    for i in 0..3 {
        ends[0].invalidate(1, scope(i));
    }
    assert!(ends[0].may_sleep(|| true));
    assert_eq!(ends[1].receive(|_, _| ()), 2);
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    ends[0].woke();
    assert!(ends[0].flush());
    let mut got = Vec::new();
    ends[1].receive(|_, received| got.push(received));
    assert_eq!(got, [Received::Invalidation(scope(2))]);
}

#[test]
fn past_the_bound_the_slowest_gets_everything_and_the_others_keep_their_details() {
    let mut ends = mesh::<u32>(silent(3), small());
    for i in 0..4 {
        ends[0].invalidate(2, scope(i));
    }
    for i in 0..6 {
        ends[0].invalidate(1, scope(i));
    }
    let drain = |ends: &mut Vec<Endpoint<u32>>, member: usize| {
        let mut got = Vec::new();
        loop {
            let all = ends[0].flush();
            let count = ends[member].receive(|_, received| got.push(received));
            if all && count == 0 {
                return got;
            }
            if count == 0 {
                // The other member's lane is full, which is not this one's business.
                return got;
            }
        }
    };
    let got = drain(&mut ends, 1);
    assert_eq!(got.len(), 3);
    assert_eq!(got[2], Received::Everything);
    let got: HashSet<_> = drain(&mut ends, 2).into_iter().map(text).collect();
    let want: HashSet<_> = (0..4)
        .map(|i| text(Received::Invalidation(scope(i))))
        .collect();
    assert_eq!(got, want);
}

fn text(received: Received<u32>) -> String {
    format!("{received:?}")
}

#[test]
fn a_member_that_is_gone_holds_up_nobody() {
    let mut ends = mesh::<Box<u32>>(silent(2), small());
    drop(ends.pop());
    let end = &mut ends[0];
    assert!(end.is_gone(1));
    for i in 0..10 {
        end.invalidate(1, scope(i));
    }
    assert!(end.flush());
    assert!(end.send(1, Box::new(1)).is_err());
    assert!(end.may_sleep(|| true));
}

#[test]
#[should_panic(expected = "member 0 sent to member 0")]
fn a_member_does_not_send_to_itself() {
    mesh::<u32>(silent(2), small())[0].invalidate(0, scope(0));
}

/// Three threads that really sleep pass tokens on until each has been everywhere often enough. A lost
/// wake-up shows as a test that does not end.
#[test]
fn tokens_go_round_between_threads_that_sleep() {
    const ROUNDS: u32 = 3_000;
    let threads: Vec<_> = (0..3)
        .map(|_| Arc::new(std::sync::OnceLock::<Thread>::new()))
        .collect();
    let wakes = threads
        .iter()
        .map(|thread| {
            let thread = Arc::clone(thread);
            Box::new(move || thread.get().unwrap().unpark()) as Wake
        })
        .collect();
    let ready = Arc::new(std::sync::Barrier::new(3));
    let handles: Vec<_> = mesh::<u32>(wakes, small())
        .into_iter()
        .map(|mut end| {
            let (me, ready) = (Arc::clone(&threads[end.id()]), Arc::clone(&ready));
            thread::spawn(move || {
                me.set(thread::current()).unwrap();
                ready.wait();
                let (next, mut seen) = ((end.id() + 1) % 3, 0);
                let mut keep = Vec::new();
                if end.id() == 0 {
                    keep.extend([0; 5]);
                }
                let mut ended = 0;
                // Five tokens; each ends at every member once its count is full.
                while ended < 5 || !keep.is_empty() {
                    end.receive(|_, received| {
                        if let Received::Parcel(token) = received {
                            seen += 1;
                            if token >= ROUNDS {
                                ended += 1;
                            }
                            if token < ROUNDS + 2 {
                                keep.push(token + 1);
                            }
                        }
                    });
                    while let Some(token) = keep.pop() {
                        if let Err(token) = end.send(next, token) {
                            keep.push(token);
                            break;
                        }
                        end.invalidate(next, scope(token.into()));
                    }
                    if (ended < 5 || !keep.is_empty()) && end.may_sleep(|| true) {
                        thread::park();
                        end.woke();
                    }
                }
                end.flush();
                seen
            })
        })
        .collect();
    let seen: u32 = handles
        .into_iter()
        .map(|handle| handle.join().unwrap())
        .sum();
    assert_eq!(seen, 5 * (ROUNDS + 3));
}
