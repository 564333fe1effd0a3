//! Recorded histories of a slot table's key: is there an order of the operations, each within its own
//! start and end, in which a plain variable would have given the same answers? (Wing and Gong's search,
//! with a memo of the states that led nowhere.)

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use autovia_shards::SlotTable;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Call {
    Read,
    Set(u8),
    Add(u8),
    CompareAndSet(Option<u8>, u8),
    Remove,
}

#[derive(Clone, Debug, PartialEq)]
enum Answer {
    Value(Option<u8>),
    Yes(bool),
    Done,
}

#[derive(Clone, Debug)]
struct Event {
    call: Call,
    answer: Answer,
    start: u64,
    end: u64,
}

/// What a plain variable answers, and what it is afterwards.
fn apply(state: Option<u8>, call: &Call) -> (Option<u8>, Answer) {
    match *call {
        Call::Read => (state, Answer::Value(state)),
        Call::Set(value) => (Some(value), Answer::Done),
        Call::Add(delta) => (Some(state.unwrap_or(0).wrapping_add(delta)), Answer::Done),
        Call::CompareAndSet(expected, new) if state == expected => (Some(new), Answer::Yes(true)),
        Call::CompareAndSet(..) => (state, Answer::Yes(false)),
        Call::Remove => (None, Answer::Yes(state.is_some())),
    }
}

fn explained(events: &[Event]) -> bool {
    fn search(
        events: &[Event],
        done: u64,
        state: Option<u8>,
        dead_ends: &mut HashSet<(u64, Option<u8>)>,
    ) -> bool {
        if done.count_ones() as usize == events.len() {
            return true;
        }
        if dead_ends.contains(&(done, state)) {
            return false;
        }
        let open = || (0..events.len()).filter(|i| done & 1 << i == 0);
        let first_end = open().map(|i| events[i].end).min().unwrap_or(u64::MAX);
        let found = open().filter(|&i| events[i].start < first_end).any(|i| {
            let (next, answer) = apply(state, &events[i].call);
            answer == events[i].answer && search(events, done | 1 << i, next, dead_ends)
        });
        if !found {
            dead_ends.insert((done, state));
        }
        found
    }
    assert!(events.len() <= 64);
    search(events, 0, None, &mut HashSet::new())
}

fn perform(table: &SlotTable, call: &Call) -> Answer {
    let key = b"k";
    match *call {
        Call::Read => {
            let mut value = Vec::new();
            let version = table.read(key, &mut value).unwrap();
            Answer::Value(version.map(|_| value[0]))
        }
        Call::Set(value) => {
            table.set(key, &[value]).unwrap();
            Answer::Done
        }
        Call::Add(delta) => {
            let add =
                |old: Option<&[u8]>| Some(vec![old.map_or(0, |old| old[0]).wrapping_add(delta)]);
            table.update(key, add).unwrap();
            Answer::Done
        }
        Call::CompareAndSet(expected, new) => {
            let expected = expected.map(|value| [value]);
            let expected = expected.as_ref().map(|value| &value[..]);
            Answer::Yes(table.compare_and_set(key, expected, &[new]).unwrap())
        }
        Call::Remove => Answer::Yes(table.remove(key).unwrap()),
    }
}

/// Lets each list of calls run on a thread of its own and writes down when each began and ended.
fn record(lists: Vec<Vec<Call>>) -> Vec<Event> {
    let table = Arc::new(SlotTable::with_writers(2, 8, [1, 2], 2));
    let clock = Arc::new(AtomicU64::new(0));
    let together = Arc::new(Barrier::new(lists.len()));
    let threads: Vec<_> = lists
        .into_iter()
        .map(|calls| {
            let (table, clock, together) = (table.clone(), clock.clone(), together.clone());
            thread::spawn(move || {
                together.wait();
                let now = || clock.fetch_add(1, Ordering::SeqCst);
                let event = |call: Call| {
                    let start = now();
                    let answer = perform(&table, &call);
                    let end = now();
                    Event {
                        call,
                        answer,
                        start,
                        end,
                    }
                };
                calls.into_iter().map(event).collect::<Vec<_>>()
            })
        })
        .collect();
    threads
        .into_iter()
        .flat_map(|thread| thread.join().unwrap())
        .collect()
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        3 => Just(Call::Read),
        2 => (0u8..4).prop_map(Call::Set),
        3 => (1u8..4).prop_map(Call::Add),
        2 => (prop::option::of(0u8..4), 0u8..4).prop_map(|(expected, new)| Call::CompareAndSet(expected, new)),
        2 => Just(Call::Remove),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn histories_have_an_order(lists in prop::collection::vec(prop::collection::vec(call(), 12), 4)) {
        let events = record(lists);
        prop_assert!(explained(&events), "no order explains {:#?}", events);
    }
}

#[test]
fn the_search_tells_right_from_wrong() {
    let event = |call, answer, start, end| Event {
        call,
        answer,
        start,
        end,
    };
    let set = event(Call::Set(1), Answer::Done, 0, 3);
    let old = event(Call::Read, Answer::Value(None), 1, 2);
    let new = event(Call::Read, Answer::Value(Some(1)), 4, 5);
    let late = event(Call::Read, Answer::Value(None), 4, 5);
    assert!(explained(&[set.clone(), old, new]));
    assert!(!explained(&[set, late]));
}
