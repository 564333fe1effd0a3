//! Four and more threads under random schedules: where loom would take years.
#![cfg(shuttle)]

#[path = "../../shards/tests/history/mod.rs"]
mod history;

use autovia_shards::{
    Board, DirtySet, Doorbell, Endpoint, Full, Invalidation, MeshConfig, Received, mesh, ring,
};
use history::{Call, World, explained};
use loom_tests::{Sleep, at_random};
use shuttle::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use shuttle::sync::{Arc, Mutex};
use shuttle::thread;

/// What a member has heard from another.
#[derive(Clone, Default)]
struct Heard {
    scopes: [bool; SCOPES],
    parcels: Vec<usize>,
}

const SCOPES: usize = 3;
const PARCELS: usize = 2;

impl Heard {
    fn is_all(&self) -> bool {
        self.scopes == [true; SCOPES] && self.parcels.len() == PARCELS
    }

    fn hear(&mut self, received: Received<usize>) {
        match received {
            Received::Invalidation(it) => self.scopes[it.scope as usize] = true,
            Received::Everything => self.scopes = [true; SCOPES],
            Received::Parcel(parcel) => self.parcels.push(parcel),
        }
    }
}

/// Tells each other member all scopes and sends it parcels, sleeps whenever it may, and goes when it
/// has heard the same from all others and has nothing left to send.
fn tell_and_hear(mut end: Endpoint<usize>, sleep: Sleep) {
    let (id, members) = (end.id(), end.members());
    let mut heard = vec![Heard::default(); members];
    heard[id].scopes = [true; SCOPES];
    heard[id].parcels = (0..PARCELS).collect();
    let mut parcels: Vec<(usize, usize)> = (0..members)
        .filter(|&to| to != id)
        .flat_map(|to| (0..PARCELS).map(move |parcel| (to, parcel)))
        .collect();
    for scope in 0..SCOPES as u64 {
        end.invalidate_others(Invalidation { kind: 0, scope });
    }
    loop {
        let mut full = vec![false; members];
        parcels.retain(|&(to, parcel)| {
            full[to] = full[to] || end.send(to, parcel).is_err();
            full[to]
        });
        end.receive(|from, received| heard[from].hear(received));
        let is_done = |end: &mut Endpoint<usize>| {
            heard.iter().all(Heard::is_all) && parcels.is_empty() && end.flush()
        };
        if is_done(&mut end) {
            break;
        }
        if end.may_sleep(|| true) {
            // The flush before the sleep may have been the last one needed.
            if is_done(&mut end) {
                break;
            }
            sleep.sleep();
            end.woke();
        }
    }
    for heard in heard {
        assert_eq!(heard.parcels, [0, 1], "in order, each once");
    }
}

/// Lanes of one place and pending sets of two, so that all overflows, merges, becomes "everything" and
/// drains, while members sleep with full lanes and go.
#[test]
fn members_of_a_mesh_hear_all() {
    at_random(2_000, || {
        let sleeps: Vec<_> = (0..5).map(|_| Sleep::default()).collect();
        let config = MeshConfig {
            invalidation_capacity: 1,
            parcel_capacity: 1,
            pending_max: 2,
        };
        let ends = mesh(sleeps.iter().map(Sleep::wake).collect(), config);
        let threads: Vec<_> = ends
            .into_iter()
            .zip(sleeps)
            .map(|(end, sleep)| thread::spawn(move || tell_and_hear(end, sleep)))
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn three_senders_wake_a_sleeper_once_per_sleep() {
    at_random(4_000, || {
        let (sleep, calls) = (Sleep::default(), Arc::new(AtomicUsize::new(0)));
        let bell = {
            let (wake, calls) = (sleep.wake(), Arc::clone(&calls));
            Arc::new(Doorbell::new(Box::new(move || {
                calls.fetch_add(1, Ordering::SeqCst);
                wake();
            })))
        };
        let put = Arc::new(AtomicUsize::new(0));
        let senders: Vec<_> = (0..3)
            .map(|_| {
                let (bell, put) = (Arc::clone(&bell), Arc::clone(&put));
                thread::spawn(move || {
                    for _ in 0..2 {
                        put.fetch_add(1, Ordering::SeqCst);
                        bell.ring();
                    }
                })
            })
            .collect();
        let (mut taken, mut announced) = (0, 0);
        while taken < 6 {
            taken += put.swap(0, Ordering::SeqCst);
            if taken < 6 {
                announced += 1;
                bell.announce();
                if put.load(Ordering::SeqCst) == 0 {
                    sleep.sleep();
                }
                bell.awake();
            }
        }
        for sender in senders {
            sender.join().unwrap();
        }
        assert!(calls.load(Ordering::SeqCst) <= announced);
    });
}

/// What each of four threads asks of the table in one history.
const ASKED: [[Call; 5]; 4] = [
    [
        Call::Remove(0),
        Call::Set(1, 2),
        Call::Set(2, 3),
        Call::Read(0),
        Call::Add(1, 1),
    ],
    [
        Call::Add(0, 4),
        Call::AddRow(1, 5),
        Call::Remove(1),
        Call::Add(2, 1),
        Call::Read(1),
    ],
    [
        Call::Add(0, 8),
        Call::CompareAndSet(1, Some(1), 9),
        Call::Remove(2),
        Call::ReadRow(0),
        Call::Set(0, 7),
    ],
    [
        Call::Read(2),
        Call::AddRow(0, 16),
        Call::CompareAndSet(2, None, 6),
        Call::Read(1),
        Call::Read(0),
    ],
];

/// Inserts, removals, updates and reads, by key and by handle, through one spare buffer, in a table
/// that gets full: some order explains the answers.
#[test]
fn histories_of_the_slot_table_have_an_order() {
    at_random(2_000, || {
        let world = Arc::new(World::new(1));
        let events = Arc::new(Mutex::new(Vec::new()));
        let threads: Vec<_> = ASKED
            .into_iter()
            .map(|calls| {
                let (world, events) = (Arc::clone(&world), Arc::clone(&events));
                thread::spawn(move || {
                    let mine = calls.map(|call| world.record(call));
                    events.lock().unwrap().extend(mine);
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        let events = events.lock().unwrap();
        assert!(explained(&events), "no order explains {events:#?}");
    });
}

/// Three mark, one of them again what another marks, while the owner sweeps, grows and sleeps.
#[test]
fn each_mark_is_swept() {
    at_random(4_000, || {
        let sleep = Sleep::default();
        let bell = Arc::new(Doorbell::new(sleep.wake()));
        let mut dirty = DirtySet::new(4_100);
        let done: Vec<_> = (0..3).map(|_| Arc::new(AtomicBool::new(false))).collect();
        // Two of one leaf, two of one summary word, one far away.
        let marks = [[0, 64], [0, 4_099], [1, 4_099]];
        let threads: Vec<_> = marks
            .into_iter()
            .zip(&done)
            .map(|(marks, done)| {
                let (marker, bell, done) = (dirty.marker(), Arc::clone(&bell), Arc::clone(done));
                thread::spawn(move || {
                    for mark in marks {
                        marker.mark(mark);
                        bell.ring();
                    }
                    done.store(true, Ordering::SeqCst);
                    bell.ring();
                })
            })
            .collect();
        let mut told = std::collections::BTreeMap::new();
        loop {
            let known: Vec<_> = done.iter().map(|it| it.load(Ordering::SeqCst)).collect();
            dirty.sweep(|i| *told.entry(i).or_insert(0) += 1);
            for (marks, known) in marks.iter().zip(&known) {
                let all = marks.iter().all(|mark| told.contains_key(mark));
                assert!(all || !known, "marked before the sweep and not told");
            }
            if known.iter().all(|&known| known) {
                break;
            }
            dirty.grow(dirty.capacity() + 1);
            bell.announce();
            let more = done.iter().zip(&known);
            if dirty.is_empty()
                && !more.fold(false, |any, (it, known)| {
                    any | (it.load(Ordering::SeqCst) != *known)
                })
            {
                sleep.sleep();
            }
            bell.awake();
        }
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(dirty.is_empty());
        assert!(
            told.into_iter().all(
                |(i, count)| count <= marks.iter().flatten().filter(|&&mark| mark == i).count()
            )
        );
    });
}

/// Values go through three rings and four threads; one in the middle, or the last, goes early. Each
/// value is dropped once.
#[test]
fn rings_in_a_row_close_and_drop() {
    at_random(2_000, || {
        let value = Arc::new(());
        let (mut first, mut input) = ring(1);
        let mut threads = Vec::new();
        {
            let value = Arc::clone(&value);
            threads.push(thread::spawn(move || {
                let mut sent = 0;
                while sent < 4 && !first.is_closed() {
                    match first.push((sent, Arc::clone(&value))) {
                        Ok(()) => sent += 1,
                        Err(Full(_)) => thread::yield_now(),
                    }
                }
            }));
        }
        for keep in [usize::MAX, 2] {
            let (mut output, next) = ring(2);
            let mut from = std::mem::replace(&mut input, next);
            threads.push(thread::spawn(move || {
                let mut passed = 0;
                loop {
                    let closed = from.is_closed();
                    match from.pop() {
                        Some((number, value)) => {
                            assert_eq!(number, passed, "in order, none missing");
                            passed += 1;
                            let mut carried = (number, value);
                            while let Err(Full(back)) = output.push(carried) {
                                carried = back;
                                if output.is_closed() {
                                    return;
                                }
                                thread::yield_now();
                            }
                        }
                        None if closed => return,
                        None => thread::yield_now(),
                    }
                    if passed == keep {
                        return;
                    }
                }
            }));
        }
        let mut got = 0;
        loop {
            let closed = input.is_closed();
            let count = input.pop_batch(2, |(number, _)| {
                assert_eq!(number, got);
                got += 1;
            });
            if count == 0 && closed {
                break;
            }
            thread::yield_now();
        }
        assert_eq!(got, 2, "what was pushed before the close");
        for thread in threads {
            thread.join().unwrap();
        }
        drop(input);
        assert_eq!(Arc::strong_count(&value), 1);
    });
}

#[test]
fn owners_of_a_board_lose_nothing() {
    at_random(2_000, || {
        let board = Arc::new(Board::new(4, 2));
        let owners: Vec<_> = (0..4)
            .map(|row| {
                let board = Arc::clone(&board);
                thread::spawn(move || {
                    for _ in 0..3 {
                        board.add(row, 1, 1);
                    }
                })
            })
            .collect();
        let (early, late) = (board.sum(1), board.sum(1));
        assert!(early <= late && late <= 12);
        for owner in owners {
            owner.join().unwrap();
        }
        assert_eq!(board.sum(1), 12);
    });
}
