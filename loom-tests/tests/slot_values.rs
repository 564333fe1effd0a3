//! The slot table's contents: whole values, versions, atomic updates.
#![cfg(loom)]

mod slots;

use slots::{Model, race, value};

/// The writer's second commit fills the buffer that its first one took out of the row.
#[test]
fn a_reader_beside_a_writer_sees_whole_values() {
    race(
        2,
        || Model::new(1, 1, &[b"k"]),
        &[
            |model| {
                for number in 2..=3 {
                    model.table.set_row(model.row(), &value(number)).unwrap();
                }
            },
            |model| {
                let (first, version) = model.read().unwrap();
                assert_eq!(u64::from(first), version, "this value's version");
            },
        ],
        |model| assert_eq!(model.read(), Ok((3, 3))),
    );
}

#[test]
fn a_reader_sees_time_go_on() {
    race(
        2,
        || Model::new(1, 1, &[b"k"]),
        &[
            |model| {
                for number in 2..=3 {
                    model.table.set(b"k", &value(number)).unwrap();
                }
            },
            |model| {
                let version = model.table.version(model.row()).unwrap();
                let (value, later) = model.read().unwrap();
                assert!(later >= version && u64::from(value) == later);
            },
        ],
        |model| assert_eq!(model.read(), Ok((3, 3))),
    );
}

/// Two writers pass buffers on to each other through one spare cell. No preemptions: a reader that runs
/// last may still read any older word, which is what it would have read earlier.
#[test]
fn a_reader_beside_two_writers_sees_whole_values() {
    race(
        0,
        || Model::new(1, 1, &[b"k"]),
        &[
            |model| model.saw(model.table.set_row(model.row(), &value(2)).unwrap()),
            |model| model.saw(model.table.set_row(model.row(), &value(3)).unwrap()),
            |model| {
                model.read().unwrap();
            },
        ],
        |model| {
            assert_eq!(model.all_seen(), [2, 3], "a version for each");
            assert!(model.read().unwrap().0 > 1);
        },
    );
}

/// The writers are of different rows, so they know of each other by the spare cell alone: the buffer
/// that one row gave up is filled for the other while a reader of the first may still look at it (which
/// it does by reading old words, so no preemptions here either).
#[test]
fn a_buffer_goes_from_row_to_row() {
    race(
        0,
        || Model::new(2, 1, &[b"a", b"b"]),
        &[
            |model| {
                for number in 3..=4 {
                    model.table.set_row(model.row(), &value(number)).unwrap();
                }
            },
            |model| {
                model.table.set(b"b", &value(9)).unwrap();
            },
            |model| assert!([1, 3, 4].contains(&model.read().unwrap().0)),
        ],
        |model| {
            assert_eq!(model.read(), Ok((4, 3)));
            assert_eq!(model.read_key(b"b"), Some(9));
        },
    );
}

#[test]
fn updates_add_up() {
    race(
        3,
        || Model::new(1, 2, &[b"k"]),
        &[
            |model| model.saw(model.add(10).unwrap().unwrap()),
            |model| model.saw(model.add(20).unwrap().unwrap()),
        ],
        |model| {
            assert_eq!(model.all_seen(), [2, 3], "a version for each");
            assert_eq!(model.read(), Ok((31, 3)));
        },
    );
}

/// Both wait for the one spare cell.
#[test]
fn updates_add_up_through_one_cell() {
    race(
        3,
        || Model::new(1, 1, &[b"k"]),
        &[
            |model| {
                model.add(10).unwrap();
            },
            |model| {
                model.add(20).unwrap();
            },
        ],
        |model| assert_eq!(model.read(), Ok((31, 3))),
    );
}

#[test]
fn one_compare_and_set_wins() {
    fn swap(model: &Model, to: u8) {
        let (from, to) = (value(1), value(to));
        let swapped = model.table.compare_and_set(b"k", Some(&from), &to).unwrap();
        if swapped {
            model.saw(to[0].into());
        }
    }
    race(
        3,
        || Model::new(1, 2, &[b"k"]),
        &[|model| swap(model, 2), |model| swap(model, 3)],
        |model| {
            let (value, version) = model.read().unwrap();
            assert_eq!((model.all_seen(), version), (vec![value.into()], 2));
        },
    );
}
