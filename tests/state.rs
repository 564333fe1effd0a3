//! Values that shards share: GlobalState, shared signals, their limits, and values of the wire's
//! own kinds.

mod common;
mod pages;

use autovia_testkit::{Page, Running};
use common::{SHARDS, failure, probe, value};
use pages::{click, probe_with, sets, small, until_value};
use serde_json::{Value, json};

/// Acts on a page of its own and reads what the action answers.
fn ask(server: &Running, shard: u16, action: &str, arguments: Value) -> String {
    let page = Page::open_on(&server.client(), "/state", shard);
    let mut stream = page.stream();
    click(&page, action, arguments);
    let answer = value(&mut stream, "answer");
    answer.as_str().expect("a text").to_owned()
}

/// Acts, and reads how it failed.
fn ask_failing(server: &Running, shard: u16, action: &str, arguments: Value) -> String {
    let page = Page::open_on(&server.client(), "/state", shard);
    let mut stream = page.stream();
    let response = page.act(action, arguments, Value::Null);
    assert_eq!(response.status, 500, "{action}");
    let failure = failure(&mut stream);
    assert_eq!(failure["action"], action);
    failure["text"].as_str().expect("a text").to_owned()
}

fn tell(server: &Running, shard: u16, action: &str, arguments: Value) {
    let page = Page::open_on(&server.client(), "/state", shard);
    click(&page, action, arguments);
}

#[test]
fn every_verb_of_the_global_state_is_the_same_on_every_shard() {
    for shards in SHARDS {
        let server = probe_with(shards);
        let (first, last) = (0, small(shards - 1));
        // Absent, set, read elsewhere, of any JSON type.
        assert_eq!(ask(&server, last, "get", json!(["k"])), "absent");
        for stored in [
            json!(7),
            json!("a \"text\""),
            json!([1, null, {"a": true}]),
            json!(null),
        ] {
            tell(&server, first, "set", json!(["k", stored]));
            let read = ask(&server, last, "get", json!(["k"]));
            assert_eq!(read, stored.to_string());
        }
        // Removed once.
        assert_eq!(ask(&server, last, "remove", json!(["k"])), "true");
        assert_eq!(ask(&server, first, "remove", json!(["k"])), "false");
        assert_eq!(ask(&server, first, "get", json!(["k"])), "absent");
        // Updated by a function, of nothing and of what another shard left.
        assert_eq!(ask(&server, first, "double", json!(["n"])), "2");
        assert_eq!(ask(&server, last, "double", json!(["n"])), "4");
        tell(&server, last, "increment", json!(["n", 3]));
        assert_eq!(ask(&server, first, "get", json!(["n"])), "7");
        // Swapped if it is as expected, absent included.
        assert_eq!(ask(&server, last, "swap", json!(["n", 6, 10])), "false");
        assert_eq!(ask(&server, last, "swap", json!(["n", null, 10])), "false");
        assert_eq!(ask(&server, last, "swap", json!(["n", 7, 10])), "true");
        assert_eq!(ask(&server, first, "get", json!(["n"])), "10");
        assert_eq!(ask(&server, last, "swap", json!(["m", null, 1])), "true");
        assert_eq!(ask(&server, first, "get", json!(["m"])), "1");
    }
}

#[test]
fn limits_are_told_by_name_size_and_option() {
    // The same with one shard as with many.
    for shards in [1, 2] {
        let server = probe()
            .shards(shards)
            .args(["--global-rows", "8", "--global-value-bytes", "100"])
            .start();
        let last = small(shards - 1);
        // A key of 64 bytes is taken, one of 65 is not.
        let (fits, long) = ("k".repeat(64), "k".repeat(65));
        tell(&server, last, "set", json!([fits, 1]));
        assert_eq!(ask(&server, 0, "get", json!([fits])), "1");
        let text = ask_failing(&server, last, "set", json!([long, 1]));
        for part in [&*long, "65", "64"] {
            assert!(text.contains(part), "{text}");
        }
        // A value of 100 bytes of JSON is taken, one of 101 is not, and the old one stays.
        tell(&server, 0, "set", json!(["text", "x".repeat(98)]));
        let text = ask_failing(&server, last, "set", json!(["text", "y".repeat(99)]));
        for part in ["`text`", "101", "100", "--global-value-bytes"] {
            assert!(text.contains(part), "{text}");
        }
        let kept = ask(&server, last, "get", json!(["text"]));
        assert!(kept.contains("xxx"), "{kept}");
        // Eight rows are taken, a ninth is not; a removed one makes room.
        tell(&server, 0, "fill", json!([6]));
        let text = ask_failing(&server, last, "set", json!(["one too many", 1]));
        for part in ["`one too many`", "8", "--global-rows"] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(ask(&server, 0, "remove", json!(["row 3"])), "true");
        tell(&server, last, "set", json!(["one too many", 1]));
        assert_eq!(ask(&server, 0, "get", json!(["one too many"])), "1");
        // A value of another type is told, not guessed at.
        let text = ask_failing(&server, last, "get-number", json!(["text"]));
        assert!(text.contains("`text`") && text.contains("type"), "{text}");
        // And all that stopped nothing else.
        assert_eq!(ask(&server, last, "double", json!(["one too many"])), "2");
    }
}

#[test]
fn a_value_at_the_default_limit_fits_and_one_byte_more_does_not() {
    for shards in [1, 2] {
        let server = probe_with(shards);
        tell(&server, 0, "set", json!(["text", "x".repeat(4094)]));
        let text = ask_failing(
            &server,
            small(shards - 1),
            "set",
            json!(["text", "x".repeat(4095)]),
        );
        assert!(text.contains("4097") && text.contains("4096"), "{text}");
    }
}

/// Has every shard do `act` ten times, all at the same time.
fn on_every_shard(server: &Running, path: &str, shards: usize, act: impl Fn(&Page) + Sync) {
    let pages = Page::one_per_shard(server.port(), path, small(shards));
    std::thread::scope(|scope| {
        for page in &pages {
            let act = &act;
            scope.spawn(move || (0..10).for_each(|_| act(page)));
        }
    });
}

#[test]
fn increments_from_two_shards_add_up_exactly() {
    // 100,000 on each of two shards, at the same time.
    let server = probe_with(2);
    on_every_shard(&server, "/state", 2, |page| {
        click(page, "increment", json!(["n", 10_000]));
    });
    assert_eq!(ask(&server, 0, "get", json!(["n"])), "200000");
}

#[test]
fn increments_of_a_shared_signal_add_up_exactly() {
    let server = probe_with(2);
    let watcher = Page::open(&server.client(), "/global");
    let mut stream = watcher.stream();
    on_every_shard(&server, "/global", 2, |page| {
        click(page, "add-many", json!([10_000]));
    });
    // Who watched ends with the sum, and so does who comes now.
    stream.until(|event| sets(event, "total", 200_000));
    let fresh = Page::open(&server.client(), "/global");
    assert_eq!(fresh.signals["total"], 200_000);
}

#[test]
fn two_quick_clicks_both_count() {
    for shards in SHARDS {
        let server = probe_with(shards);
        for _ in 0..20 {
            // Given a page, when two clicks are on the wire before either is answered,
            let page = Page::open(&server.client(), "/");
            let mut stream = page.stream();
            let clicks = [page.action("add").bytes(), page.action("add").bytes()];
            let mut connections = [page.client.connect(), page.client.connect()];
            for (connection, click) in connections.iter_mut().zip(&clicks) {
                connection.write(click).unwrap();
            }
            for connection in &mut connections {
                assert_eq!(connection.response(false).unwrap().status, 200);
            }
            // then both count.
            stream.until(|event| sets(event, "count", 2));
        }
    }
}

#[test]
fn integers_that_a_browser_cannot_hold_travel_as_text() {
    let server = probe_with(2);
    let page = Page::open(&server.client(), "/big");
    // Out: the page comes with the whole number, as text in values and in HTML.
    assert_eq!(page.signals["big"], "9223372036854775807");
    assert!(page.html().contains(">9223372036854775807<"));
    let mut stream = page.stream();
    // In: as text, beyond 2^53 and at the ends.
    for number in [
        "9007199254740993",
        "-9007199254740993",
        "-9223372036854775808",
    ] {
        let response = page.act("copy", Value::Null, json!({ "typed": number }));
        assert_eq!(response.status, 200);
        stream.until(|event| sets(event, "big", number));
    }
    // Numbers that a browser holds exactly stay numbers, up to ± 2^53.
    for number in [5_i64, -7, 9_007_199_254_740_991, -9_007_199_254_740_991] {
        let response = page.act("copy", Value::Null, json!({ "typed": number }));
        assert_eq!(response.status, 200);
        stream.until(|event| sets(event, "big", number));
    }
    // What is beyond 64 bits, or no integer, is refused.
    for wrong in [
        json!("9223372036854775808"),
        json!(1.5),
        json!("5x"),
        json!([5]),
    ] {
        let response = page.act("copy", Value::Null, json!({ "typed": wrong }));
        assert_eq!(response.status, 422, "{wrong}");
    }
}

#[test]
fn an_input_of_the_wrong_type_is_refused_whole_and_by_name() {
    for shards in SHARDS {
        let server = probe_with(shards);
        let page = Page::open(&server.client(), "/");
        let mut stream = page.stream();
        for wrong in [
            json!("two"),
            json!([1]),
            json!({}),
            json!(true),
            json!(null),
            json!(1e300),
        ] {
            // When the browser sends something else than a number, then the action doesn't run,
            let response = page.act("add", Value::Null, json!({ "step": wrong }));
            assert_eq!(response.status, 422, "{wrong}");
            // and who clicked is told which input it was.
            let failure = failure(&mut stream);
            assert_eq!(failure["action"], "add");
            let text = failure["text"].as_str().unwrap();
            assert!(text.contains("`step`"), "{text}");
        }
        // The input has kept its value, and the next click counts.
        click(&page, "add", json!([]));
        stream.until(|event| sets(event, "count", 1));
        let response = page.act("add", Value::Null, json!({ "step": 40 }));
        assert_eq!(response.status, 200);
        stream.until(|event| sets(event, "count", 41));
    }
}

#[test]
fn a_browser_writes_inputs_and_nothing_else() {
    for shards in SHARDS {
        let server = probe_with(shards);
        // Given a page whose values are the server's.
        let page = Page::open(&server.client(), "/global");
        let mut stream = page.stream();
        // When a browser sends values for them, and names that do not exist,
        let forged = json!({ "total": 999, "mine": 999, "nothing": 1, "via_ctx2": "x" });
        assert_eq!(page.act("same", Value::Null, forged).status, 200);
        // then they count for nothing.
        click(&page, "add", json!([]));
        let events = until_value(&mut stream, "total", 1);
        assert!(!format!("{events:?}").contains("999"), "{events:?}");
        let fresh = Page::open(&page.client, "/global");
        assert_eq!(fresh.signals["total"], 1);
    }
}
