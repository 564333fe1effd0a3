//! Loads that write: what they set before the first HTML is part of it, and is not sent again.

mod common;

use autovia_testkit::Page;
use common::{SHARDS, probe};
use serde_json::json;

#[test]
fn what_a_load_sets_before_the_page_is_in_the_page_and_not_sent_again() {
    for shards in SHARDS {
        // Given a page whose load sets a value,
        let server = probe().shards(shards).start();
        let page = Page::open(&server.client(), "/load-sets");
        let shown = r#"<span data-text="$price">1</span>"#;
        assert!(page.html().contains(shown), "{}", page.html());

        // when its stream opens and its scope is broadcast,
        let mut stream = page.stream();
        assert_eq!(page.act("touch", json!([]), json!({})).status, 200);

        // then the first value that is sent is the one that the load set this time.
        let first = stream.until(|event| event.is_signals());
        assert_eq!(first.signals(), json!({ "price": 2 }));
    }
}

#[test]
fn a_refusal_of_the_app_is_the_clients_fault() {
    let server = probe().start();
    let page = Page::open(&server.client(), "/load-sets");
    let mut stream = page.stream();
    assert_eq!(page.act("refuse", json!([]), json!({})).status, 422);
    assert_eq!(
        stream.next_event().signals()["_via_error"]["text"],
        "not today"
    );
}
