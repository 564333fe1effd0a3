//! What contexts share is what each would have been shown alone.
//!
//! Random apps (pages whose views, components and loads read random subsets of what there is, some of
//! it depending on what they read before) go through random histories. After each turn the page that
//! a browser has put together from what it was told, shared or left out as equal, is compared with
//! one that is rendered for its context alone, and so are its values and what its loads gave.
//!
//! - [`app`]: the apps
//! - [`loads`]: what they load
//! - [`viewer`]: a browser's page
//! - [`world`]: the shard around the engine, and the comparison

mod app;
mod loads;
mod viewer;
mod world;

use proptest::collection::vec;
use proptest::prelude::*;

use app::{Look, PageSpec, SLOTS, ViewSpec, What};
use loads::Waiting;
use world::{Operation, Shared, Stale, World};

/// Values are few, so that contexts often agree, and texts that would run into each other side by side.
const TEXTS: [&str; 5] = ["", "1", "2", "12", "<&\n>"];
const ROOMS: usize = 3;

fn text() -> impl Strategy<Value = usize> {
    0..TEXTS.len()
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        3 => (0..SLOTS).prop_map(What::Tab),
        3 => (0..3_usize).prop_map(What::Shared),
        2 => (0..2_usize).prop_map(What::Global),
        1 => Just(What::Room),
        1 => Just(What::RoomName),
        1 => Just(What::Path),
        1 => Just(What::Session),
        1 => Just(What::Tabs),
    ]
}

fn looks() -> impl Strategy<Value = Vec<Look>> {
    let look = (what(), proptest::option::of(what())).prop_map(|(what, then)| Look { what, then });
    vec(look, 0..4)
}

fn view() -> impl Strategy<Value = ViewSpec> {
    let each = prop::bool::weighted(0.2);
    let shown_if = proptest::option::of(what());
    (looks(), vec(0..2_usize, 0..2), each, shown_if).prop_map(|(looks, loads, each, shown_if)| {
        ViewSpec {
            looks,
            loads,
            each,
            shown_if,
        }
    })
}

fn page() -> impl Strategy<Value = PageSpec> {
    (vec(view(), 1..4), any::<bool>(), [looks(), looks()]).prop_map(|(views, nested, loads)| {
        PageSpec {
            views,
            nested,
            loads,
        }
    })
}

fn operation() -> impl Strategy<Value = Operation> {
    let viewer = || 0..64_usize;
    let shared = prop_oneof![Just(Shared::All), Just(Shared::Session), Just(Shared::Room)];
    let stale = prop_oneof![
        Just(Stale::All),
        Just(Stale::Route),
        Just(Stale::Session),
        Just(Stale::Room),
        Just(Stale::EveryRoom),
    ];
    prop_oneof![
        4 => (0..2_usize, 0..3_u8, 0..ROOMS).prop_map(|(page, session, room)| Operation::Open { page, session, room }),
        6 => (viewer(), 0..SLOTS, text()).prop_map(|(viewer, slot, text)| Operation::Set { viewer, slot, text }),
        4 => (viewer(), shared, text()).prop_map(|(viewer, shared, text)| Operation::Share { viewer, shared, text }),
        3 => (0..2_usize, text()).prop_map(|(key, text)| Operation::SetGlobal { key, text }),
        4 => (viewer(), stale).prop_map(|(viewer, stale)| Operation::Broadcast { viewer, stale }),
        1 => viewer().prop_map(|viewer| Operation::Hide { viewer }),
        2 => viewer().prop_map(|viewer| Operation::Show { viewer }),
        1 => viewer().prop_map(|viewer| Operation::Leave { viewer }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_is_shown_what_it_would_be_shown_alone(
        pages in [page(), page()],
        before in vec((0..2_usize, 0..3_u8, 0..ROOMS), 2..8),
        turns in vec(vec(operation(), 1..6), 1..12),
    ) {
        let mut world = World::new(pages);
        for (page, session, room) in before {
            world.turn(&[Operation::Open { page, session, room }]);
        }
        for operations in &turns {
            world.turn(operations);
        }
    }
}

#[test]
fn such_histories_share_renderings() {
    // Given ten viewers of a page that reads what all share, and one value of its own,
    let looks = |whats: &[What]| {
        whats
            .iter()
            .map(|&what| Look { what, then: None })
            .collect()
    };
    let page = |whats: &[What]| PageSpec {
        views: vec![ViewSpec {
            looks: looks(whats),
            ..ViewSpec::default()
        }],
        ..PageSpec::default()
    };
    let mut world = World::new([page(&[What::Shared(0), What::Tab(0)]), page(&[])]);
    let room = 1;
    for session in 0..10 {
        world.turn(&[Operation::Open {
            page: 0,
            session,
            room,
        }]);
    }
    let runs = world.runs(0);
    // when the shared value changes, then the view has run once for all.
    let share = Operation::Share {
        viewer: 0,
        shared: Shared::All,
        text: 3,
    };
    world.turn(&[share]);
    assert_eq!(world.runs(0), runs + 1);
    // When two have values of their own, as long as one another, then it runs for each.
    let set = |viewer, text| Operation::Set {
        viewer,
        slot: 0,
        text,
    };
    world.turn(&[set(0, 1), set(1, 2)]);
    assert_eq!(world.runs(0), runs + 3);
}

#[test]
fn a_value_that_changes_while_a_load_waits_is_not_what_the_load_has_read() {
    let mut world = World::new([PageSpec::default(), PageSpec::default()]);
    let (page, room) = (0, 1);
    for session in 0..2 {
        world.turn(&[Operation::Open {
            page,
            session,
            room,
        }]);
    }
    let share = |text| Operation::Share {
        viewer: 0,
        shared: Shared::All,
        text,
    };
    world.turn(&[share(1)]);
    // Given a load that has read a shared value and waits,
    let waiting = Waiting::start(&world);
    // when the value changes before the load ends, then its result is not for those who see the new one,
    world.turn(&[share(2)]);
    let load = waiting.end();
    assert!(!load.is_for(&world, 1));
    // and it is for those who see the one that it has read.
    world.turn(&[share(1)]);
    assert!(load.is_for(&world, 1));
}
