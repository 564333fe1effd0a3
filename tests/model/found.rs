//! What the random operations have found, each by itself.

use autovia_testkit::Page;
use serde_json::{Value, json};

use crate::common::{eventually, probe, value};

fn click(page: &Page, action: &str, argument: &str) {
    let response = page.act(action, json!([argument]), Value::Null);
    assert_eq!(response.status, 200, "{}", response.text());
}

#[test]
fn a_shared_value_is_told_while_own_ones_are_put_off() {
    // Given a page whose own values may be told once a second, and were told just now,
    let server = probe().shards(1).args(["--scope-rate", "1"]).start();
    let page = Page::open(&server.client(), "/model/1/2");
    let other = Page::open(&server.client(), "/model/1/2");
    let (mut stream, mut beside) = (page.stream(), other.stream());
    click(&page, "mark", "first");
    assert_eq!(value(&mut stream, "mine"), "first");
    // when another own value has to wait, and a value of its session changes meanwhile,
    click(&page, "mark", "second");
    // (another page is told something: the server has had its turn)
    click(&other, "mark", "first");
    assert_eq!(value(&mut beside, "mine"), "first");
    click(&page, "badge", "new");
    // then both are told.
    let mut told = json!({});
    while told["mine"].is_null() || told["badge"].is_null() {
        let event = stream.until(|event| event.is_signals());
        for (name, value) in event.signals().as_object().expect("values by name") {
            told[name] = value.clone();
        }
    }
    assert_eq!(
        (&told["mine"], &told["badge"]),
        (&json!("second"), &json!("new"))
    );
}

#[test]
fn a_page_may_join_a_scope_twice() {
    // Given pages that are members of their room twice, with others between,
    let server = probe()
        .shards(1)
        .args([
            "--render-seconds",
            "1",
            "--away-seconds",
            "1",
            "--park-seconds",
            "1",
        ])
        .start();
    let paths = ["/model/1/1", "/model/1/2", "/model/1/1", "/model/2/1"];
    let pages: Vec<Page> = paths
        .iter()
        .map(|path| Page::open(&server.client(), path))
        .collect();
    let last = Page::open(&server.client(), "/model/1/1");
    let mut stream = last.stream();
    // when they go, in whatever order,
    drop(pages);
    eventually("the others are gone", || {
        (server.health()["connections"]["contexts"] == 1).then_some(())
    });
    // then the one that stayed is still told what concerns its room, and nothing panicked.
    click(&last, "post", "room");
    stream.until(|event| event.is_elements() && event.elements().contains("~R.1.1~"));
    assert_eq!(
        server.log().iter().find(|line| line.contains("panicked")),
        None
    );
}
