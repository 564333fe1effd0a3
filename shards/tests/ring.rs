//! The ring beside a `VecDeque`, its drops, panics in callbacks, and two threads.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use autovia_shards::{Full, ring, ring_starting_at};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Push,
    PushBatch(usize),
    Pop,
    PopBatch(usize),
    Free,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::Push),
        1 => (0usize..12).prop_map(Step::PushBatch),
        3 => Just(Step::Pop),
        1 => (0usize..12).prop_map(Step::PopBatch),
        1 => Just(Step::Free),
    ];
    prop::collection::vec(step, 0..400)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Values are boxes, so that a place read twice or never shows in the allocator's checks too.
    #[test]
    fn behaves_like_a_bounded_queue(capacity in 1usize..9, before_wrap in 0usize..40, steps in steps()) {
        let (mut producer, mut consumer) = ring_starting_at(capacity, usize::MAX - before_wrap);
        let bound = capacity.next_power_of_two();
        prop_assert_eq!(producer.capacity(), bound);
        let mut model = VecDeque::new();
        let mut next = 0;
        for step in steps {
            match step {
                Step::Push => {
                    let pushed = producer.push(Box::new(next));
                    prop_assert_eq!(pushed.is_ok(), model.len() < bound);
                    if let Err(Full(back)) = pushed {
                        prop_assert_eq!(*back, next);
                    } else {
                        model.push_back(next);
                    }
                    next += 1;
                }
                Step::PushBatch(count) => {
                    let mut values = (next..next + count).map(Box::new);
                    let pushed = producer.push_batch(&mut values);
                    prop_assert_eq!(pushed, count.min(bound - model.len()));
                    prop_assert_eq!(values.next().map(|value| *value),
                        (pushed < count).then_some(next + pushed), "nothing was taken and lost");
                    model.extend(next..next + pushed);
                    next += count;
                }
                Step::Pop => prop_assert_eq!(consumer.pop().map(|value| *value), model.pop_front()),
                Step::PopBatch(max) => {
                    let mut got = Vec::new();
                    let count = consumer.pop_batch(max, |value| got.push(*value));
                    prop_assert_eq!(count, got.len());
                    let want: Vec<_> = model.drain(..max.min(model.len())).collect();
                    prop_assert_eq!(got, want);
                }
                Step::Free => prop_assert_eq!(producer.free(), bound - model.len()),
            }
            prop_assert_eq!(consumer.is_empty(), model.is_empty());
        }
    }
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn what_is_left_is_dropped_once_whichever_end_goes_first() {
    for producer_first in [false, true] {
        let drops = Arc::new(AtomicUsize::new(0));
        let (mut producer, mut consumer) = ring(4);
        for _ in 0..4 {
            producer.push(Counted(Arc::clone(&drops))).unwrap();
        }
        drop(consumer.pop());
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        if producer_first {
            drop(producer);
            assert!(consumer.is_closed());
            drop(consumer);
        } else {
            drop(consumer);
            assert!(producer.is_closed());
            drop(producer);
        }
        assert_eq!(drops.load(Ordering::Relaxed), 4);
    }
}

#[test]
fn a_refused_value_comes_back_and_a_closed_ring_still_drains() {
    let (mut producer, mut consumer) = ring(1);
    producer.push(1).unwrap();
    assert_eq!(producer.push(2), Err(Full(2)));
    drop(producer);
    assert!(consumer.is_closed());
    assert_eq!(consumer.pop(), Some(1));
    assert_eq!(consumer.pop(), None);
}

#[test]
fn a_panic_in_a_callback_loses_only_the_value_that_it_held() {
    let (mut producer, mut consumer) = ring(8);
    let mut values = (0..8).inspect(|&value| assert!(value != 5, "stop"));
    catch_unwind(AssertUnwindSafe(|| producer.push_batch(&mut values))).unwrap_err();
    let mut got = Vec::new();
    let take = |value| {
        assert!(value != 2, "stop");
        got.push(value);
    };
    catch_unwind(AssertUnwindSafe(|| consumer.pop_batch(8, take))).unwrap_err();
    assert_eq!(got, [0, 1]);
    assert_eq!(consumer.pop(), Some(3));
    assert_eq!(consumer.pop(), Some(4));
    assert_eq!(consumer.pop(), None);
    assert_eq!(producer.free(), 8);
}

#[test]
fn two_threads_keep_the_order() {
    const COUNT: u64 = 200_000;
    let (mut producer, mut consumer) = ring(16);
    let sender = std::thread::spawn(move || {
        let mut values = (0..COUNT).peekable();
        while values.peek().is_some() {
            if producer.push_batch(&mut values) == 0 {
                std::thread::yield_now();
            }
        }
    });
    let mut expected = 0;
    while expected < COUNT {
        let count = consumer.pop_batch(usize::MAX, |value| {
            assert_eq!(value, expected);
            expected += 1;
        });
        if count == 0 {
            std::thread::yield_now();
        }
    }
    sender.join().unwrap();
    assert!(consumer.is_closed() && consumer.is_empty());
}
