//! Queues from one thread to one other. What travels is 16 bytes, as an invalidation is.

use autovia_shards::ring;
use crossbeam_queue::ArrayQueue;

use super::time::{against, until};
use super::{Case, Cores};

const CAPACITY: usize = 1024;
const BATCH: usize = 32;

type Item = [u64; 2];

pub(super) const EXPLANATION: &str = "Items of 16 bytes, 1,024 places; per item. In the first two cases both ends go as \
    fast as they can; in the third one item goes to and fro, and half of that time is given. Queues without batches \
    have no second figure.";

const OURS: &str = "autovia-shards";
const RTRB: &str = "rtrb";
const ARRAY_QUEUE: &str = "crossbeam ArrayQueue";
const CHANNEL: &str = "crossbeam channel";

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("one by one")
            .with(OURS, |cores| {
                let (mut producer, mut consumer) = ring(CAPACITY);
                stream(
                    cores,
                    move |item| producer.push(item).is_ok(),
                    move || consumer.pop(),
                )
            })
            .with(RTRB, |cores| {
                let (mut producer, mut consumer) = rtrb::RingBuffer::new(CAPACITY);
                stream(
                    cores,
                    move |item| producer.push(item).is_ok(),
                    move || consumer.pop().ok(),
                )
            })
            .with(ARRAY_QUEUE, |cores| {
                let queue = ArrayQueue::new(CAPACITY);
                stream(cores, |item| queue.push(item).is_ok(), || queue.pop())
            })
            .with(CHANNEL, |cores| {
                let (sender, receiver) = crossbeam_channel::bounded(CAPACITY);
                stream(
                    cores,
                    move |item| sender.try_send(item).is_ok(),
                    move || receiver.try_recv().ok(),
                )
            }),
        Case::new(format!("{BATCH} at once"))
            .with(OURS, ours_in_batches)
            .with(RTRB, rtrb_in_batches),
        Case::new("ping-pong, one way")
            .with(OURS, |cores| {
                let (mut out, mut far_in) = ring(CAPACITY);
                let (mut far_out, mut back) = ring(CAPACITY);
                ping_pong(
                    cores,
                    move |item| out.push(item).is_ok(),
                    move || back.pop(),
                    move |item| far_out.push(item).is_ok(),
                    move || far_in.pop(),
                )
            })
            .with(RTRB, |cores| {
                let (mut out, mut far_in) = rtrb::RingBuffer::new(CAPACITY);
                let (mut far_out, mut back) = rtrb::RingBuffer::new(CAPACITY);
                ping_pong(
                    cores,
                    move |item| out.push(item).is_ok(),
                    move || back.pop().ok(),
                    move |item| far_out.push(item).is_ok(),
                    move || far_in.pop().ok(),
                )
            })
            .with(ARRAY_QUEUE, |cores| {
                let (there, back) = (ArrayQueue::new(CAPACITY), ArrayQueue::new(CAPACITY));
                ping_pong(
                    cores,
                    |item| there.push(item).is_ok(),
                    || back.pop(),
                    |item| back.push(item).is_ok(),
                    || there.pop(),
                )
            })
            .with(CHANNEL, |cores| {
                let (out, far_in) = crossbeam_channel::bounded(CAPACITY);
                let (far_out, back) = crossbeam_channel::bounded(CAPACITY);
                ping_pong(
                    cores,
                    move |item| out.try_send(item).is_ok(),
                    move || back.try_recv().ok(),
                    move |item| far_out.try_send(item).is_ok(),
                    move || far_in.try_recv().ok(),
                )
            }),
    ]
}

/// Both ends go as fast as they can, each on its thread's own stack, so that they share nothing but the queue; counted by the consumer, which checks that it gets all in order.
fn stream(
    cores: Cores,
    mut push: impl FnMut(Item) -> bool + Send,
    mut pop: impl FnMut() -> Option<Item> + Send,
) -> f64 {
    let (mut sent, mut got) = (0, 0);
    against(
        cores,
        move |operations| {
            for _ in 0..operations {
                let [number, _] = until(&mut pop);
                assert_eq!(number, got, "the queue keeps the order");
                got += 1;
            }
        },
        move || {
            // The consumer stops at any moment: nothing here waits for it.
            for _ in 0..CAPACITY {
                if push([sent, !sent]) {
                    sent += 1;
                } else {
                    std::hint::spin_loop();
                }
            }
        },
    )
}

fn ours_in_batches(cores: Cores) -> f64 {
    let (mut producer, mut consumer) = ring::<Item>(CAPACITY);
    let (mut sent, mut got) = (0, 0);
    against(
        cores,
        move |operations| {
            let mut left = operations;
            while left > 0 {
                let max = BATCH.min(usize::try_from(left).unwrap_or(BATCH));
                let count = consumer.pop_batch(max, |[number, _]| {
                    assert_eq!(number, got, "the queue keeps the order");
                    got += 1;
                });
                left -= count as u64;
            }
        },
        move || {
            let mut numbers = (sent..sent + BATCH as u64).map(|number| [number, !number]);
            sent += producer.push_batch(&mut numbers) as u64;
        },
    )
}

fn rtrb_in_batches(cores: Cores) -> f64 {
    let (mut producer, mut consumer) = rtrb::RingBuffer::<Item>::new(CAPACITY);
    let (mut sent, mut got) = (0, 0);
    against(
        cores,
        move |operations| {
            let mut left = operations;
            while left > 0 {
                let max = BATCH.min(usize::try_from(left).unwrap_or(BATCH));
                let count = consumer.slots().min(max);
                if let Ok(chunk) = consumer.read_chunk(count) {
                    for [number, _] in chunk {
                        assert_eq!(number, got, "the queue keeps the order");
                        got += 1;
                    }
                    left -= count as u64;
                }
            }
        },
        move || {
            let count = producer.slots().min(BATCH);
            if let Ok(chunk) = producer.write_chunk_uninit(count) {
                let numbers = (sent..sent + count as u64).map(|number| [number, !number]);
                sent += chunk.fill_from_iter(numbers) as u64;
            }
        },
    )
}

/// One item goes to and fro; half of the time that it takes.
fn ping_pong(
    cores: Cores,
    mut out: impl FnMut(Item) -> bool + Send,
    mut back: impl FnMut() -> Option<Item> + Send,
    mut far_out: impl FnMut(Item) -> bool + Send,
    mut far_in: impl FnMut() -> Option<Item> + Send,
) -> f64 {
    let mut number = 0;
    let round_trip = against(
        cores,
        move |operations| {
            for _ in 0..operations {
                assert!(out([number, 0]), "one item finds room");
                let [answer, _] = until(&mut back);
                assert_eq!(answer, number, "the answer is that of this question");
                number += 1;
            }
        },
        move || {
            // Not for ever: the asker may be done.
            for _ in 0..CAPACITY {
                if let Some(item) = far_in() {
                    assert!(far_out(item), "one item finds room");
                } else {
                    std::hint::spin_loop();
                }
            }
        },
    );
    round_trip / 2.0
}
