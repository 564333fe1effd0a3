//! What is typed belongs to the browser; what the server wrote into an input must still arrive.

mod common;
mod pages;

use autovia_testkit::{Page, Stream};
use common::probe;
use serde_json::json;

/// The values of the full sync that a reopened stream begins with.
fn synced(stream: &mut Stream) -> serde_json::Value {
    stream.until(|event| event.is_signals()).signals()
}

#[test]
fn an_input_that_the_server_wrote_is_told_again_until_it_was_seen() {
    // Given a page whose input the server fills,
    let server = probe().start();
    let page = Page::open(&server.client(), "/take");
    let mut stream = page.stream();
    page.act("fill", json!([]), json!({}));
    let told = stream.until(|event| event.is_signals());
    assert_eq!(told.signals(), json!({ "draft": "filled" }));
    drop(stream);
    pages::wait_streams(&server, 0);

    // when the stream is reopened by a browser that never got the event, then it is told again;
    let mut again = page.reopen(Some("0"));
    assert_eq!(synced(&mut again)["draft"], "filled");
    drop(again);
    pages::wait_streams(&server, 0);

    // when the browser has sent the input itself since, then what is typed there is left alone.
    page.act("send", json!([]), json!({ "draft": "typed" }));
    let mut later = page.reopen(Some("0"));
    let values = synced(&mut later);
    assert!(values.get("draft").is_none(), "{values}");
    assert_eq!(values["sent"], "typed");
    assert_eq!(values["_via_take"]["draft"]["was"], "typed");
}

#[test]
fn an_input_that_was_taken_is_emptied_though_the_first_word_of_it_was_lost() {
    let server = probe().start();
    let page = Page::open(&server.client(), "/take");
    let mut stream = page.stream();
    page.act("send", json!([]), json!({ "draft": "hello" }));
    let taken = json!({ "draft": { "was": "hello", "now": "" } });
    let told = stream.until(|event| event.is_signals());
    assert_eq!(told.signals()["_via_take"], taken);
    drop(stream);
    pages::wait_streams(&server, 0);

    let mut again = page.reopen(Some("0"));
    assert_eq!(synced(&mut again)["_via_take"], taken);
}
