//! The mesh beside a model of what each member has still to hear.

use std::collections::{HashSet, VecDeque};

use autovia_shards::{Endpoint, Invalidation, MeshConfig, Received, mesh};
use proptest::prelude::*;

fn scope(scope: u64) -> Invalidation {
    Invalidation { kind: 1, scope }
}

/// Three members that nobody wakes, with room for little.
fn members() -> Vec<Endpoint<u64>> {
    let wakes = (0..3).map(|_| Box::new(|| ()) as Box<_>).collect();
    let config = MeshConfig {
        invalidation_capacity: 2,
        parcel_capacity: 2,
        pending_max: 4,
    };
    mesh(wakes, config)
}

#[derive(Clone, Debug)]
enum Step {
    Invalidate { from: usize, to: usize, scope: u64 },
    Others { from: usize, scope: u64 },
    Send { from: usize, to: usize },
    Flush { from: usize },
    Receive { by: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pair = (0usize..3, 1usize..3).prop_map(|(from, step)| (from, (from + step) % 3));
    let step = prop_oneof![
        4 => (pair.clone(), 0u64..8).prop_map(|((from, to), scope)| Step::Invalidate { from, to, scope }),
        1 => (0usize..3, 0u64..8).prop_map(|(from, scope)| Step::Others { from, scope }),
        2 => pair.prop_map(|(from, to)| Step::Send { from, to }),
        1 => (0usize..3).prop_map(|from| Step::Flush { from }),
        1 => (0usize..3).prop_map(|by| Step::Receive { by }),
    ];
    prop::collection::vec(step, 0..300)
}

/// What each member has still to hear from each other: scopes, and parcels in order.
#[derive(Default)]
struct Owed {
    scopes: [[HashSet<u64>; 3]; 3],
    parcels: [[VecDeque<u64>; 3]; 3],
}

impl Owed {
    fn receive(&mut self, end: &mut Endpoint<u64>) -> usize {
        let by = end.id();
        end.receive(|from, received| match received {
            Received::Invalidation(it) => {
                self.scopes[from][by].remove(&it.scope);
            }
            Received::Everything => self.scopes[from][by].clear(),
            Received::Parcel(parcel) => {
                assert_eq!(Some(parcel), self.parcels[from][by].pop_front());
            }
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_invalidation_and_every_parcel_arrives(steps in steps()) {
        let mut ends = members();
        let mut owed = Owed::default();
        let mut next = 0;
        for step in steps {
            match step {
                Step::Invalidate { from, to, scope: number } => {
                    ends[from].invalidate(to, scope(number));
                    owed.scopes[from][to].insert(number);
                }
                Step::Others { from, scope: number } => {
                    ends[from].invalidate_others(scope(number));
                    for to in (0..3).filter(|&to| to != from) {
                        owed.scopes[from][to].insert(number);
                    }
                }
                Step::Send { from, to } => {
                    let full = owed.parcels[from][to].len() == 2;
                    let sent = ends[from].send(to, next);
                    prop_assert_eq!(sent, if full { Err(next) } else { Ok(()) });
                    if !full {
                        owed.parcels[from][to].push_back(next);
                    }
                    next += 1;
                }
                Step::Flush { from } => {
                    ends[from].flush();
                }
                Step::Receive { by } => {
                    owed.receive(&mut ends[by]);
                }
            }
        }
        for _ in 0..10 {
            for end in &mut ends {
                end.flush();
            }
            for end in &mut ends {
                owed.receive(end);
            }
        }
        prop_assert!(owed.scopes.iter().flatten().all(HashSet::is_empty));
        prop_assert!(owed.parcels.iter().flatten().all(|queue| queue.is_empty()));
        for end in &mut ends {
            prop_assert!(end.flush());
            // A refused parcel whose lane has room now keeps its sender awake, once.
            end.may_sleep(|| true);
            prop_assert!(end.may_sleep(|| true));
        }
    }
}
