//! Histories of real threads on a slot table: each has an order that explains it.

mod history;

use std::sync::{Arc, Barrier};
use std::thread;

use history::{Answer, CALLS_MAX, Call, Event, KEYS, World, explained};
use proptest::prelude::*;

const THREADS: usize = 4;

/// Lets each list of calls run on a thread of its own.
fn record(lists: Vec<Vec<Call>>) -> Vec<Event> {
    let world = Arc::new(World::new(2));
    let together = Arc::new(Barrier::new(lists.len()));
    let threads: Vec<_> = lists
        .into_iter()
        .map(|calls| {
            let (world, together) = (Arc::clone(&world), Arc::clone(&together));
            thread::spawn(move || {
                together.wait();
                let events = calls.into_iter().map(|call| world.record(call));
                events.collect::<Vec<_>>()
            })
        })
        .collect();
    threads
        .into_iter()
        .flat_map(|thread| thread.join().unwrap())
        .collect()
}

fn call() -> impl Strategy<Value = Call> {
    let key = 0..KEYS.len();
    prop_oneof![
        3 => key.clone().prop_map(Call::Read),
        2 => (key.clone(), 0u8..4).prop_map(|(key, value)| Call::Set(key, value)),
        3 => (key.clone(), 1u8..4).prop_map(|(key, delta)| Call::Add(key, delta)),
        2 => (key.clone(), prop::option::of(0u8..4), 0u8..4)
            .prop_map(|(key, expected, new)| Call::CompareAndSet(key, expected, new)),
        2 => key.prop_map(Call::Remove),
        1 => (0..2usize).prop_map(Call::ReadRow),
        1 => (0..2usize, 1u8..4).prop_map(|(key, delta)| Call::AddRow(key, delta)),
    ]
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    prop::collection::vec(call(), CALLS_MAX / THREADS)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn histories_have_an_order(lists in prop::collection::vec(calls(), THREADS)) {
        let events = record(lists);
        prop_assert!(explained(&events), "no order explains {:#?}", events);
    }
}

/// One after another there is one order only, so this compares the search's rules with the table.
#[test]
fn one_thread_is_explained_and_a_changed_answer_is_not() {
    let calls = [
        Call::Read(0),
        Call::Set(2, 9),
        Call::Remove(0),
        Call::Set(2, 9),
        Call::CompareAndSet(0, None, 5),
        Call::ReadRow(0),
        Call::AddRow(1, 3),
        Call::CompareAndSet(1, Some(4), 7),
        Call::Read(1),
        Call::Remove(2),
        Call::Add(0, 2),
        Call::ReadRow(0),
        Call::Read(0),
    ];
    let world = World::new(1);
    let events = calls.map(|call| world.record(call));
    let answers = events.map(|event| event.answer);
    let value = |value| Answer::Value(Some(value));
    let expected = [
        value(1),
        Answer::Full,
        Answer::Yes(true),
        Answer::Done,
        Answer::Full,
        Answer::Stale,
        Answer::Done,
        Answer::Yes(true),
        value(7),
        Answer::Yes(true),
        Answer::Done,
        Answer::Stale,
        value(2),
    ];
    assert_eq!(answers, expected);
    assert!(explained(&events));
    for i in 0..events.len() {
        let mut wrong = events;
        wrong[i].answer = if wrong[i].answer == Answer::Stale {
            value(1)
        } else {
            Answer::Stale
        };
        assert!(!explained(&wrong), "{:?}", wrong[i]);
    }
}

#[test]
fn calls_at_the_same_time_may_come_in_either_order_and_later_ones_not() {
    let event = |call, answer, start, end| Event {
        call,
        answer,
        start,
        end,
    };
    let set = event(Call::Set(0, 2), Answer::Done, 0, 3);
    let old = event(Call::Read(0), Answer::Value(Some(1)), 1, 2);
    let new = event(Call::Read(0), Answer::Value(Some(2)), 4, 5);
    let late = event(Call::Read(0), Answer::Value(Some(1)), 4, 5);
    assert!(explained(&[set, old, new]));
    assert!(!explained(&[set, late]));
}

/// Threads that add by a read and a write, which the recorder must tell from an update. The barriers
/// bring about what would happen by chance.
#[test]
fn an_add_in_two_steps_is_found_out() {
    let world = Arc::new(World::new(2));
    let both_have_read = Arc::new(Barrier::new(2));
    let threads = [10, 20].map(|delta| {
        let (world, both_have_read) = (Arc::clone(&world), Arc::clone(&both_have_read));
        thread::spawn(move || {
            world.record_as(Call::Add(0, delta), || {
                let Answer::Value(Some(old)) = world.perform(Call::Read(0)) else {
                    panic!("the key is there");
                };
                both_have_read.wait();
                world.perform(Call::Set(0, old + delta))
            })
        })
    });
    let mut events: Vec<_> = threads.map(|thread| thread.join().unwrap()).into();
    events.push(world.record(Call::Read(0)));
    assert!(!explained(&events), "{events:#?}");
}

/// A reader that answers from a copy made before.
#[test]
fn a_read_of_an_old_copy_is_found_out() {
    let world = World::new(1);
    let copy = world.perform(Call::Read(0));
    let set = world.record(Call::Set(0, 2));
    let read = world.record_as(Call::Read(0), || copy);
    assert!(!explained(&[set, read]));
}
