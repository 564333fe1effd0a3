//! A slot table in a model, with values of two words.

// Each file of models uses its part.
#![allow(dead_code)]

use std::sync::Mutex;

use autovia_shards::{Row, SlotError, SlotTable};
use loom::sync::atomic::AtomicBool;

const BYTES: usize = 16;

/// A table, a row of it, what threads tell each other, and what they saw. The latter's lock is the
/// standard library's: it is no part of the model.
pub struct Model {
    pub table: SlotTable,
    pub row: Option<Row>,
    pub told: [AtomicBool; 2],
    pub seen: Mutex<Vec<u64>>,
}

impl Model {
    /// `keys` are set to 1, 2 and so on; the row is the first one's.
    pub fn new(rows: usize, writers: usize, keys: &[&[u8]]) -> Self {
        let table = SlotTable::with_writers(rows, BYTES, [1, 2], writers);
        for (key, first) in keys.iter().zip(1..) {
            table.set(key, &value(first)).unwrap();
        }
        Self {
            row: keys.first().and_then(|key| table.find(key).unwrap()),
            table,
            told: [AtomicBool::new(false), AtomicBool::new(false)],
            seen: Mutex::default(),
        }
    }

    pub fn row(&self) -> Row {
        self.row.unwrap()
    }

    pub fn read(&self) -> Result<(u8, u64), SlotError> {
        let mut out = Vec::new();
        let version = self.table.read_row(self.row(), &mut out)?;
        Ok((number(&out), version))
    }

    pub fn read_key(&self, key: &[u8]) -> Option<u8> {
        let mut out = Vec::new();
        let version = self.table.read(key, &mut out).unwrap();
        assert!(version.is_some() || out.is_empty());
        version.map(|_| number(&out))
    }

    pub fn add(&self, delta: u8) -> Result<Option<u64>, SlotError> {
        let f = |old: &[u8]| Some(value(number(old) + delta).to_vec());
        self.table.update_row(self.row(), f)
    }

    pub fn saw(&self, what: u64) {
        self.seen.lock().unwrap().push(what);
    }

    /// What was seen, in order of size.
    pub fn all_seen(&self) -> Vec<u64> {
        let mut seen = self.seen.lock().unwrap().clone();
        seen.sort_unstable();
        seen
    }
}

/// [`loom_tests::race`] on a [`Model`].
pub fn race(
    preemptions: usize,
    setup: fn() -> Model,
    threads: &'static [fn(&Model)],
    after: fn(&Model),
) {
    loom_tests::race(preemptions, setup, threads, after);
}

/// A value whose two words are equal, so that a torn one shows.
pub fn value(number: u8) -> [u8; BYTES] {
    [number; BYTES]
}

pub fn number(value: &[u8]) -> u8 {
    assert_eq!(value.len(), BYTES);
    assert!(
        value.iter().all(|&byte| byte == value[0]),
        "torn: {value:?}"
    );
    value[0]
}
