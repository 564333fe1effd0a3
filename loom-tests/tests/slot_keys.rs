//! The slot table's keys: neither lost nor doubled, and their handles never reach another.
#![cfg(loom)]

mod slots;

use autovia_shards::{SlotError, SlotTable};
use loom::sync::atomic::Ordering;
use slots::{Model, number, race, value};

/// Both insert the same key: one row, and both values went through it.
#[test]
fn a_key_is_inserted_once() {
    fn increment(model: &Model) {
        let f = |old: Option<&[u8]>| Some(value(old.map_or(0, number) + 1).to_vec());
        model.saw(model.table.update(b"k", f).unwrap().unwrap());
    }
    race(
        3,
        || Model::new(2, 2, &[]),
        &[increment, increment],
        |model| {
            assert_eq!((model.table.len(), model.table.chained().0), (1, 1));
            assert_eq!(
                (model.read_key(b"k"), model.all_seen()),
                (Some(2), vec![1, 2])
            );
        },
    );
}

#[test]
fn users_are_counted() {
    fn use_it(model: &Model) {
        let row = model.table.acquire(b"k", || value(1).to_vec()).unwrap();
        let mut out = Vec::new();
        model.table.read_row(row, &mut out).unwrap();
        assert_eq!(number(&out), 1);
        model.table.release(row);
    }
    race(
        2,
        || Model::new(2, 2, &[]),
        &[use_it, use_it],
        |model| {
            assert_eq!((model.table.len(), model.table.chained().0), (0, 0));
            assert_eq!(model.table.find(b"k"), Ok(None));
        },
    );
}

/// Both acquire: one row, with two users.
#[test]
fn a_key_is_acquired_once() {
    fn acquire(model: &Model) {
        model.table.acquire(b"k", || value(1).to_vec()).unwrap();
    }
    race(
        2,
        || Model::new(2, 2, &[]),
        &[acquire, acquire],
        |model| {
            assert_eq!((model.table.len(), model.table.chained().0), (1, 1));
            let row = model.table.find(b"k").unwrap().unwrap();
            model.table.release(row);
            assert!(model.table.version(row).is_ok());
            model.table.release(row);
            assert_eq!(model.table.version(row), Err(SlotError::Stale));
        },
    );
}

/// A user comes and goes beside another that stays.
#[test]
fn a_used_key_stays() {
    race(
        3,
        || {
            let mut model = Model::new(2, 2, &[]);
            model.row = model.table.acquire(b"k", || value(1).to_vec()).ok();
            model
        },
        &[
            |model| {
                let row = model.table.acquire(b"k", || value(2).to_vec()).unwrap();
                assert_eq!(Some(row), model.row);
                model.table.release(row);
            },
            |model| assert_eq!(model.read(), Ok((1, 1))),
        ],
        |model| {
            model.table.release(model.row());
            assert!(model.table.is_empty());
        },
    );
}

/// An update comes before the removal, or finds the handle stale; never on a removed row.
#[test]
fn a_removal_beside_an_update() {
    race(
        3,
        || Model::new(1, 2, &[b"k"]),
        &[
            |model| assert!(model.table.remove(b"k").unwrap()),
            |model| match model.add(1) {
                Ok(version) => assert_eq!(version, Some(2)),
                Err(error) => assert_eq!(error, SlotError::Stale),
            },
        ],
        |model| {
            assert_eq!(model.read(), Err(SlotError::Stale));
            assert_eq!(model.table.find(b"k"), Ok(None));
            assert_eq!((model.table.len(), model.table.chained().0), (0, 0));
        },
    );
}

/// The row gets another key while it is used by the old handle: the old value, or stale.
#[test]
fn a_handle_does_not_reach_the_next_key() {
    race(
        3,
        || Model::new(1, 1, &[b"old"]),
        &[
            |model| {
                assert!(model.table.remove(b"old").unwrap());
                model.table.set(b"new", &value(9)).unwrap();
            },
            |model| match model.read() {
                Ok(seen) => assert_eq!(seen, (1, 1)),
                Err(error) => assert_eq!(error, SlotError::Stale),
            },
        ],
        |model| {
            assert_eq!(model.read_key(b"new"), Some(9));
            assert_eq!(model.table.version(model.row()), Err(SlotError::Stale));
        },
    );
}

#[test]
fn a_write_by_handle_does_not_reach_the_next_key() {
    race(
        2,
        || Model::new(1, 1, &[b"old"]),
        &[
            |model| {
                assert!(model.table.remove(b"old").unwrap());
                model.table.set(b"new", &value(9)).unwrap();
            },
            |model| match model.table.set_row(model.row(), &value(2)) {
                Ok(version) => assert_eq!(version, 2),
                Err(error) => assert_eq!(error, SlotError::Stale),
            },
        ],
        |model| assert_eq!(model.read_key(b"new"), Some(9)),
    );
}

/// Removed, and inserted again in another row: a reader by key gets one of its values or none. No
/// preemptions, as above.
#[test]
fn a_key_goes_and_comes_back() {
    race(
        0,
        || Model::new(2, 1, &[b"k"]),
        &[
            |model| {
                model.table.remove(b"k").unwrap();
                model.table.set(b"other", &value(7)).unwrap();
                model.table.set(b"k", &value(2)).unwrap();
            },
            |model| assert!([Some(1), Some(2), None].contains(&model.read_key(b"k"))),
        ],
        |model| assert_eq!(model.read_key(b"k"), Some(2)),
    );
}

/// Keys of a table of three rows: three in one chain, and one elsewhere.
const CHAIN: [&[u8]; 3] = [b"k", b"ko", b"ks"];
const AWAY: &[u8] = b"ka";

fn chain(writers: usize, keys: &[&[u8]]) -> Model {
    let model = Model::new(3, writers, keys);
    let buckets = CHAIN.map(|key| model.table.bucket(key).unwrap());
    let away = model.table.bucket(AWAY).unwrap();
    assert!(
        buckets == [buckets[0]; 3] && away != buckets[0],
        "{buckets:?} {away}"
    );
    model
}

/// A row before the wanted one in the chain is removed and leads into another chain: a walker that
/// stands on it must not take that chain's end for a miss.
#[test]
fn a_key_behind_a_removed_one_is_found() {
    race(
        3,
        || chain(1, &CHAIN),
        &[
            |model| {
                assert!(model.table.remove(CHAIN[1]).unwrap());
                model.table.set(AWAY, &value(4)).unwrap();
            },
            |model| assert_eq!(model.table.find(CHAIN[0]), Ok(model.row)),
        ],
        |model| assert_eq!(model.table.chained().0, 3),
    );
}

/// The same with the first of the chain.
#[test]
fn a_key_behind_a_removed_first_one_is_found() {
    race(
        3,
        || chain(1, &CHAIN[..2]),
        &[
            |model| {
                assert!(model.table.remove(CHAIN[1]).unwrap());
                model.table.set(AWAY, &value(4)).unwrap();
            },
            |model| assert_eq!(model.table.find(CHAIN[0]), Ok(model.row)),
        ],
        |model| assert_eq!(model.table.chained().0, 2),
    );
}

/// A row is put in front of the wanted one: who sees the new head sees its link.
#[test]
fn a_key_behind_a_new_one_is_found() {
    race(
        3,
        || chain(1, &CHAIN[..1]),
        &[
            |model| {
                model.table.set(CHAIN[1], &value(2)).unwrap();
            },
            |model| assert_eq!(model.table.find(CHAIN[0]), Ok(model.row)),
        ],
        |model| assert_eq!(model.table.chained().0, 2),
    );
}

/// Who has heard of an insert (or a removal) finds it so.
#[test]
fn what_was_done_before_is_found_so() {
    race(
        3,
        || chain(2, &CHAIN[..1]),
        &[
            |model| {
                model.table.set(CHAIN[1], &value(2)).unwrap();
                model.told[0].store(true, Ordering::Release);
                model.table.remove(CHAIN[0]).unwrap();
                model.told[1].store(true, Ordering::Release);
            },
            |model| {
                if model.told[0].load(Ordering::Acquire) {
                    assert_eq!(model.read_key(CHAIN[1]), Some(2));
                }
                if model.told[1].load(Ordering::Acquire) {
                    assert_eq!(model.table.find(CHAIN[0]), Ok(None));
                }
            },
        ],
        |model| assert_eq!(model.table.len(), 1),
    );
}

/// An inserted key that is found has its value, though nobody told of it.
#[test]
fn a_found_key_has_its_value() {
    race(
        3,
        || chain(1, &CHAIN[..1]),
        &[
            |model| {
                model.table.set(CHAIN[1], &value(2)).unwrap();
            },
            |model| assert!([Some(2), None].contains(&model.read_key(CHAIN[1]))),
        ],
        |model| assert_eq!(model.read_key(CHAIN[1]), Some(2)),
    );
}

/// A key that was found missing is gone for this thread, also by handle: the first of its chain, or
/// the last.
fn found_gone(model: &Model) {
    if model.table.find(CHAIN[0]).unwrap().is_none() {
        assert_eq!(model.table.version(model.row()), Err(SlotError::Stale));
    }
}

fn remove(model: &Model) {
    assert!(model.table.remove(CHAIN[0]).unwrap());
}

#[test]
fn what_was_found_gone_stays_gone() {
    race(
        3,
        || chain(1, &CHAIN[..1]),
        &[remove, found_gone],
        |model| assert!(model.table.is_empty()),
    );
}

#[test]
fn what_was_found_gone_behind_another_stays_gone() {
    race(
        3,
        || chain(1, &CHAIN[..2]),
        &[remove, found_gone],
        |model| assert_eq!(model.table.chained().0, 1),
    );
}

/// Full, and room again.
#[test]
fn a_full_table_takes_one_of_two() {
    race(
        3,
        || Model::new(1, 2, &[]),
        &[
            |model| {
                if model.table.set(b"a", &value(1)).is_ok() {
                    assert!(model.table.remove(b"a").unwrap());
                    model.saw(1);
                }
            },
            |model| match model.table.set(b"b", &value(2)) {
                Ok(_) => model.saw(2),
                Err(error) => assert_eq!(error, SlotError::Full { rows: 1 }),
            },
        ],
        |model| {
            let seen = model.all_seen();
            assert!(!seen.is_empty(), "one of them had room");
            assert_eq!(model.table.len(), usize::from(seen.contains(&2)));
        },
    );
}

/// A table made without naming its writers tells its size to one thread while another fills it.
#[test]
fn a_table_tells_its_size() {
    race(
        2,
        || Model {
            table: SlotTable::new(1, 16, [1, 2]),
            ..Model::new(1, 1, &[])
        },
        &[
            |model| {
                model.table.set(b"k", &value(1)).unwrap();
            },
            |model| {
                let Model { table, .. } = model;
                assert_eq!((table.rows(), table.value_bytes()), (1, 16));
                assert!(table.len() <= table.rows());
            },
        ],
        |model| assert_eq!(model.table.len(), 1),
    );
}
