//! The ring: hand-over, wrap-around, full and empty, batches, close, drop while full.
#![cfg(loom)]

use autovia_shards::{Full, ring, ring_starting_at};
use loom::sync::Arc;
use loom::thread;
use loom_tests::every_schedule;

/// Two values through one place, so that the producer finds it full, over the counters' wrap-around.
/// Loom watches the place itself: a value read before it is whole, or overwritten while it is read, is
/// a failure.
#[test]
fn hand_over_through_one_place() {
    every_schedule(|| {
        let (mut producer, mut consumer) = ring_starting_at(1, usize::MAX);
        let sender = thread::spawn(move || {
            producer.push(Box::new(1)).unwrap();
            let mut second = Box::new(2);
            while let Err(Full(back)) = producer.push(second) {
                second = back;
                thread::yield_now();
            }
        });
        for expected in 1..=2 {
            let value = loop {
                match consumer.pop() {
                    Some(value) => break value,
                    None => thread::yield_now(),
                }
            };
            assert_eq!(*value, expected);
        }
        sender.join().unwrap();
        assert!(consumer.pop().is_none() && consumer.is_empty());
    });
}

#[test]
fn batches_through_two_places() {
    every_schedule(|| {
        let (mut producer, mut consumer) = ring_starting_at(2, usize::MAX);
        let sender = thread::spawn(move || {
            assert_eq!(producer.capacity(), 2);
            let mut values = (1..=3).map(Box::new).peekable();
            while values.peek().is_some() {
                if producer.push_batch(&mut values) == 0 {
                    thread::yield_now();
                }
            }
        });
        assert_eq!(consumer.capacity(), 2);
        let mut got = Vec::new();
        while got.len() < 3 {
            if consumer.pop_batch(2, |value| got.push(*value)) == 0 {
                thread::yield_now();
            }
        }
        assert_eq!(got, [1, 2, 3]);
        sender.join().unwrap();
    });
}

/// `free` never promises a place that is still being read.
#[test]
fn what_is_free_can_be_pushed() {
    every_schedule(|| {
        let (mut producer, mut consumer) = ring(2);
        producer.push(Box::new(1)).unwrap();
        producer.push(Box::new(2)).unwrap();
        let receiver = thread::spawn(move || {
            assert_eq!(consumer.pop().map(|value| *value), Some(1));
            consumer
        });
        if producer.free() > 0 {
            producer.push(Box::new(3)).unwrap();
        } else {
            assert!(producer.push(Box::new(3)).is_err() || producer.free() == 0);
        }
        drop(receiver.join().unwrap());
        assert!(producer.is_closed());
    });
}

/// Who finds the ring closed, finds in it all that was pushed.
#[test]
fn closed_means_that_all_was_pushed() {
    every_schedule(|| {
        let (mut producer, mut consumer) = ring(2);
        let sender = thread::spawn(move || {
            producer.push(1).unwrap();
            producer.push(2).unwrap();
        });
        if consumer.is_closed() {
            assert_eq!(consumer.pop(), Some(1));
            assert_eq!(consumer.pop(), Some(2));
            assert_eq!(consumer.pop(), None);
        }
        sender.join().unwrap();
        assert!(consumer.is_closed());
    });
}

/// Both ends go at the same time while values are left; loom reports a value that is leaked or dropped
/// twice.
#[test]
fn both_ends_go_while_it_is_full() {
    every_schedule(|| {
        let value = Arc::new(());
        let (mut producer, mut consumer) = ring(2);
        producer.push(Arc::clone(&value)).unwrap();
        let sent = Arc::clone(&value);
        let sender = thread::spawn(move || {
            assert!(producer.push(sent).is_ok());
        });
        drop(consumer.pop());
        drop(consumer);
        sender.join().unwrap();
        assert_eq!(Arc::strong_count(&value), 1);
    });
}
