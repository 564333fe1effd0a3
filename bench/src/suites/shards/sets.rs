//! What only one thread changes, or sweeps: the dirty set and the interned names.

use std::hint::black_box;

use autovia_shards::{DirtySet, Names};

use super::Case;
use super::time::alone;

/// Numbers that the dirty set can hold: contexts of a busy shard.
const CAPACITY: usize = 100_000;
const OURS: &str = "autovia-shards";

pub(super) const EXPLANATION: &str =
    "One thread. Peers do other things under these names, so there are none here.";

pub(super) fn cases() -> Vec<Case> {
    let mut cases =
        vec![
            Case::new("dirty set: mark a number that is marked").with(OURS, |cores| {
                let set = DirtySet::new(CAPACITY);
                alone(cores, |operations| {
                    for _ in 0..operations {
                        black_box(set.mark(black_box(CAPACITY / 2)));
                    }
                })
            }),
        ];
    for marked in [100, 10_000] {
        let name = format!("dirty set: mark and sweep, {marked} of {CAPACITY}, per number");
        cases.push(Case::new(name).with(OURS, move |cores| {
            let mut set = DirtySet::new(CAPACITY);
            let sweeps = alone(cores, |operations| {
                for _ in 0..operations {
                    for i in 0..marked {
                        set.mark(i * (CAPACITY / marked));
                    }
                    let mut found = 0;
                    set.sweep(|i| found += usize::from(i < CAPACITY));
                    assert_eq!(found, marked, "a sweep finds what was marked");
                }
            });
            #[expect(clippy::cast_precision_loss, reason = "ten thousand at most")]
            let marked = marked as f64;
            sweeps / marked
        }));
    }
    cases.push(
        Case::new("names: acquire and release one that has users").with(OURS, |cores| {
            let mut names = Names::new();
            names.acquire("chat:lobby");
            alone(cores, |operations| {
                for _ in 0..operations {
                    let id = names.acquire(black_box("chat:lobby"));
                    assert!(!names.release(id), "it has another user");
                }
            })
        }),
    );
    cases.push(
        Case::new("names: intern a new one and free it, 1,000 others there").with(OURS, |cores| {
            let mut names = Names::new();
            for i in 0..1000 {
                names.acquire(&format!("room:{i}"));
            }
            alone(cores, |operations| {
                for _ in 0..operations {
                    let id = names.acquire(black_box("chat:lobby"));
                    assert!(names.release(id), "it had one user");
                }
            })
        }),
    );
    cases
}
