//! What nodes say on the wire, to the letter; what php-via says; and what nobody should say.

use serde_json::Value;

use crate::board::Watcher;
use crate::spy::{Spy, publish};
use crate::stage::{Group, KINDS, on_each};

/// A node that is none of ours.
const STRANGER: &str = "9f2c0000000000ab";

#[test]
fn what_crosses_is_a_scope_a_node_and_numbers() {
    on_each(&KINDS, |kind| {
        let group = Group::start(kind, 2);
        let mut spy = Spy::listen(&group.broker);
        let here = Watcher::on(&group.nodes[0], "/board/x").remove(0);
        // When a node says things,
        here.act("post", "<b>secret text</b>");
        here.act("post-route", "<b>secret text</b>");
        let heard = spy.until(|json| json["scope"] == "route:/board/x");
        let beacon = spy.until(|json| json["kind"] == "beacon");
        // then its messages are these, number by number,
        let said: Vec<&String> = heard.iter().filter(|text| text.contains("scope")).collect();
        let json: Value = serde_json::from_str(said[0]).expect("it is JSON");
        let node = json["nodeId"].as_str().expect("a node has an id");
        assert!(node.len() == 16 && node.bytes().all(|byte| byte.is_ascii_hexdigit()));
        for (seq, (text, scope)) in said.iter().zip(["board:x", "route:/board/x"]).enumerate() {
            let seq = seq + 1;
            let wanted = format!(
                "{{\"scope\":\"{scope}\",\"nodeId\":\"{node}\",\"epoch\":1,\"seq\":{seq}}}"
            );
            assert_eq!(**text, wanted);
        }
        // a sign of life holds nothing but numbers and the build,
        let beacon: Value = serde_json::from_str(&beacon.concat()).expect("one comes next");
        let names: Vec<&String> = beacon.as_object().expect("an object").keys().collect();
        let wanted = [
            "build", "epoch", "kind", "lag", "nodeId", "number", "seq", "v",
        ];
        assert_eq!(names, wanted, "{beacon}");
        assert_eq!(beacon["build"], env!("CARGO_PKG_VERSION"));
        // and no content travels.
        let all = heard.concat();
        assert!(!all.contains("secret") && !all.contains('<'), "{all}");
    });
}

#[test]
fn php_vias_messages_are_followed() {
    on_each(&KINDS, |kind| {
        let group = Group::start(kind, 1);
        let mut watchers = Watcher::on(&group.nodes[0], "/board/x");
        for (number, message) in [
            r#"{"scope":"board:x","nodeId":"NODE"}"#,
            r#"{"nodeId":"NODE","scope":"board:*"}"#,
            r#"{"scope":"route:\/board\/x","nodeId":"NODE"}"#,
            r#"{"scope":"route","nodeId":"NODE"}"#,
            r#"{"scope":"global","nodeId":"NODE"}"#,
            r#"{"scope":"board:\u0078","nodeId":"NODE","more":{"unknown":[1,2]}}"#,
        ]
        .into_iter()
        .enumerate()
        {
            let text = format!("by message {number}");
            std::fs::write(group.store().join("x"), &text).expect("the store can be written to");
            publish(&group.broker, &message.replace("NODE", STRANGER));
            for watcher in &mut watchers {
                watcher.shows_next(&text);
            }
        }
        assert_eq!(group.nodes[0].count("dropped"), 0);
    });
}

#[test]
fn what_is_no_message_is_dropped_and_counted_and_the_link_lives_on() {
    let deep = format!("{{\"scope\":{}1{}}}", "[".repeat(5000), "]".repeat(5000));
    let deep_beside = format!(
        "{{\"x\":{}1{},\"nodeId\":\"{STRANGER}\"}}",
        "[".repeat(1000),
        "]".repeat(1000)
    );
    let long = format!(
        "{{\"scope\":\"{}\",\"nodeId\":\"{STRANGER}\"}}",
        "a".repeat(300)
    );
    let big = format!(
        "{{\"scope\":\"board:x\",\"nodeId\":\"{STRANGER}\",\"x\":\"{}\"}}",
        "a".repeat(50_000)
    );
    let dropped = [
        "x",
        "null",
        "[]",
        "{",
        r#"{"scope":"board:x"}"#,
        r#"{"scope":5,"nodeId":"9f2c0000000000ab"}"#,
        r#"{"scope":["board:x"],"nodeId":"9f2c0000000000ab"}"#,
        r#"{"scope":"board:x","nodeId":"9f2c"}"#,
        r#"{"scope":"board:x","nodeId":7}"#,
        r#"{"scope":"tab","nodeId":"9f2c0000000000ab"}"#,
        r#"{"scope":"","nodeId":"9f2c0000000000ab"}"#,
        r#"{"scope":"a b\nc","nodeId":"9f2c0000000000ab"}"#,
        r#"{"scope":"*:*","nodeId":"9f2c0000000000ab"}"#,
        r#"{"kind":"all","v":1,"nodeId":"9f2c0000000000ab","epoch":"x","seq":1}"#,
        &deep,
        &deep_beside,
        &long,
        &big,
    ];
    // Longer than anything that a broker's driver passes on.
    let huge = "x".repeat(300_000);
    on_each(&KINDS, |kind| {
        let group = Group::start(kind, 2);
        let node = &group.nodes[0];
        let mut watchers = Watcher::on(node, "/board/x");
        for (number, message) in dropped.iter().enumerate() {
            publish(&group.broker, message);
            node.wait_count("dropped", number as u64 + 1);
        }
        publish(&group.broker, &huge);
        // Later versions and kinds are not for us, and no fault.
        publish(
            &group.broker,
            r#"{"kind":"new","v":1,"nodeId":"9f2c0000000000ab"}"#,
        );
        publish(
            &group.broker,
            r#"{"kind":"beacon","v":2,"nodeId":"9f2c0000000000ab"}"#,
        );
        // The next good one is followed, on the first link.
        let there = Watcher::on(&group.nodes[1], "/board/x").remove(0);
        there.act("post", "still here");
        for watcher in &mut watchers {
            watcher.shows_next("still here");
        }
        assert_eq!(node.count("links"), 1);
        assert_eq!(node.count("failures"), 0);
        node.server
            .wait_log("a message from the broker was dropped");
    });
}
