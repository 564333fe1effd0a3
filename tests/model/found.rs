//! What the random operations have found, each by itself.

use std::thread;

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

#[test]
fn pages_of_one_room_get_the_value_of_the_room_that_they_show() {
    // Given two pages with the same two rooms; each shows the value of another one,
    let server = probe().shards(1).start();
    let first = Page::open(&server.client(), "/model/1/2");
    let second = Page::open(&server.client(), "/model/2/1");
    let (mut on_first, mut on_second) = (first.stream(), second.stream());
    for round in 1..=60_i64 {
        // when both values change at once, again and again,
        thread::scope(|scope| {
            scope.spawn(|| click(&first, "add", ""));
            scope.spawn(|| [(); 2].map(|()| click(&second, "add", "")));
        });
        // then each page is told its own one: they differ from the second round on.
        assert_eq!(value(&mut on_first, "total"), round);
        let mut told = 2 * round - 2;
        while told < 2 * round {
            let now = value(&mut on_second, "total").as_i64().expect("a number");
            assert!(
                (told + 1..=2 * round).contains(&now),
                "{now} in round {round}"
            );
            told = now;
        }
    }
}
