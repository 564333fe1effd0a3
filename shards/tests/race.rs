//! Real threads on every structure, with plain data handed over by each, for ThreadSanitizer to watch:
//!
//! ```text
//! cargo xtask mutants --race
//! ```
//!
//! A program of its own, as the test harness hands its results over in ways that ThreadSanitizer takes
//! for a race. It also runs as a plain test.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use autovia_shards::{
    Board, DirtySet, Doorbell, Full, Invalidation, MeshConfig, Received, SlotTable, Switch, mesh,
    ring,
};

type Part = (&'static str, fn());

const PARTS: [Part; 7] = [
    ("ring", values_through_a_ring),
    ("ring_batch", batches_through_a_ring),
    ("ring_drop", rings_that_are_dropped_full),
    ("mesh", boxes_through_a_mesh),
    ("dirty", data_behind_marks),
    ("slots", keys_that_come_and_go),
    ("switch", data_behind_a_switch),
];

/// Speaks as the test harness does: words are parts of names, whole ones with `--exact`.
fn main() {
    let (options, words): (Vec<_>, Vec<_>) = std::env::args()
        .skip(1)
        .partition(|it| it.starts_with("--"));
    let is_exact = options.iter().any(|it| it == "--exact");
    let is_chosen = |name: &str| {
        words.is_empty()
            || words.iter().any(|it| {
                if is_exact {
                    name == it
                } else {
                    name.contains(it.as_str())
                }
            })
    };
    let mut passed = 0;
    for (name, part) in PARTS.iter().filter(|(name, _)| is_chosen(name)) {
        part();
        println!("test {name} ... ok");
        passed += 1;
    }
    println!("test result: ok. {passed} passed; 0 failed");
}

/// Lives for ever: the standard library's `Arc` is not instrumented either.
fn shared<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// Plain memory that one thread writes before it tells another by the structure under test.
struct Plain(UnsafeCell<usize>);

// SAFETY: the structure under test orders the accesses; that it does is what is checked here.
unsafe impl Send for Plain {}
// SAFETY: as above.
unsafe impl Sync for Plain {}

impl Plain {
    fn new() -> &'static Self {
        shared(Self(UnsafeCell::new(0)))
    }

    fn write(&self, value: usize) {
        // SAFETY: nobody else accesses it until the structure under test has told.
        unsafe { *self.0.get() = value }
    }

    fn read(&self) -> usize {
        // SAFETY: it is written no more since the structure under test has told.
        unsafe { *self.0.get() }
    }
}

fn values_through_a_ring() {
    const COUNT: usize = 20_000;
    let (mut producer, mut consumer) = ring(4);
    let sender = thread::spawn(move || {
        for i in 0..COUNT {
            let mut value = Box::new(i);
            while let Err(Full(back)) = producer.push(value) {
                value = back;
                thread::yield_now();
            }
        }
    });
    for expected in 0..COUNT {
        let value = loop {
            match consumer.pop() {
                Some(value) => break value,
                None => thread::yield_now(),
            }
        };
        assert_eq!(*value, expected);
    }
    sender.join().unwrap();
    assert!(consumer.is_closed());
}

fn batches_through_a_ring() {
    const COUNT: usize = 20_000;
    let (mut producer, mut consumer) = ring(8);
    let sender = thread::spawn(move || {
        let mut values = (0..COUNT).map(|i| [i; 3]).peekable();
        while values.peek().is_some() {
            if producer.push_batch(&mut values) == 0 {
                thread::yield_now();
            }
        }
    });
    let mut expected = 0;
    while expected < COUNT {
        let count = consumer.pop_batch(5, |value| {
            assert_eq!(value, [expected; 3]);
            expected += 1;
        });
        if count == 0 {
            thread::yield_now();
        }
    }
    sender.join().unwrap();
}

/// The last of the two ends drops what the other one pushed; and who finds the ring closed reads what
/// was written before.
fn rings_that_are_dropped_full() {
    for round in 0..500 {
        let (mut producer, mut consumer) = ring(4);
        let before_the_close = Plain::new();
        let sender = thread::spawn(move || {
            for i in 0..4 {
                producer.push(Box::new(i)).unwrap();
            }
            before_the_close.write(round);
        });
        if round % 2 == 0 {
            while !consumer.is_closed() {
                thread::yield_now();
            }
            assert_eq!(before_the_close.read(), round);
        }
        drop(consumer.pop());
        drop(consumer);
        sender.join().unwrap();
    }
}

/// Four members that sleep and pass boxes round, each in both directions.
fn boxes_through_a_mesh() {
    const MEMBERS: usize = 4;
    const EACH: usize = 1_500;
    let (sleepers, wakes): (Vec<_>, Vec<_>) = (0..MEMBERS)
        .map(|_| {
            let sleeper: &Sleeper = shared(Sleeper::default());
            let wake: Box<dyn Fn() + Send + Sync> = Box::new(|| sleeper.wake());
            (sleeper, wake)
        })
        .unzip();
    let config = MeshConfig {
        invalidation_capacity: 2,
        parcel_capacity: 2,
        pending_max: 8,
    };
    let threads: Vec<_> = mesh::<Box<usize>>(wakes, config)
        .into_iter()
        .zip(sleepers)
        .map(|(mut end, sleeper)| {
            thread::spawn(move || {
                let mut left = [EACH; MEMBERS];
                let mut heard = [0; MEMBERS];
                left[end.id()] = 0;
                heard[end.id()] = EACH;
                loop {
                    for (to, left) in left.iter_mut().enumerate() {
                        while *left > 0 && end.send(to, Box::new(EACH - *left)).is_ok() {
                            *left -= 1;
                            let scope = *left as u64;
                            end.invalidate(to, Invalidation { kind: 0, scope });
                        }
                    }
                    end.receive(|from, received| {
                        if let Received::Parcel(parcel) = received {
                            assert_eq!(*parcel, heard[from]);
                            heard[from] += 1;
                        }
                    });
                    let done = |end: &mut autovia_shards::Endpoint<Box<usize>>| {
                        left == [0; MEMBERS] && heard == [EACH; MEMBERS] && end.flush()
                    };
                    if done(&mut end) {
                        return;
                    }
                    if end.may_sleep(|| true) {
                        if done(&mut end) {
                            return;
                        }
                        sleeper.sleep();
                        end.woke();
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// A sleep by yielding, in atomics of this program: the standard library's ways to sleep are not
/// instrumented.
#[derive(Default)]
struct Sleeper(AtomicUsize);

impl Sleeper {
    fn sleep(&self) {
        while self.0.swap(0, Ordering::Acquire) == 0 {
            thread::yield_now();
        }
    }

    fn wake(&self) {
        self.0.store(1, Ordering::Release);
    }
}

/// Two markers of one leaf write before they mark, also when the other's mark led the sweep there.
fn data_behind_marks() {
    for _ in 0..1_000 {
        let mut dirty = DirtySet::new(128);
        let data: Vec<_> = (0..3).map(|_| Plain::new()).collect();
        let markers: Vec<_> = data
            .iter()
            .zip([0, 1, 127])
            .map(|(data, number)| {
                let (data, marker) = (*data, dirty.marker());
                thread::spawn(move || {
                    data.write(number + 1);
                    marker.mark(number);
                })
            })
            .collect();
        let mut told = 0;
        while told < 3 {
            dirty.sweep(|number| {
                let data = &data[number.min(2)];
                assert_eq!(data.read(), number + 1);
                told += 1;
            });
            dirty.grow(dirty.capacity() + 1);
            thread::yield_now();
        }
        for marker in markers {
            marker.join().unwrap();
        }
    }
}

/// All words of a table are atomics; what its lock protects is not, and neither is what is published
/// beside a value.
fn keys_that_come_and_go() {
    const EACH: usize = 2_000;
    let table: &SlotTable = shared(SlotTable::with_writers(2, 16, [1, 2], 2));
    let published = Plain::new();
    let writer = thread::spawn(|| {
        published.write(7);
        table.set(b"told", b"yes").unwrap();
    });
    let mut value = Vec::new();
    while table.read(b"told", &mut value).unwrap().is_none() {
        thread::yield_now();
    }
    assert_eq!(published.read(), 7);
    writer.join().unwrap();
    table.remove(b"told").unwrap();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            thread::spawn(|| {
                let mut value = Vec::new();
                for _ in 0..EACH {
                    let row = table.acquire(b"used", || vec![0; 16]).unwrap();
                    table
                        .update_row(row, |old| Some(vec![old[0].wrapping_add(1); 16]))
                        .unwrap();
                    table.read(b"used", &mut value).unwrap();
                    assert!(value.iter().all(|&byte| byte == value[0]));
                    table.release(row);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(table.is_empty());
}

fn data_behind_a_switch() {
    for round in 0..500 {
        let (switch, data): (&Switch, _) = (shared(Switch::new()), Plain::new());
        let board: &Board = shared(Board::new(1, 1));
        let bell: &Doorbell = shared(Doorbell::new(Box::new(|| ())));
        let setter = thread::spawn(move || {
            data.write(round);
            board.add(0, 0, 1);
            switch.set();
            bell.ring();
        });
        while !switch.is_set() {
            bell.announce();
            thread::yield_now();
            bell.awake();
        }
        assert_eq!((data.read(), board.get(0, 0)), (round, 1));
        setter.join().unwrap();
    }
}
