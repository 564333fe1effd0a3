//! The dirty set: every mark is found by the sweep that comes after it, with what was done before it.
#![cfg(loom)]

use autovia_shards::{Board, DirtySet, Doorbell, Switch};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use loom_tests::{Sleep, every_schedule};

/// A place that one thread writes before it marks, and the sweeper reads when it is told.
struct Data(UnsafeCell<u32>);

// SAFETY: loom checks each access of the cell against the others; a race fails the model.
unsafe impl Send for Data {}
// SAFETY: as above.
unsafe impl Sync for Data {}

impl Data {
    fn new() -> Arc<Self> {
        Arc::new(Self(UnsafeCell::new(0)))
    }

    fn write(&self, value: u32) {
        // SAFETY: loom checks that nobody else accesses it meanwhile.
        self.0.with_mut(|place| unsafe { *place = value });
    }

    fn read(&self) -> u32 {
        // SAFETY: loom checks that nobody writes it meanwhile.
        self.0.with(|place| unsafe { *place })
    }
}

/// Two threads mark numbers of one leaf; each mark is told exactly once, and brings its data along,
/// even when the other thread's mark led the sweep to the leaf.
#[test]
fn marks_of_one_leaf_bring_their_data() {
    every_schedule(|| {
        let mut dirty = DirtySet::new(128);
        let data: Vec<_> = (0..2).map(|_| Data::new()).collect();
        let markers: Vec<_> = (0..2)
            .map(|i| {
                let (marker, data) = (dirty.marker(), Arc::clone(&data[i]));
                thread::spawn(move || {
                    data.write(7);
                    assert!(marker.mark(i));
                })
            })
            .collect();
        let mut told = [0; 2];
        dirty.sweep(|i| {
            told[i] += 1;
            assert_eq!(data[i].read(), 7);
        });
        for marker in markers {
            marker.join().unwrap();
        }
        dirty.sweep(|i| told[i] += 1);
        assert_eq!(told, [1, 1]);
        assert!(dirty.is_empty());
    });
}

/// Both mark the same number: whoever comes second has the same promise, though the first may not have
/// come to the summary yet.
#[test]
fn the_second_mark_of_a_number_counts_too() {
    every_schedule(|| {
        let mut dirty = DirtySet::new(64);
        let (first, second) = (dirty.marker(), dirty.marker());
        let done = Arc::new(Switch::new());
        let other = thread::spawn(move || {
            first.mark(3);
        });
        let marker = {
            let done = Arc::clone(&done);
            thread::spawn(move || {
                second.mark(3);
                done.set();
            })
        };
        let known = done.is_set();
        let mut told = 0;
        dirty.sweep(|_| told += 1);
        assert!(told == 1 || !known, "marked before the sweep and not told");
        other.join().unwrap();
        marker.join().unwrap();
        dirty.sweep(|_| told += 1);
        assert!(told == 1 || told == 2);
    });
}

/// A mark of a leaf that is being swept is told now or next time.
#[test]
fn a_mark_during_a_sweep_is_not_lost() {
    every_schedule(|| {
        let mut dirty = DirtySet::new(64);
        dirty.mark(1);
        let marker = dirty.marker();
        let thread = thread::spawn(move || {
            marker.mark(2);
        });
        let mut told = Vec::new();
        dirty.sweep(|i| told.push(i));
        thread.join().unwrap();
        dirty.sweep(|i| told.push(i));
        assert_eq!(told, [1, 2]);
    });
}

/// With a doorbell, `is_empty` is look enough before sleep.
#[test]
fn a_mark_wakes_a_sleeping_sweeper() {
    every_schedule(|| {
        let sleep = Sleep::default();
        let bell = Arc::new(Doorbell::new(sleep.wake()));
        let mut dirty = DirtySet::new(64);
        let marker = {
            let (marker, bell) = (dirty.marker(), Arc::clone(&bell));
            thread::spawn(move || {
                marker.mark(9);
                bell.ring();
            })
        };
        let mut told = 0;
        loop {
            dirty.sweep(|_| told += 1);
            if told > 0 {
                break;
            }
            bell.announce();
            if dirty.is_empty() {
                sleep.sleep();
            }
            bell.awake();
        }
        marker.join().unwrap();
        assert_eq!(told, 1);
    });
}

/// Growing keeps what is marked, also through markers made before.
#[test]
fn growing_keeps_marks() {
    every_schedule(|| {
        let mut dirty = DirtySet::new(1);
        let marker = dirty.marker();
        let thread = thread::spawn(move || {
            marker.mark(0);
        });
        dirty.grow(70);
        assert_eq!(dirty.capacity(), 70);
        dirty.mark(69);
        thread.join().unwrap();
        let mut told = Vec::new();
        dirty.sweep(|i| told.push(i));
        assert_eq!(told, [0, 69]);
        dirty.grow(100);
        assert!(dirty.mark(99));
    });
}

#[test]
fn a_switch_brings_what_was_done_before() {
    every_schedule(|| {
        let switch = Arc::new(Switch::new());
        let data = Data::new();
        let setter = {
            let (switch, data) = (Arc::clone(&switch), Arc::clone(&data));
            thread::spawn(move || {
                data.write(1);
                switch.set();
            })
        };
        if switch.is_set() {
            assert_eq!(data.read(), 1);
        }
        setter.join().unwrap();
        assert!(switch.is_set());
    });
}

/// Each counter is whole, and a row's owner loses none of its own.
#[test]
fn a_board_is_read_while_it_is_written() {
    every_schedule(|| {
        let board = Arc::new(Board::new(2, 1));
        let owners: Vec<_> = (0..2)
            .map(|row| {
                let board = Arc::clone(&board);
                thread::spawn(move || {
                    board.add(row, 0, 3);
                    board.add(row, 0, -1);
                })
            })
            .collect();
        assert_eq!((board.rows(), board.counters()), (2, 1));
        assert!([0, 2, 3].contains(&board.get(0, 0)));
        for owner in owners {
            owner.join().unwrap();
        }
        assert_eq!(board.sum(0), 4);
        board.set(0, 0, 9);
        assert_eq!(board.sum(0), 11);
    });
}
