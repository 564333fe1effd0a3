//! The doorbell: no lost wake-up, and one call per sleep. A lost wake-up is a deadlock, which loom
//! reports.
#![cfg(loom)]

use autovia_shards::Doorbell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::thread;
use loom_tests::{Sleep, every_schedule, with_preemptions};

/// Sleeps as the doorbell's protocol says until `there` finds something.
fn sleep_until(bell: &Doorbell, sleep: &Sleep, there: impl Fn() -> bool) {
    while !there() {
        bell.announce();
        if !there() {
            sleep.sleep();
        }
        bell.awake();
    }
}

#[test]
fn a_sleeper_is_woken() {
    every_schedule(|| {
        let sleep = Sleep::default();
        let bell = Arc::new(Doorbell::new(sleep.wake()));
        let put = Arc::new(AtomicBool::new(false));
        let sender = {
            let (bell, put) = (Arc::clone(&bell), Arc::clone(&put));
            thread::spawn(move || {
                put.store(true, Ordering::Relaxed);
                bell.ring();
            })
        };
        sleep_until(&bell, &sleep, || put.load(Ordering::Relaxed));
        sender.join().unwrap();
    });
}

/// The receiver sleeps again between two things: the second ring must not be taken for the first's.
#[test]
fn a_sleeper_is_woken_again() {
    with_preemptions(4, || {
        let sleep = Sleep::default();
        let bell = Arc::new(Doorbell::new(sleep.wake()));
        let put = Arc::new(AtomicUsize::new(0));
        let sender = {
            let (bell, put) = (Arc::clone(&bell), Arc::clone(&put));
            thread::spawn(move || {
                for count in 1..=2 {
                    put.store(count, Ordering::Relaxed);
                    bell.ring();
                }
            })
        };
        sleep_until(&bell, &sleep, || put.load(Ordering::Relaxed) >= 1);
        sleep_until(&bell, &sleep, || put.load(Ordering::Relaxed) >= 2);
        sender.join().unwrap();
    });
}

#[test]
fn two_senders_call_once_per_sleep() {
    with_preemptions(3, || {
        let sleep = Sleep::default();
        let calls = Arc::new(AtomicUsize::new(0));
        let bell = {
            let (wake, calls) = (sleep.wake(), Arc::clone(&calls));
            Arc::new(Doorbell::new(Box::new(move || {
                calls.fetch_add(1, Ordering::Relaxed);
                wake();
            })))
        };
        let put: Vec<_> = (0..2).map(|_| Arc::new(AtomicBool::new(false))).collect();
        let senders: Vec<_> = put
            .iter()
            .map(|put| {
                let (bell, put) = (Arc::clone(&bell), Arc::clone(put));
                thread::spawn(move || {
                    put.store(true, Ordering::Relaxed);
                    bell.ring();
                })
            })
            .collect();
        let mut announced = 0;
        for put in &put {
            while !put.load(Ordering::Relaxed) {
                announced += 1;
                bell.announce();
                if !put.load(Ordering::Relaxed) {
                    sleep.sleep();
                }
                bell.awake();
            }
        }
        for sender in senders {
            sender.join().unwrap();
        }
        assert!(calls.load(Ordering::Relaxed) <= announced);
    });
}

/// Nobody announced a sleep, so nobody calls.
#[test]
fn an_awake_receiver_is_left_alone() {
    every_schedule(|| {
        let bell = Arc::new(Doorbell::new(Box::new(|| panic!("called"))));
        bell.announce();
        bell.awake();
        let sender = {
            let bell = Arc::clone(&bell);
            thread::spawn(move || bell.ring())
        };
        sender.join().unwrap();
    });
}
