//! Very many keys and names one after another: nothing decays, nothing stays behind.
//!
//! A million of each; `SOAK_CYCLES` says how many instead:
//!
//! ```text
//! SOAK_CYCLES=100000000 cargo test --release -p autovia-shards --test soak -- --nocapture
//! ```

mod counting;

use std::time::Instant;

use autovia_shards::{Names, SlotTable};
use counting::live;

const ROWS: u64 = 4_096;
const VALUE_BYTES: usize = 16;
const HASH_KEY: [u64; 2] = [3, 5];
const NAMES_MAX: u64 = 10_000_000;

fn cycles() -> u64 {
    match std::env::var("SOAK_CYCLES") {
        Ok(text) => text.parse().expect("SOAK_CYCLES is a number"),
        Err(_) => 1_000_000,
    }
}

fn filled(keys: std::ops::Range<u64>) -> SlotTable {
    let table = SlotTable::new(ROWS as usize, VALUE_BYTES, HASH_KEY);
    for key in keys {
        table.set(&key.to_le_bytes(), &key.to_le_bytes()).unwrap();
    }
    table
}

/// Nanoseconds per lookup; each key is there and has its value.
fn lookup_ns(table: &SlotTable, keys: std::ops::Range<u64>) -> f64 {
    const ROUNDS: u32 = 20;
    let (mut value, mut looked) = (Vec::new(), 0.0);
    let began = Instant::now();
    for key in (0..ROUNDS).flat_map(|_| keys.clone()) {
        assert!(
            table
                .read(&key.to_le_bytes(), &mut value)
                .unwrap()
                .is_some()
        );
        assert_eq!(value, key.to_le_bytes());
        looked += 1.0;
    }
    began.elapsed().as_nanos() as f64 / looked
}

/// A table that is always full: the oldest key goes, a new one comes. Afterwards the chains are those of
/// a table that never held another key; the times are printed, and prove nothing on a busy machine.
#[test]
fn lookups_stay_as_fast_as_on_the_first_day() {
    let cycles = cycles();
    let table = filled(0..ROWS);
    let (before, bytes) = (lookup_ns(&table, 0..ROWS), live());
    let began = Instant::now();
    for new in ROWS..ROWS + cycles {
        assert!(table.set(&new.to_le_bytes(), b"no room").is_err());
        assert!(table.remove(&(new - ROWS).to_le_bytes()).unwrap());
        table.set(&new.to_le_bytes(), &new.to_le_bytes()).unwrap();
    }
    let seconds = began.elapsed().as_secs_f64();
    assert_eq!(live(), bytes, "a table never grows");
    let now = cycles..ROWS + cycles;
    let fresh = filled(now.clone());
    assert_eq!(table.len(), ROWS as usize);
    assert_eq!(
        table.chained(),
        fresh.chained(),
        "keys in chains, and the longest"
    );
    let (after, as_new) = (lookup_ns(&table, now.clone()), lookup_ns(&fresh, now));
    println!(
        "{cycles} keys through {ROWS} rows in {seconds:.1} s; longest chain {}; \
         lookup {before:.0} ns before, {after:.0} ns after, {as_new:.0} ns in a new table",
        table.chained().1
    );
}

/// Rooms that open and close one after another, each with a name of its own, a few of them at a time.
#[test]
fn names_leave_nothing_behind() {
    const OPEN: u64 = 100;
    let cycles = cycles().min(NAMES_MAX);
    let mut names = Names::new();
    let before = live();
    let mut open = std::collections::VecDeque::new();
    let mut highest = 0;
    let began = Instant::now();
    for room in 0..cycles {
        let id = names.acquire(&format!("room:{room}"));
        highest = highest.max(id.index());
        open.push_back(id);
        if open.len() as u64 > OPEN {
            let closed = open.pop_front().map(|id| names.release(id));
            assert_eq!(closed, Some(true));
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    for id in open {
        assert!(names.release(id));
    }
    let after = live() - before;
    println!("{cycles} names in {seconds:.1} s; highest number {highest}; {after} bytes stay");
    assert!(names.is_empty() && highest <= 2 * OPEN as usize);
    assert!(after < 8 << 10, "{after} bytes stay behind");
}
