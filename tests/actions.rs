//! Actions: what is refused and how, how a failure is told, that a failure is nobody else's, and
//! in which order actions run.

mod common;

use autovia_testkit::{Connection, Page, Response, Running, Stream};
use common::{SHARDS, eventually, failure, has_value, noted, probe, value, wait_noted};
use serde_json::{Value, json};

fn one_plain_line(response: &Response) {
    assert_eq!(
        response.header("content-type"),
        Some("text/plain; charset=utf-8"),
        "{response:?}"
    );
    let text = response.text();
    assert!(
        text.ends_with('\n') && text.lines().count() == 1,
        "{text:?}"
    );
}

fn act(page: &Page, name: &str, arguments: Value) -> u16 {
    page.act(name, arguments, json!(null)).status
}

/// Sends a click and leaves its answer for later.
fn click(page: &Page, name: &str) -> Connection {
    let mut connection = page.client.connect();
    connection
        .write(&page.action(name).bytes())
        .expect("the server takes the click");
    connection
}

fn status(mut connection: Connection) -> u16 {
    let response = connection.response(false);
    response.expect("the outcome arrives").status
}

#[test]
fn only_post_runs_an_action() {
    for shards in SHARDS {
        let server = probe().shards(shards).start();
        let page = Page::open(&server.client(), "/");
        let mut stream = page.stream();
        let body = json!({"via_ctx": page.context, "step": 1}).to_string();
        let origin = page.client.origin();
        for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let headers = [("Origin", origin.as_str())];
            let refused =
                page.client
                    .clone()
                    .request(method, "/_action/add", &headers, body.as_bytes());
            assert_eq!(refused.status, 405, "{method}");
            assert_eq!(refused.header("allow"), Some("POST"));
        }
        // None of them had an effect.
        let event = stream.assert_silent_until(
            || assert_eq!(page.act("add", json!([]), json!({"step": 1})).status, 200),
            |event| has_value(event, "count"),
        );
        assert_eq!(event.signals()["count"], 1);
    }
}

#[test]
fn an_unknown_action_is_not_found() {
    let server = probe().shards(2).start();
    let page = Page::open(&server.client(), "/");
    for name in ["no-such", "", "add/", "reset?x=1&y", "%61dd", "ADD"] {
        let missing = page.action(name).send();
        let wanted = if name.starts_with("reset") { 200 } else { 404 };
        assert_eq!(missing.status, wanted, "{name}: {missing:?}");
        if wanted == 404 {
            one_plain_line(&missing);
        }
    }
    // One of another page is as unknown.
    assert_eq!(act(&page, "hold", json!([])), 404);
    assert_eq!(act(&page, "add", json!([])), 200);
}

#[test]
fn a_wrong_type_names_the_input_and_changes_nothing() {
    for shards in SHARDS {
        let server = probe().shards(shards).start();
        let page = Page::open(&server.client(), "/");
        let mut stream = page.stream();
        for wrong in [
            json!("x"),
            json!([1]),
            json!({}),
            json!(1.5),
            json!(true),
            json!(null),
        ] {
            let refused = page.act("add", json!([]), json!({"step": wrong}));
            assert_eq!(refused.status, 422, "{wrong}");
            one_plain_line(&refused);
            let told = failure(&mut stream);
            assert_eq!(told["action"], "add");
            let text = told["text"].as_str().expect("a text");
            assert!(text.contains("`step`"), "{text}");
        }
        // What no page has is left alone.
        let more = json!({"step": 2, "nobody": {"knows": "me"}, "count": 50});
        assert_eq!(page.act("add", json!([]), more).status, 200);
        assert_eq!(value(&mut stream, "count"), 2);
    }
}

#[test]
fn a_wrong_argument_is_told_to_the_user_who_clicked() {
    let server = probe().shards(2).start();
    let page = Page::open(&server.client(), "/failures");
    let mut stream = page.stream();
    for (arguments, said) in [
        (json!([]), "argument 1 is missing"),
        (json!(["x"]), "argument 1"),
        (json!([256]), "argument 1"),
        (json!([-1]), "argument 1"),
        (json!([[7]]), "argument 1"),
    ] {
        assert_eq!(act(&page, "typed", arguments.clone()), 422, "{arguments}");
        let text = failure(&mut stream)["text"].to_string();
        assert!(text.contains(said), "{arguments}: {text}");
    }
    assert_eq!(act(&page, "typed", json!([7, "surplus"])), 200);
    assert_eq!(noted(&server, "typed 7"), 1);
}

/// How each kind of failure of the probe is told; nothing of a panic's own words may show.
fn assert_told(server: &Running, page: &Page, stream: &mut Stream, name: &str, text: &str) {
    let response = page.action(name).key(60).send();
    assert_eq!(response.status, 500, "{name}");
    one_plain_line(&response);
    let told = failure(stream);
    assert_eq!(told["action"], name);
    assert_eq!(told["click"], 60);
    let said = told["text"].as_str().expect("a text");
    assert!(said.contains(text), "{name}: {said}");
    for internal in ["index out of bounds", "panicked", ".rs", "src/", "unwrap"] {
        assert!(!said.contains(internal), "{name}: {said}");
        assert!(!response.text().contains(internal), "{response:?}");
    }
    // The log has it, with where it happened.
    let line = server.wait_log(&format!("action{{name=\"{name}\""));
    assert!(line.contains("page=/failures"), "{line}");
}

#[test]
fn failures_are_told_without_internals_and_the_next_action_works() {
    for shards in SHARDS {
        for (name, text) in [
            ("fails", "the kettle is empty"),
            ("io", "No such file or directory"),
            ("panics", "the server had a problem"),
            ("blocking-panics", "the server had a problem"),
        ] {
            // Given a page with a stream, and another one on the same shard,
            let server = probe().shards(shards).start();
            let page = Page::open(&server.client(), "/failures");
            let other = Page::open_on(&server.client(), "/failures", page.shard());
            let (mut stream, mut others) = (page.stream(), other.stream());
            // when its action fails, then it is told there and in the log,
            assert_told(&server, &page, &mut stream, name, text);
            // the next one works on the same stream, and the other page saw nothing.
            assert_eq!(act(&page, "ok", json!([])), 200);
            assert_eq!(value(&mut stream, "done"), 1);
            others.assert_silent_until(
                || assert_eq!(act(&other, "ok", json!([])), 200),
                |event| has_value(event, "done"),
            );
        }
    }
}

#[test]
fn a_failure_waits_for_a_page_whose_stream_is_lost() {
    let server = probe().shards(2).start();
    let page = Page::open(&server.client(), "/failures");
    assert_eq!(act(&page, "fails", json!([])), 500);
    assert_eq!(failure(&mut page.stream())["text"], "the kettle is empty");
}

#[test]
fn an_action_that_takes_too_long_is_ended_and_told() {
    for shards in SHARDS {
        // Given a time limit of a second, when an action waits for ever,
        let server = probe()
            .shards(shards)
            .args(["--action-timeout", "1"])
            .start();
        let page = Page::open(&server.client(), "/failures");
        let mut stream = page.stream();
        // then it is ended, the user is told so, and the one behind it runs.
        assert_told(&server, &page, &mut stream, "hold", "longer than 1 s");
        assert_eq!(act(&page, "ok", json!([])), 200);
        assert_eq!(value(&mut stream, "done"), 1);
        assert_eq!(noted(&server, "let go"), 0);
    }
}

#[test]
fn an_action_that_waits_keeps_only_its_own_page() {
    for shards in SHARDS {
        // Given a page whose action waits, and others on its shard and elsewhere,
        let server = probe().shards(shards).start();
        let client = server.client();
        let page = Page::open(&client, "/failures");
        let neighbour = Page::open_on(&client, "/failures", page.shard());
        let held = click(&page, "hold");
        wait_noted(&server, "held", 1);
        // then theirs run, the page's own parallel ones too,
        let last = u16::try_from(shards).expect("few shards");
        for other in Page::one_per_shard(server.port(), "/failures", last) {
            assert_eq!(act(&other, "ok", json!([])), 200);
        }
        assert_eq!(act(&neighbour, "ok", json!([])), 200);
        assert_eq!(act(&page, "beside", json!([])), 200);
        assert_eq!(noted(&server, "let go"), 0);
        // and the page's next one runs after it.
        let mut stream = page.stream();
        let next = click(&page, "ok");
        assert_eq!(act(&page, "release", json!([])), 200);
        assert_eq!((status(held), status(next)), (200, 200));
        stream.until(|event| has_value(event, "done") && event.signals()["done"] == 102);
    }
}

#[test]
fn a_parallel_action_keeps_nobody() {
    for keyed in [true, false] {
        // Given a parallel action that waits,
        let server = probe().shards(2).start();
        let page = Page::open(&server.client(), "/failures");
        let send = |name| {
            let action = page.action(name);
            let action = if keyed {
                action
            } else {
                action.without("Idempotency-Key")
            };
            let mut connection = page.client.connect();
            connection.write(&action.bytes()).expect("it is taken");
            connection
        };
        let held = send("hold-beside");
        wait_noted(&server, "held", 1);
        // then the page's other actions run meanwhile, and each sender gets the outcome of its own.
        assert_eq!(status(send("fails")), 500);
        assert_eq!(status(send("ok")), 200);
        assert_eq!(noted(&server, "let go"), 0);
        assert_eq!(status(send("release")), 200);
        assert_eq!(status(held), 200);
        assert_eq!(noted(&server, "let go"), 1);
    }
}

#[test]
fn actions_of_a_page_run_one_after_another_in_the_order_of_their_arrival() {
    // Given one shard, so that what is sent before a request that was answered has arrived before it,
    let server = probe().shards(1).start();
    let page = Page::open(&server.client(), "/failures");
    let mut stream = page.stream();
    let letters: Vec<String> = ('a'..='z').map(String::from).collect();
    let mut connections: Vec<Connection> = letters.iter().map(|_| page.client.connect()).collect();
    assert!(connections.iter_mut().all(Connection::still_answers));
    let mut witness = page.client.connect();
    // when many clicks come while the first still runs,
    for (letter, connection) in letters.iter().zip(&mut connections) {
        let bytes = page.action("append").arguments(json!([letter])).bytes();
        connection
            .write(&bytes)
            .expect("the server takes the click");
        assert!(witness.still_answers());
    }
    // then each starts when the one before has ended: no letter is lost, and all are in order.
    for connection in connections {
        assert_eq!(status(connection), 200);
    }
    let all = letters.concat();
    stream.until(|event| has_value(event, "trail") && event.signals()["trail"] == all.as_str());
}

#[test]
fn actions_that_wait_one_after_another_lose_nothing_on_any_shard() {
    for shards in SHARDS {
        let server = probe().shards(shards).start();
        let last = u16::try_from(shards).expect("few shards");
        for page in Page::one_per_shard(server.port(), "/failures", last) {
            let mut stream = page.stream();
            let clicks: Vec<_> = (0..20)
                .map(|_| {
                    let mut connection = page.client.connect();
                    let bytes = page.action("append").arguments(json!(["x"])).bytes();
                    connection
                        .write(&bytes)
                        .expect("the server takes the click");
                    connection
                })
                .collect();
            assert!(clicks.into_iter().map(status).all(|status| status == 200));
            let all = "x".repeat(20);
            stream.until(|event| {
                has_value(event, "trail") && event.signals()["trail"] == all.as_str()
            });
        }
    }
}

#[test]
fn sixty_four_may_wait_and_no_more() {
    for shards in SHARDS {
        // Given an action that runs and doesn't end,
        let server = probe().shards(shards).start();
        let page = Page::open(&server.client(), "/failures");
        let mut stream = page.stream();
        let held = click(&page, "hold");
        wait_noted(&server, "held", 1);
        // when 64 more and then some are sent, then those beyond are refused at once,
        let answers = std::sync::Mutex::new(Vec::new());
        let refused = || {
            let answers = answers.lock().expect("nobody panics");
            answers.iter().filter(|status| **status == 429).count()
        };
        std::thread::scope(|scope| {
            for _ in 0..70 {
                // Without a number: the window of numbers is not what is meant here.
                let bytes = page.action("ok").without("Idempotency-Key").bytes();
                let mut waits = page.client.connect();
                waits.write(&bytes).expect("the server takes the click");
                let answers = &answers;
                scope.spawn(move || {
                    let answer = waits.response(false).expect("an answer");
                    if answer.status == 429 {
                        assert_eq!(answer.header("retry-after"), Some("1"));
                        one_plain_line(&answer);
                    }
                    answers.lock().expect("nobody panics").push(answer.status);
                });
            }
            eventually("6 that are refused", || (refused() >= 6).then_some(()));
            // another page is not meant,
            let other = Page::open(&server.client(), "/failures");
            assert_eq!(act(&other, "ok", json!([])), 200);
            assert_eq!(act(&page, "release", json!([])), 200);
        });
        // and all others run to their end.
        assert_eq!(
            (refused(), answers.lock().expect("nobody panics").len()),
            (6, 70)
        );
        assert_eq!(status(held), 200);
        stream.until(|event| has_value(event, "done") && event.signals()["done"] == 65);
        // Then there is room again.
        assert_eq!(act(&page, "ok", json!([])), 200);
    }
}

#[test]
fn a_click_that_found_no_room_may_come_again_by_its_number() {
    // Given one place to wait, which is taken,
    let server = probe().shards(1).args(["--action-queue", "1"]).start();
    let page = Page::open(&server.client(), "/failures");
    let held = click(&page, "hold");
    wait_noted(&server, "held", 1);
    let waits = click(&page, "ok");
    assert_eq!(act(&page, "beside", json!([])), 200);
    let refused = page.action("ok").key(50).send();
    assert_eq!(refused.status, 429, "{refused:?}");
    // when there is room, then it runs, once.
    assert_eq!(act(&page, "release", json!([])), 200);
    assert_eq!((status(held), status(waits)), (200, 200));
    for _ in 0..2 {
        assert_eq!(page.action("ok").key(50).send().status, 200);
    }
    let mut stream = page.stream();
    stream.until(|event| has_value(event, "done") && event.signals()["done"] == 103);
}
