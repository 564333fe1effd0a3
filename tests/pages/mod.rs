//! What tests about open pages share: clicks, what an event brings, and what the server counts.

// Each test file is a crate of its own, and none needs all of this.
#![allow(dead_code)]

use autovia_testkit::{Event, Page, Running, Stream, element_text};
use serde_json::{Value, json};

use crate::common::{eventually, probe};

/// The probe, running with so many shards.
pub fn probe_with(shards: usize) -> Running {
    probe().shards(shards).start()
}

/// A shard count as the kit counts shards.
pub fn small(shards: usize) -> u16 {
    u16::try_from(shards).expect("tests run few shards")
}

/// Pages that the server holds, away and parked ones included.
pub fn contexts(server: &Running) -> u64 {
    count_in_health(server, "contexts")
}

/// Open streams.
pub fn streams(server: &Running) -> u64 {
    count_in_health(server, "sse")
}

fn count_in_health(server: &Running, name: &str) -> u64 {
    server.health()["connections"][name]
        .as_u64()
        .expect("health counts connections")
}

/// Waits until so many streams are open.
pub fn wait_streams(server: &Running, count: u64) {
    eventually(&format!("{count} open streams"), || {
        (streams(server) == count).then_some(())
    });
}

/// Clicks, and asserts that it worked.
pub fn click(page: &Page, action: &str, arguments: Value) {
    let response = page.act(action, arguments, Value::Null);
    assert_eq!(response.status, 200, "{action}: {}", response.text());
}

/// Has a page of this shard post to every room three times, and waits until it was told each time.
pub fn post_to_all_rooms(server: &Running, shard: u16) {
    let poster = Page::open_on(&server.client(), "/room/c", shard);
    let mut marker = poster.stream();
    for n in 1..=3 {
        click(&poster, "wild", json!(["hello"]));
        click(&poster, "post", json!([n.to_string()]));
        marker.until(|event| shows(event, &format!("{n}: ")));
    }
}

/// Whether an event sets `name` to `value` in the browser.
pub fn sets(event: &Event, name: &str, value: impl Into<Value>) -> bool {
    event.is_signals() && event.signals()[name] == value.into()
}

/// Whether an event brings elements with this text.
pub fn shows(event: &Event, text: &str) -> bool {
    event.is_elements() && event.elements().contains(text)
}

/// The text of the element with this id in an event's elements.
pub fn text_in(event: &Event, id: &str) -> String {
    element_text(&event.elements(), id)
        .unwrap_or_else(|| panic!("no element has the id {id:?} in {event:?}"))
}

/// Reads on until one of the values in `names` is sent, and gives everything on the way.
pub fn until_value(stream: &mut Stream, name: &str, value: impl Into<Value>) -> Vec<Event> {
    let value = value.into();
    stream.collect_until(|event| sets(event, name, value.clone()))
}
