//! The slot table beside a `HashMap`, its errors, its handles, and threads that read and write.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use autovia_shards::{KEY_MAX_BYTES, Row, SlotError, SlotTable};
use proptest::prelude::*;

const KEY: [u64; 2] = [3, 5];

fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().expect("eight bytes"))
}

fn plus_one(old: Option<&[u8]>) -> Option<Vec<u8>> {
    Some((old.map_or(0, number) + 1).to_le_bytes().to_vec())
}

#[derive(Clone, Debug)]
enum Step {
    Set(u8, Vec<u8>),
    Update(u8, u8),
    Leave(u8),
    CompareAndSet(u8, Option<Vec<u8>>, Vec<u8>),
    Remove(u8),
    Acquire(u8),
    Release(usize),
    SetRow(usize, Vec<u8>),
    UpdateRow(usize, u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0u8..14;
    let value = || prop::collection::vec(0u8..3, 0..22);
    let step = prop_oneof![
        (key.clone(), value()).prop_map(|(key, value)| Step::Set(key, value)),
        (key.clone(), any::<u8>()).prop_map(|(key, byte)| Step::Update(key, byte)),
        key.clone().prop_map(Step::Leave),
        (
            key.clone(),
            prop::option::of(prop::collection::vec(0u8..3, 0..2)),
            prop::collection::vec(0u8..3, 0..2)
        )
            .prop_map(|(key, expected, new)| Step::CompareAndSet(key, expected, new)),
        key.clone().prop_map(Step::Remove),
        key.prop_map(Step::Acquire),
        any::<usize>().prop_map(Step::Release),
        (any::<usize>(), value()).prop_map(|(row, value)| Step::SetRow(row, value)),
        (any::<usize>(), any::<u8>()).prop_map(|(row, byte)| Step::UpdateRow(row, byte)),
    ];
    prop::collection::vec(step, 0..400)
}

/// A key of some length, so that keys of one word, of several and of all are met.
fn name(key: u8) -> Vec<u8> {
    vec![key; [0, 1, 7, 8, 9, 63, 64][usize::from(key) % 7]]
        .into_iter()
        .chain((key >= 7).then_some(b'x').filter(|_| key % 7 != 6))
        .collect()
}

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    value: Vec<u8>,
    users: u32,
    row: Row,
}

/// The table as a map, with the rules of the documentation written down once more.
struct Model {
    map: HashMap<Vec<u8>, Entry>,
    rows: usize,
    value_bytes: usize,
}

impl Model {
    /// What a write of `value` to `key` must answer.
    fn write(&self, key: &[u8], value: &[u8]) -> Result<(), SlotError> {
        if value.len() > self.value_bytes {
            return Err(SlotError::ValueTooLarge {
                len: value.len(),
                max: self.value_bytes,
            });
        }
        if !self.map.contains_key(key) && self.map.len() == self.rows {
            return Err(SlotError::Full { rows: self.rows });
        }
        Ok(())
    }

    fn store(&mut self, table: &SlotTable, key: Vec<u8>, value: Vec<u8>) {
        let row = table.find(&key).unwrap().expect("it was just written");
        let users = self.map.get(&key).map_or(0, |entry| entry.users);
        self.map.insert(key, Entry { value, users, row });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn behaves_like_a_map(rows in 0usize..9, value_bytes in 14usize..20, steps in steps()) {
        let table = SlotTable::with_writers(rows, value_bytes, KEY, 1);
        let mut model = Model { map: HashMap::new(), rows, value_bytes };
        let mut handles: Vec<(Row, Vec<u8>)> = Vec::new();
        for step in steps {
            match step {
                Step::Set(key, value) => {
                    let key = name(key);
                    let want = model.write(&key, &value);
                    prop_assert_eq!(table.set(&key, &value).map(|_| ()), want);
                    if want.is_ok() {
                        model.store(&table, key, value);
                    }
                }
                Step::Update(key, byte) => {
                    let key = name(key);
                    let append = |old: Option<&[u8]>| [old.unwrap_or(b""), &[byte]].concat();
                    let value = append(model.map.get(&key).map(|entry| &entry.value[..]));
                    let want = model.write(&key, &value);
                    let got = table.update(&key, |old| Some(append(old)));
                    prop_assert_eq!(got.map(|version| version.is_some()), want.map(|()| true));
                    if want.is_ok() {
                        model.store(&table, key, value);
                    }
                }
                Step::Leave(key) => {
                    prop_assert_eq!(table.update(&name(key), |_| None), Ok(None));
                }
                Step::CompareAndSet(key, expected, new) => {
                    let key = name(key);
                    let same = model.map.get(&key).map(|entry| &entry.value) == expected.as_ref();
                    let want = if same { model.write(&key, &new).map(|()| true) } else { Ok(false) };
                    prop_assert_eq!(table.compare_and_set(&key, expected.as_deref(), &new), want);
                    if want == Ok(true) {
                        model.store(&table, key, new);
                    }
                }
                Step::Remove(key) => {
                    let key = name(key);
                    prop_assert_eq!(table.remove(&key), Ok(model.map.remove(&key).is_some()));
                }
                Step::Acquire(key) => {
                    let key = name(key);
                    let want = model.write(&key, b"new");
                    let got = table.acquire(&key, || b"new".to_vec());
                    prop_assert_eq!(got.map(|_| ()), want);
                    if let Ok(row) = got {
                        if !model.map.contains_key(&key) {
                            model.store(&table, key.clone(), b"new".to_vec());
                        }
                        let entry = model.map.get_mut(&key).unwrap();
                        entry.users += 1;
                        prop_assert_eq!(entry.row, row);
                        handles.push((row, key));
                    }
                }
                Step::Release(i) if !handles.is_empty() => {
                    let (row, key) = handles.swap_remove(i % handles.len());
                    table.release(row);
                    if let Some(entry) = model.map.get_mut(&key).filter(|entry| entry.row == row) {
                        entry.users -= 1;
                        if entry.users == 0 {
                            model.map.remove(&key);
                        }
                    }
                }
                Step::SetRow(i, value) if !handles.is_empty() => {
                    let (row, key) = &handles[i % handles.len()];
                    let want = match model.map.get(key) {
                        _ if value.len() > value_bytes => model.write(key, &value),
                        Some(entry) if entry.row == *row => Ok(()),
                        _ => Err(SlotError::Stale),
                    };
                    prop_assert_eq!(table.set_row(*row, &value).map(|_| ()), want);
                    if want.is_ok() {
                        model.store(&table, key.clone(), value);
                    }
                }
                Step::UpdateRow(i, byte) if !handles.is_empty() => {
                    let (row, key) = &handles[i % handles.len()];
                    let got = table.update_row(*row, |old| Some([old, &[byte]].concat()));
                    match model.map.get(key).filter(|entry| entry.row == *row).cloned() {
                        None => prop_assert_eq!(got, Err(SlotError::Stale)),
                        Some(entry) => {
                            let value = [&entry.value[..], &[byte]].concat();
                            let want = model.write(key, &value);
                            prop_assert_eq!(got.map(|version| version.is_some()), want.map(|()| true));
                            if want.is_ok() {
                                model.store(&table, key.clone(), value);
                            }
                        }
                    }
                }
                Step::Release(_) | Step::SetRow(..) | Step::UpdateRow(..) => {}
            }
            prop_assert_eq!(table.len(), model.map.len());
        }
        let mut value = Vec::new();
        for key in (0..14).map(name) {
            let version = table.read(&key, &mut value).unwrap();
            prop_assert_eq!(version.is_some(), model.map.contains_key(&key));
            if let Some(entry) = model.map.get(&key) {
                prop_assert_eq!(&value, &entry.value);
                prop_assert_eq!(Ok(version.unwrap()), table.version(entry.row));
                prop_assert_eq!(table.find(&key), Ok(Some(entry.row)));
            } else {
                prop_assert!(value.is_empty());
            }
        }
        prop_assert_eq!(table.chained().0, model.map.len());
    }
}

#[test]
fn errors_say_what_was_wrong_what_is_allowed_and_what_to_change() {
    let table = SlotTable::new(1, 8, KEY);
    let long = vec![0; KEY_MAX_BYTES + 1];
    assert_eq!(
        table.set(&long, b"").unwrap_err().to_string(),
        "the key has 65 bytes; at most 64 are allowed: use a shorter key"
    );
    assert_eq!(
        table.set(b"a", &[0; 9]).unwrap_err().to_string(),
        "the value has 9 bytes; a row holds at most 8: store less, or make the table with larger rows"
    );
    table.set(b"a", &[0; 8]).unwrap();
    assert_eq!(
        table.set(b"b", b"").unwrap_err().to_string(),
        "all 1 rows are in use: remove keys that are no longer needed, or make the table with more rows"
    );
    assert_eq!(table.read(b"a", &mut vec![1]).unwrap(), Some(1));
}

#[test]
fn a_handle_never_reaches_a_later_key_of_its_row() {
    let table = SlotTable::new(1, 8, KEY);
    let first = table.acquire(b"a", || b"1".to_vec()).unwrap();
    let version = table.version(first).unwrap();
    assert!(table.remove(b"a").unwrap());
    assert!(!table.remove(b"a").unwrap());
    let second = table.acquire(b"a", || b"2".to_vec()).unwrap();
    assert_ne!(first, second);
    assert_eq!(table.version(first), Err(SlotError::Stale));
    assert_eq!(table.set_row(first, b"3"), Err(SlotError::Stale));
    table.release(first);
    assert!(table.version(second).unwrap() > version, "versions go on");
    table.release(second);
    assert!(table.is_empty());
    let foreign = SlotTable::new(9, 8, KEY);
    let mut row = None;
    for key in 0..9u8 {
        row = Some(foreign.acquire(&[key], Vec::new).unwrap());
    }
    assert_eq!(table.version(row.unwrap()), Err(SlotError::Stale));
}

#[test]
fn increments_of_all_threads_add_up() {
    const EACH: u64 = 25_000;
    let table = SlotTable::with_writers(4, 8, KEY, 2);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..EACH {
                    table.update(b"sum", plus_one).unwrap();
                }
            });
        }
    });
    let mut value = Vec::new();
    let version = table.read(b"sum", &mut value).unwrap();
    assert_eq!((number(&value), version), (4 * EACH, Some(4 * EACH)));
}

/// Values that are one byte repeated: a torn one mixes two. Keys come and go beside them.
#[test]
fn readers_see_whole_values_of_the_right_key() {
    const BYTES: usize = 200;
    let table = Arc::new(SlotTable::with_writers(3, BYTES, KEY, 3));
    let done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..3u8)
        .map(|key| {
            let table = Arc::clone(&table);
            thread::spawn(move || {
                for round in 0..20_000u32 {
                    let byte = key + (round % 61) as u8 * 4;
                    table
                        .set(&[key], &vec![byte; BYTES - (round % 9) as usize])
                        .unwrap();
                    if round % 7 == 0 {
                        table.remove(&[key]).unwrap();
                    }
                }
                table.set(&[key], &[key]).unwrap();
            })
        })
        .collect();
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (table, done) = (Arc::clone(&table), Arc::clone(&done));
            thread::spawn(move || {
                let mut value = Vec::new();
                let mut seen = 0;
                while !done.load(Ordering::Relaxed) {
                    for key in 0..3u8 {
                        if table.read(&[key], &mut value).unwrap().is_none() {
                            continue;
                        }
                        seen += 1;
                        assert!(
                            value
                                .iter()
                                .all(|&byte| byte == value[0] && byte & 3 == key)
                        );
                    }
                }
                seen
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    done.store(true, Ordering::Relaxed);
    let seen: usize = readers
        .into_iter()
        .map(|reader| reader.join().unwrap())
        .sum();
    assert!(seen > 0);
    assert_eq!(table.len(), 3);
}

/// A key that is always there is found by each lookup, while its neighbours in the chain come and go.
#[test]
fn a_key_that_is_there_is_never_missed() {
    let table = Arc::new(SlotTable::new(4, 8, KEY));
    let bucket = table.bucket(b"stays").unwrap();
    let mut others = (0u32..).map(|i| i.to_le_bytes());
    let same: Vec<_> = others
        .by_ref()
        .filter(|key| table.bucket(key).unwrap() == bucket)
        .take(2)
        .collect();
    let other = others
        .find(|key| table.bucket(key).unwrap() != bucket)
        .unwrap();
    table.set(b"stays", b"x").unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let misses = Arc::new(AtomicUsize::new(0));
    let reader = {
        let (table, done, misses) = (Arc::clone(&table), Arc::clone(&done), Arc::clone(&misses));
        thread::spawn(move || {
            let mut looks = 0;
            while !done.load(Ordering::Relaxed) || looks == 0 {
                looks += 1;
                if table.find(b"stays").unwrap().is_none() {
                    misses.fetch_add(1, Ordering::Relaxed);
                }
            }
        })
    };
    for _ in 0..30_000 {
        table.set(&same[0], b"a").unwrap();
        table.set(&same[1], b"b").unwrap();
        table.remove(&same[0]).unwrap();
        table.set(&other, b"c").unwrap();
        table.remove(&same[1]).unwrap();
        table.remove(&other).unwrap();
    }
    done.store(true, Ordering::Relaxed);
    reader.join().unwrap();
    assert_eq!(misses.load(Ordering::Relaxed), 0);
}

#[test]
fn users_of_all_threads_are_counted() {
    let table = Arc::new(SlotTable::new(2, 8, KEY));
    let keep = table.acquire(b"kept", || b"0".to_vec()).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5_000 {
                    let kept = table.acquire(b"kept", || b"1".to_vec()).unwrap();
                    let other = table.acquire(b"other", || b"1".to_vec()).unwrap();
                    assert_eq!(kept, keep);
                    assert!(table.version(other).is_ok());
                    table.release(other);
                    table.release(kept);
                }
            });
        }
    });
    assert_eq!(table.len(), 1);
    table.release(keep);
    assert!(table.is_empty());
}
