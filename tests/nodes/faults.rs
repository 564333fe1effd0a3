//! The table of faults between a node and its broker. After each, every page on every node shows the
//! newest, without anything being posted again.

use std::time::Duration;

use autovia_testkit::{Cut, Direction, Flow};

use crate::board::{Board, Watcher};
use crate::common::eventually;
use crate::frames::{cut_in_next_message, lose_next_message};
use crate::spy::{Spy, publish};
use crate::stage::{Group, KINDS, on_each};

/// Two nodes before, in and after a fault.
fn heals(fault: impl Fn(&Group, &mut Board) + Sync) {
    on_each(&KINDS, |kind| {
        let group = Group::start(kind, 2);
        let mut board = Board::open(&group);
        board.post_everywhere();
        board.wait_newest();
        fault(&group, &mut board);
        board.wait_newest();
        group.wait_connected();
        // What follows arrives as before, and nothing is waited for any more.
        board.post_everywhere();
        board.wait_newest();
        for node in &group.nodes {
            node.wait_count("waiting", 0);
            assert!(node.server.is_running());
        }
        let connections = 2 * group.broker.connections_per_node();
        eventually("as many connections as before", || {
            (group.broker.connections() == connections).then_some(())
        });
    });
}

/// All links are down; each node goes on by itself.
fn post_apart(group: &Group, board: &mut Board) {
    for node in 0..group.nodes.len() {
        group.nodes[node].wait_degraded();
        board.post(node);
        board.wait_own(node);
    }
}

#[test]
fn the_broker_is_killed_and_comes_back() {
    heals(|group, board| {
        group.broker.kill();
        post_apart(group, board);
        group.broker.restart();
    });
}

#[test]
fn the_broker_freezes_and_goes_on() {
    heals(|group, board| {
        group.broker.freeze();
        // Posted while the links seem to be well.
        board.post_everywhere();
        post_apart(group, board);
        group.broker.thaw();
    });
}

#[test]
fn the_network_swallows_everything() {
    heals(|group, board| {
        let cut = &group.nodes[0];
        for direction in [Direction::ToServer, Direction::ToClient] {
            cut.proxy.flow(direction, Flow::Lose);
        }
        board.post_everywhere();
        cut.wait_degraded();
        assert!(
            group.nodes[1].is_connected(),
            "the other node has a link of its own"
        );
        board.post_everywhere();
        for direction in [Direction::ToServer, Direction::ToClient] {
            cut.proxy.flow(direction, Flow::Pass);
        }
    });
}

#[test]
fn a_connection_ends_in_the_middle_of_a_message() {
    for cut in [Cut::Reset, Cut::Fin] {
        heals(|group, board| {
            let proxy = &group.nodes[1].proxy;
            let done = cut_in_next_message(proxy, group.broker.kind(), "board:0", cut);
            board.post(0);
            done.wait();
        });
    }
}

#[test]
fn the_network_is_slow() {
    heals(|group, board| {
        for node in &group.nodes {
            node.proxy.delay(Duration::from_millis(300));
        }
        for _ in 0..3 {
            board.post_everywhere();
            board.wait_newest();
        }
        for node in &group.nodes {
            node.proxy.delay(Duration::ZERO);
            assert_eq!(node.count("links"), 1, "a slow link is no broken one");
        }
    });
}

#[test]
fn nothing_gets_to_the_broker() {
    heals(|group, board| {
        let cut = &group.nodes[0];
        cut.proxy.flow(Direction::ToServer, Flow::Hold);
        // The first thing that gets stuck is a post, not a sign of life.
        board.post(0);
        board.post(1);
        cut.wait_degraded();
        board.post_everywhere();
        cut.proxy.flow(Direction::ToServer, Flow::Pass);
    });
}

#[test]
fn nothing_comes_from_the_broker() {
    heals(|group, board| {
        let cut = &group.nodes[0];
        cut.proxy.flow(Direction::ToClient, Flow::Hold);
        board.post(1);
        board.post(0);
        cut.wait_degraded();
        board.post_everywhere();
        cut.proxy.flow(Direction::ToClient, Flow::Pass);
    });
}

#[test]
fn one_message_is_lost_and_another_follows() {
    heals(|group, board| {
        let other = Watcher::on(&group.nodes[0], "/board/other").remove(0);
        let node = &group.nodes[1];
        let done = lose_next_message(&node.proxy, group.broker.kind(), "board:0");
        board.post(0);
        done.wait();
        other.act("post", "something else");
        board.wait_newest();
        assert_lost_one(group);
    });
}

#[test]
fn the_last_message_is_lost() {
    heals(|group, board| {
        let node = &group.nodes[1];
        let done = lose_next_message(&node.proxy, group.broker.kind(), "board:0");
        board.post(0);
        done.wait();
        board.wait_newest();
        assert_lost_one(group);
    });
}

/// Node 1 found one message missing, on a link that is still the first.
fn assert_lost_one(group: &Group) {
    let node = &group.nodes[1];
    node.wait_count("gaps", 1);
    assert_eq!((node.count("links"), node.count("failures")), (1, 0));
}

#[test]
fn the_own_message_is_lost_on_its_way_back() {
    heals(|group, board| {
        let node = &group.nodes[0];
        let mut spy = Spy::listen(&group.broker);
        let done = lose_next_message(&node.proxy, group.broker.kind(), "board:0");
        board.post(0);
        done.wait();
        // It is said again, since nobody knows whether others heard it, and comes back.
        for _ in 0..2 {
            spy.until(|json| json["scope"] == "board:0");
        }
        node.wait_count("gaps", 1);
        node.wait_count("waiting", 0);
        assert_eq!((node.count("links"), node.count("failures")), (1, 0));
    });
}

#[test]
fn the_network_is_away_at_both_for_a_while() {
    heals(|group, board| {
        for node in &group.nodes {
            node.proxy.away();
        }
        post_apart(group, board);
        for node in &group.nodes {
            node.proxy.back();
        }
    });
}

#[test]
fn a_node_stands_still_for_a_while() {
    heals(|group, board| {
        let still = &group.nodes[0];
        still.server.stop();
        board.post(1);
        board.wait_own(1);
        still.server.cont();
    });
}

#[test]
fn what_a_node_that_counts_nothing_said_meanwhile_is_shown_after_the_return() {
    heals(|group, board| {
        // A php-via node's messages have no numbers: nobody can tell later that one is missing.
        let cut = &group.nodes[0];
        let mut watchers = Watcher::on(cut, "/board/x");
        cut.proxy.away();
        cut.wait_degraded();
        std::fs::write(group.store().join("x"), "by another").expect("the store can be written to");
        publish(
            &group.broker,
            r#"{"scope":"board:x","nodeId":"9f2c0000000000ab"}"#,
        );
        cut.proxy.back();
        for watcher in &mut watchers {
            watcher.wait_shows("by another");
        }
        board.post_everywhere();
    });
}
