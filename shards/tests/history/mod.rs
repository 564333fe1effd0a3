//! What threads asked of a slot table and were answered, with a search for an order that explains it:
//! one in which each call lies between its own start and end, and in which plain variables would have
//! given the same answers. (Wing and Gong's search, with a memo of the states that led nowhere.)
//!
//! The table has fewer rows than there are keys, so that being full is part of the histories.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};

use autovia_shards::{Row, SlotError, SlotTable};

pub const KEYS: [&[u8]; 3] = [b"k", b"ko", b"away"];
const ROWS: usize = 2;
/// The search keeps a set of calls in one word.
pub const CALLS_MAX: usize = 64;

/// What a thread asks, of one of the [`KEYS`].
#[derive(Clone, Copy, Debug)]
pub enum Call {
    Read(usize),
    Set(usize, u8),
    Add(usize, u8),
    CompareAndSet(usize, Option<u8>, u8),
    Remove(usize),
    /// By the handle of the key as it was at the beginning.
    ReadRow(usize),
    /// As above.
    AddRow(usize, u8),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    Value(Option<u8>),
    Yes(bool),
    Done,
    Full,
    Stale,
}

/// A call, its answer, and when it began and ended.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    pub call: Call,
    pub answer: Answer,
    pub start: u64,
    pub end: u64,
}

/// A key's value, and whether it is still the key that was there at the beginning.
type Variable = Option<(u8, bool)>;
type State = [Variable; KEYS.len()];

/// A table in which the first keys are there with value 1, and the clock of a history.
pub struct World {
    table: SlotTable,
    handles: Vec<Row>,
    clock: AtomicU64,
}

impl World {
    pub fn new(writers: usize) -> Self {
        let table = SlotTable::with_writers(ROWS, 8, [1, 2], writers);
        let handle = |key: &&[u8]| {
            table.set(key, &[1]).unwrap();
            table.find(key).unwrap().unwrap()
        };
        Self {
            handles: KEYS[..ROWS].iter().map(handle).collect(),
            table,
            clock: AtomicU64::new(0),
        }
    }

    /// What `World::new` made, as the search sees it.
    fn beginning() -> State {
        std::array::from_fn(|key| (key < ROWS).then_some((1, true)))
    }

    /// Makes a call and writes it down.
    pub fn record(&self, call: Call) -> Event {
        self.record_as(call, || self.perform(call))
    }

    /// Writes down what `perform` answers to `call`.
    pub fn record_as(&self, call: Call, perform: impl FnOnce() -> Answer) -> Event {
        // Its own clock, not the model's: a checker's scheduler need not know of it.
        let now = || self.clock.fetch_add(1, Ordering::SeqCst);
        let start = now();
        let answer = perform();
        let end = now();
        Event {
            call,
            answer,
            start,
            end,
        }
    }

    pub fn perform(&self, call: Call) -> Answer {
        match self.try_perform(call) {
            Ok(answer) => answer,
            Err(SlotError::Full { rows: ROWS }) => Answer::Full,
            Err(SlotError::Stale) => Answer::Stale,
            Err(error) => panic!("{call:?}: {error}"),
        }
    }

    fn try_perform(&self, call: Call) -> Result<Answer, SlotError> {
        let Self { table, handles, .. } = self;
        let add = |old: &[u8], delta: u8| Some(vec![old[0].wrapping_add(delta)]);
        Ok(match call {
            Call::Read(key) => {
                let mut value = Vec::new();
                let version = table.read(KEYS[key], &mut value)?;
                Answer::Value(version.map(|_| value[0]))
            }
            Call::Set(key, value) => {
                table.set(KEYS[key], &[value])?;
                Answer::Done
            }
            Call::Add(key, delta) => {
                table.update(KEYS[key], |old| add(old.unwrap_or(&[0]), delta))?;
                Answer::Done
            }
            Call::CompareAndSet(key, expected, new) => {
                let expected = expected.map(|value| [value]);
                let expected = expected.as_ref().map(|value| &value[..]);
                Answer::Yes(table.compare_and_set(KEYS[key], expected, &[new])?)
            }
            Call::Remove(key) => Answer::Yes(table.remove(KEYS[key])?),
            Call::ReadRow(key) => {
                let mut value = Vec::new();
                table.read_row(handles[key], &mut value)?;
                Answer::Value(Some(value[0]))
            }
            Call::AddRow(key, delta) => {
                table.update_row(handles[key], |old| add(old, delta))?;
                Answer::Done
            }
        })
    }
}

/// What plain variables answer, and what they are afterwards.
fn apply(mut state: State, call: Call) -> (State, Answer) {
    let answer = match call {
        Call::Read(key) => Answer::Value(state[key].map(|(value, _)| value)),
        Call::Set(key, value) => write(&mut state, key, value, Answer::Done),
        Call::Add(key, delta) => {
            let old = state[key].map_or(0, |(value, _)| value);
            write(&mut state, key, old.wrapping_add(delta), Answer::Done)
        }
        Call::CompareAndSet(key, expected, new) => {
            if state[key].map(|(value, _)| value) == expected {
                write(&mut state, key, new, Answer::Yes(true))
            } else {
                Answer::Yes(false)
            }
        }
        Call::Remove(key) => Answer::Yes(state[key].take().is_some()),
        Call::ReadRow(key) => match state[key] {
            Some((value, true)) => Answer::Value(Some(value)),
            _ => Answer::Stale,
        },
        Call::AddRow(key, delta) => match state[key] {
            Some((value, true)) => write(&mut state, key, value.wrapping_add(delta), Answer::Done),
            _ => Answer::Stale,
        },
    };
    (state, answer)
}

fn write(state: &mut State, key: usize, value: u8, answer: Answer) -> Answer {
    match state[key] {
        None if state.iter().flatten().count() == ROWS => Answer::Full,
        old => {
            state[key] = Some((value, old.is_some_and(|(_, first)| first)));
            answer
        }
    }
}

/// Whether some order explains the history.
pub fn explained(events: &[Event]) -> bool {
    assert!(events.len() <= CALLS_MAX);
    search(events, 0, World::beginning(), &mut HashSet::new())
}

fn search(
    events: &[Event],
    done: u64,
    state: State,
    dead_ends: &mut HashSet<(u64, State)>,
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
        let (next, answer) = apply(state, events[i].call);
        answer == events[i].answer && search(events, done | 1 << i, next, dead_ends)
    });
    if !found {
        dead_ends.insert((done, state));
    }
    found
}
