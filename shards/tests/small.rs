//! Dirty set, names, board and switch.

use std::collections::{BTreeSet, HashMap};

use autovia_shards::{Board, DirtySet, NameId, Names, Switch};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_sweep_tells_what_was_marked_and_nothing_else(
        capacity in 1usize..5_000,
        rounds in prop::collection::vec((prop::collection::vec(0usize..1_000_000, 0..60), 0usize..3_000, any::<bool>()), 1..8),
    ) {
        let mut dirty = DirtySet::new(capacity);
        let mut markers = vec![dirty.marker()];
        let mut model = BTreeSet::new();
        for (marks, growth, with_marker) in rounds {
            for mark in marks {
                let mark = mark % dirty.capacity();
                let newly = if mark < capacity { markers[0].mark(mark) } else { dirty.mark(mark) };
                prop_assert_eq!(newly, model.insert(mark));
            }
            prop_assert_eq!(dirty.is_empty(), model.is_empty());
            let before = dirty.capacity();
            dirty.grow(before + growth);
            prop_assert_eq!(dirty.capacity(), before + growth);
            if with_marker {
                markers.push(dirty.marker());
            } else {
                let mut swept = Vec::new();
                dirty.sweep(|i| swept.push(i));
                prop_assert_eq!(swept, std::mem::take(&mut model).into_iter().collect::<Vec<_>>());
                prop_assert!(dirty.is_empty());
            }
        }
    }

    #[test]
    fn names_are_counted(steps in prop::collection::vec((0u8..4, 0u32..300), 0..600)) {
        let mut names = Names::new();
        let mut model: HashMap<String, (NameId, u32)> = HashMap::new();
        for (step, number) in steps {
            let name = format!("room:{number}");
            let known = model.get(&name).copied();
            prop_assert_eq!(names.find(&name), known.map(|(id, _)| id));
            match (step, known) {
                (0 | 1, _) => {
                    let id = names.acquire(&name);
                    let entry = model.entry(name).or_insert((id, 0));
                    prop_assert_eq!(entry.0, id);
                    entry.1 += 1;
                }
                (2, Some((id, users))) => {
                    prop_assert_eq!(names.release(id), users == 1);
                    if users == 1 {
                        model.remove(&name);
                    } else if let Some(entry) = model.get_mut(&name) {
                        entry.1 -= 1;
                    }
                }
                (_, Some((id, _))) => {
                    names.retain(id);
                    if let Some(entry) = model.get_mut(&name) {
                        entry.1 += 1;
                    }
                }
                (_, None) => {}
            }
            prop_assert_eq!(names.len(), model.len());
        }
        let listed: HashMap<_, _> = names.iter().map(|(id, name)| (name.to_owned(), id)).collect();
        prop_assert_eq!(listed, model.into_iter().map(|(name, (id, _))| (name, id)).collect());
    }
}

#[test]
fn a_marker_refuses_what_it_does_not_know() {
    let mut dirty = DirtySet::new(10);
    let old = dirty.marker();
    dirty.grow(1_000);
    assert!(dirty.mark(999) && dirty.marker().mark(10));
    let refused = std::panic::catch_unwind(|| old.mark(10)).unwrap_err();
    let text = refused.downcast_ref::<String>().unwrap();
    assert_eq!(text, "10 marked; the dirty set holds numbers below 10");
}

#[test]
fn marks_of_many_threads_are_all_found() {
    const THREADS: usize = 4;
    const EACH: usize = 20_000;
    let mut dirty = DirtySet::new(THREADS * EACH);
    let handles: Vec<_> = (0..THREADS)
        .map(|thread| {
            let marker = dirty.marker();
            std::thread::spawn(move || (0..EACH).all(|i| marker.mark(i * THREADS + thread)))
        })
        .collect();
    let mut found = vec![0; THREADS * EACH];
    while !handles.iter().all(|handle| handle.is_finished()) {
        dirty.sweep(|i| found[i] += 1);
    }
    dirty.sweep(|i| found[i] += 1);
    assert!(handles.into_iter().all(|handle| handle.join().unwrap()));
    assert!(found.iter().all(|&count| count == 1));
}

#[test]
fn names_that_come_and_go_leave_no_numbers_behind() {
    let mut names = Names::new();
    for i in 0..200_000 {
        let id = names.acquire(&format!("room:{i}"));
        assert!(id.index() < 2, "the lowest free number is given first");
        if i % 2 == 0 {
            assert!(names.release(id));
        } else {
            assert!(names.release(id) && names.is_empty());
        }
    }
    let ids: Vec<_> = (0..10_000).map(|i| names.acquire(&i.to_string())).collect();
    for &id in &ids[1..] {
        names.release(id);
    }
    assert_eq!(names.name(ids[0]), "0");
    assert_eq!(names.acquire("next").index(), 1);
}

#[test]
#[should_panic(expected = "stands for no name")]
fn a_released_name_is_gone() {
    let mut names = Names::new();
    let id = names.acquire("x");
    names.release(id);
    names.name(id);
}

#[test]
fn a_board_sums_its_rows() {
    let board = Board::new(3, 10);
    board.set(0, 9, 5);
    board.add(1, 9, 7);
    board.add(1, 9, -3);
    board.add(2, 8, -1);
    assert_eq!((board.get(1, 9), board.sum(9)), (4, 9));
    assert_eq!(board.sum(8), u64::MAX);
    board.add(0, 8, 1);
    assert_eq!((board.sum(8), board.sum(0)), (0, 0));
    assert_eq!((board.rows(), board.counters()), (3, 10));
}

#[test]
fn a_switch_stays_on() {
    let switch = Switch::default();
    assert!(!switch.is_set());
    switch.set();
    switch.set();
    assert!(switch.is_set());
}
