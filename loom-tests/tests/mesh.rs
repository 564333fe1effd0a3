//! The mesh with members that really sleep: nothing is lost, nobody sleeps through.
#![cfg(loom)]

use autovia_shards::{Endpoint, Invalidation, MeshConfig, Received, mesh};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use loom_tests::{Sleep, with_preemptions};

type Wake = Box<dyn Fn() + Send + Sync>;

fn scope(scope: u64) -> Invalidation {
    Invalidation { kind: 1, scope }
}

fn tiny(pending_max: usize) -> MeshConfig {
    MeshConfig {
        invalidation_capacity: 1,
        parcel_capacity: 1,
        pending_max,
    }
}

/// Two members: this thread and another.
fn pair(sleep: [&Sleep; 2], config: MeshConfig) -> (Endpoint<u32>, Endpoint<u32>) {
    let mut ends = mesh(sleep.map(Sleep::wake).into(), config);
    let other = ends.pop().unwrap();
    (ends.pop().unwrap(), other)
}

fn rest(end: &mut Endpoint<u32>, sleep: &Sleep) {
    if end.may_sleep(|| true) {
        sleep.sleep();
        end.woke();
    }
}

/// An invalidation and a parcel wake a sleeper by one flush.
#[test]
fn a_sleeping_member_hears_what_is_sent() {
    with_preemptions(3, || {
        let sleep = Sleep::default();
        let (mut receiver, mut sender) = pair([&sleep, &Sleep::default()], tiny(4));
        let thread = thread::spawn(move || {
            sender.invalidate(0, scope(1));
            assert_eq!(sender.send(0, 5), Ok(()));
            assert!(sender.flush());
        });
        let mut got = Vec::new();
        while got.len() < 2 {
            receiver.receive(|from, received| {
                assert_eq!(from, 1);
                got.push(received);
            });
            if got.len() < 2 {
                rest(&mut receiver, &sleep);
            }
        }
        assert!(got.contains(&Received::Invalidation(scope(1))));
        assert!(got.contains(&Received::Parcel(5)));
        thread.join().unwrap();
    });
}

/// Another thread fills another place and rings the member's bell.
#[test]
fn a_bell_from_outside_wakes_a_member() {
    with_preemptions(3, || {
        let sleep = Sleep::default();
        let (mut member, _other) = pair([&sleep, &Sleep::default()], tiny(4));
        let put = Arc::new(AtomicBool::new(false));
        let thread = {
            let (bell, put) = (member.bell(0), Arc::clone(&put));
            thread::spawn(move || {
                put.store(true, Ordering::Relaxed);
                bell.ring();
            })
        };
        while !put.load(Ordering::Relaxed) {
            if member.may_sleep(|| !put.load(Ordering::Relaxed)) {
                sleep.sleep();
                member.woke();
            }
        }
        thread.join().unwrap();
    });
}

/// A receiver (this thread) and a sender that both sleep, over lanes of one place. `send` is the
/// sender's work; `all` tells when the receiver has heard enough.
fn both_sleep(
    pending_max: usize,
    send: fn(&mut Endpoint<u32>, &Sleep),
    mut all: impl FnMut(Received<u32>) -> bool,
) {
    let (sleep, senders_sleep) = (Sleep::default(), Sleep::default());
    let (mut receiver, mut sender) = pair([&sleep, &senders_sleep], tiny(pending_max));
    let done = Arc::new(AtomicBool::new(false));
    let thread = {
        let done = Arc::clone(&done);
        thread::spawn(move || {
            send(&mut sender, &senders_sleep);
            while !sender.flush() {
                if sender.may_sleep(|| !done.load(Ordering::Relaxed)) {
                    senders_sleep.sleep();
                    sender.woke();
                }
            }
        })
    };
    let mut complete = false;
    while !complete {
        receiver.receive(|_, received| complete |= all(received));
        if !complete {
            rest(&mut receiver, &sleep);
        }
    }
    // The sender may have gone to sleep with all sent.
    done.store(true, Ordering::Relaxed);
    receiver.bell(1).ring();
    thread.join().unwrap();
}

#[test]
fn parcels_wait_for_room() {
    with_preemptions(2, || {
        let mut got = Vec::new();
        both_sleep(
            4,
            |sender, sleep| {
                for parcel in 1..=2 {
                    while sender.send(0, parcel).is_err() {
                        rest(sender, sleep);
                    }
                }
            },
            |received| {
                got.push(received);
                got.len() == 2
            },
        );
        assert_eq!(got, [Received::Parcel(1), Received::Parcel(2)]);
    });
}

/// Four invalidations of two scopes through a lane of one place: merged, drained, none lost.
#[test]
fn overflow_is_merged_and_drained() {
    with_preemptions(2, || {
        let mut got = Vec::new();
        both_sleep(
            4,
            |sender, _sleep| {
                for number in [1, 2, 2] {
                    sender.invalidate_others(scope(number));
                }
            },
            |received| {
                got.push(received);
                got.contains(&Received::Invalidation(scope(2)))
            },
        );
        assert_eq!(got[0], Received::Invalidation(scope(1)));
        assert_eq!(got.last(), Some(&Received::Invalidation(scope(2))));
    });
}

/// Past its bound the pending set is "everything", which stands for what it replaced.
#[test]
fn past_the_bound_everything_is_told() {
    with_preemptions(2, || {
        let mut heard = [false; 4];
        both_sleep(
            1,
            |sender, _sleep| {
                for number in 1..=3 {
                    sender.invalidate(0, scope(number));
                }
            },
            |received| {
                match received {
                    Received::Invalidation(it) => heard[it.scope as usize] = true,
                    Received::Everything => heard = [true; 4],
                    Received::Parcel(_) => panic!("none was sent"),
                }
                heard[1..] == [true; 3]
            },
        );
    });
}

/// Two senders, one sleeper.
#[test]
fn a_member_hears_all_others() {
    with_preemptions(2, || {
        let sleep = Sleep::default();
        let wakes = vec![sleep.wake(), Box::new(|| ()) as Wake, Box::new(|| ())];
        let mut ends = mesh::<u32>(wakes, tiny(1)).into_iter();
        let mut receiver = ends.next().unwrap();
        assert_eq!(receiver.members(), 3);
        let threads: Vec<_> = ends
            .map(|mut sender| {
                thread::spawn(move || {
                    sender.invalidate(0, scope(sender.id() as u64));
                    assert!(sender.flush());
                })
            })
            .collect();
        let mut heard = [false; 3];
        while heard[1..] != [true; 2] {
            let count = receiver.receive(|from, received| {
                assert_eq!(received, Received::Invalidation(scope(from as u64)));
                heard[from] = true;
            });
            if count == 0 {
                rest(&mut receiver, &sleep);
            }
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

/// A member that goes while it is sent to: the sender is not held up, and what is in the lanes is
/// dropped once.
#[test]
fn a_member_goes_while_it_is_sent_to() {
    with_preemptions(3, || {
        let wakes = vec![Box::new(|| ()) as Wake, Box::new(|| ())];
        let mut ends = mesh::<Arc<()>>(wakes, tiny(1)).into_iter();
        let (mut sender, receiver) = (ends.next().unwrap(), ends.next().unwrap());
        let parcel = Arc::new(());
        let sent = Arc::clone(&parcel);
        let thread = thread::spawn(move || {
            let back = sender.send(1, sent);
            sender.invalidate(1, scope(1));
            sender.invalidate(1, scope(2));
            sender.flush();
            drop(back);
            sender
        });
        drop(receiver);
        let mut sender = thread.join().unwrap();
        assert!(sender.is_gone(1) && sender.flush());
        drop(sender);
        assert_eq!(Arc::strong_count(&parcel), 1);
    });
}

/// A member that goes without a flush: its bell still tells of what it sent.
#[test]
fn what_a_member_sent_is_heard_though_it_goes() {
    with_preemptions(3, || {
        let sleep = Sleep::default();
        let (mut receiver, mut sender) = pair([&sleep, &Sleep::default()], tiny(1));
        let thread = thread::spawn(move || {
            sender.invalidate(0, scope(1));
            drop(sender);
        });
        let mut got = Vec::new();
        while got.is_empty() {
            receiver.receive(|_, received| got.push(received));
            if got.is_empty() {
                rest(&mut receiver, &sleep);
            }
        }
        assert_eq!(got, [Received::Invalidation(scope(1))]);
        thread.join().unwrap();
    });
}

/// A member goes while another waits for room in its lane.
#[test]
fn who_waits_for_room_is_woken_by_a_member_that_goes() {
    with_preemptions(3, || {
        let sleep = Sleep::default();
        let (mut sender, receiver) = pair([&sleep, &Sleep::default()], tiny(4));
        sender.send(1, 1).unwrap();
        let thread = thread::spawn(move || drop(receiver));
        loop {
            assert_eq!(sender.send(1, 2), Err(2));
            if sender.is_gone(1) {
                break;
            }
            rest(&mut sender, &sleep);
        }
        thread.join().unwrap();
    });
}

/// The receiver hears of a third member and takes all wishes for room, before it hears of the one that
/// is about to sleep until there is room.
#[test]
fn a_wish_for_room_is_not_spent_before_the_sleep() {
    with_preemptions(3, || {
        let (sleep, senders_sleep) = (Sleep::default(), Sleep::default());
        let wakes = vec![sleep.wake(), senders_sleep.wake(), Box::new(|| ()) as Wake];
        let mut ends = mesh::<u32>(wakes, tiny(1)).into_iter();
        let (mut receiver, mut sender) = (ends.next().unwrap(), ends.next().unwrap());
        let mut third = ends.next().unwrap();
        third.invalidate(0, scope(3));
        third.flush();
        let thread = thread::spawn(move || {
            for parcel in 1..=2 {
                while sender.send(0, parcel).is_err() {
                    rest(&mut sender, &senders_sleep);
                }
            }
        });
        let mut parcels = Vec::new();
        while parcels.len() < 2 {
            receiver.receive(|_, received| {
                if let Received::Parcel(parcel) = received {
                    parcels.push(parcel);
                }
            });
            if parcels.len() < 2 {
                rest(&mut receiver, &sleep);
            }
        }
        assert_eq!(parcels, [1, 2]);
        thread.join().unwrap();
    });
}
