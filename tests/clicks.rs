//! One click, one effect: what a key does that is sent again, is too old, or is none, and that a
//! click runs to its end whether or not somebody waits for it.

mod common;

use autovia_testkit::Page;
use common::{SHARDS, eventually, has_value, noted, probe, send, status, wait_noted};
use serde_json::json;

#[test]
fn a_click_that_is_sent_again_while_it_runs_waits_for_the_one_outcome() {
    for shards in SHARDS {
        // Given a click that runs,
        let server = probe().shards(shards).start();
        let page = Page::open(&server.client(), "/failures");
        let mut stream = page.stream();
        let bytes = page.action("hold").bytes();
        let first = send(&page, &bytes);
        wait_noted(&server, "held", 1);
        // when it is sent again, three times,
        let again = [(); 3].map(|()| send(&page, &bytes));
        // then all get the outcome of the one run.
        assert_eq!(page.act("release", json!([]), json!(null)).status, 200);
        assert_eq!(status(first), 200);
        for connection in again {
            assert_eq!(status(connection), 200);
        }
        assert_eq!(noted(&server, "held"), 1);
        let event = stream.until(|event| has_value(event, "done"));
        assert_eq!(event.signals()["done"], 1);
    }
}

#[test]
fn a_click_that_waits_its_turn_is_sent_again_without_a_second_turn() {
    let server = probe().shards(2).start();
    let page = Page::open(&server.client(), "/failures");
    let mut stream = page.stream();
    let held = send(&page, &page.action("hold").bytes());
    wait_noted(&server, "held", 1);
    let bytes = page.action("ok").bytes();
    let waiting = [(); 3].map(|()| send(&page, &bytes));
    assert_eq!(page.act("release", json!([]), json!(null)).status, 200);
    assert_eq!(status(held), 200);
    for connection in waiting {
        assert_eq!(status(connection), 200);
    }
    assert_eq!(page.act("ok", json!([]), json!(null)).status, 200);
    stream.until(|event| has_value(event, "done") && event.signals()["done"] == 3);
}

#[test]
fn a_finished_click_keeps_its_status_and_does_not_run_again() {
    for shards in SHARDS {
        for (name, arguments, wanted) in [
            ("ok", json!([]), 200),
            ("typed", json!(["no number"]), 422),
            ("fails", json!([]), 500),
            ("panics", json!([]), 500),
        ] {
            // Given a click that has ended so,
            let server = probe().shards(shards).start();
            let page = Page::open(&server.client(), "/failures");
            let mut stream = page.stream();
            let bytes = page.action(name).arguments(arguments).bytes();
            assert_eq!(status(send(&page, &bytes)), wanted, "{name}");
            stream.next_event();
            // when it is sent again, then it has the same status and no second effect:
            let event = stream.assert_silent_until(
                || {
                    for _ in 0..3 {
                        assert_eq!(status(send(&page, &bytes)), wanted, "{name}");
                    }
                    let beside = page.act("beside", json!([]), json!(null));
                    assert_eq!(beside.status, 200);
                },
                |event| has_value(event, "done"),
            );
            // neither on the values nor as a second message.
            let done = if name == "ok" { 101 } else { 100 };
            assert_eq!(event.signals(), json!({ "done": done }));
        }
    }
}

#[test]
fn the_window_of_keys_has_an_end() {
    for shards in SHARDS {
        let server = probe().shards(shards).start();
        let page = Page::open(&server.client(), "/failures");
        let key = |key: u64| page.action("ok").key(key).send().status;
        assert_eq!(key(100), 200);
        // Just within the window a new one still runs, below it nothing is known.
        assert_eq!(key(37), 200);
        assert_eq!(key(36), 409);
        assert_eq!(key(0), 409);
        let refused = page.action("ok").key(1).send();
        assert_eq!((refused.status, refused.text().lines().count()), (409, 1));
        // The window moves on with the highest.
        assert_eq!(key(101), 200);
        assert_eq!(key(37), 409);
        assert_eq!(key(u64::MAX), 200);
        assert_eq!(key(101), 409);
        // 100, 37, 101 and the last one have run.
        let mut stream = page.stream();
        stream.until(|event| has_value(event, "done") && event.signals()["done"] == 4);
    }
}

#[test]
fn a_key_that_is_no_number_is_refused() {
    let server = probe().shards(2).start();
    let page = Page::open(&server.client(), "/failures");
    for key in [
        "abc",
        "-1",
        "1.5",
        "",
        "1e3",
        "0x1",
        "1 2",
        "18446744073709551616",
        "+1",
        "１",
    ] {
        let refused = page.action("ok").key(key).send();
        assert_eq!(refused.status, 400, "{key:?}: {refused:?}");
        assert_eq!(refused.text().lines().count(), 1, "{refused:?}");
    }
    // None of them ran.
    assert_eq!(page.act("ok", json!([]), json!(null)).status, 200);
    let mut stream = page.stream();
    let event = stream.until(|event| has_value(event, "done"));
    assert_eq!(event.signals()["done"], 1);
}

#[test]
fn without_a_key_each_request_runs() {
    for shards in SHARDS {
        let server = probe().shards(shards).start();
        let page = Page::open(&server.client(), "/failures");
        let mut stream = page.stream();
        let bytes = page.action("ok").without("Idempotency-Key").bytes();
        for _ in 0..3 {
            assert_eq!(status(send(&page, &bytes)), 200);
        }
        stream.until(|event| has_value(event, "done") && event.signals()["done"] == 3);
    }
}

#[test]
fn keys_belong_to_their_page() {
    let server = probe().shards(2).start();
    let client = server.client();
    let pages = [(); 2].map(|()| Page::open(&client, "/failures"));
    for page in &pages {
        let mut stream = page.stream();
        assert_eq!(page.action("ok").key(7).send().status, 200);
        stream.until(|event| has_value(event, "done") && event.signals()["done"] == 1);
    }
}

#[test]
fn two_clicks_at_once_are_two() {
    for shards in SHARDS {
        let server = probe().shards(shards).start();
        let page = Page::open(&server.client(), "/");
        let mut stream = page.stream();
        let add = || page.action("add").inputs(json!({"step": 1})).bytes();
        let clicks = [send(&page, &add()), send(&page, &add())];
        for click in clicks {
            assert_eq!(status(click), 200);
        }
        stream.until(|event| has_value(event, "count") && event.signals()["count"] == 2);
    }
}

#[test]
fn a_click_runs_to_its_end_though_its_sender_is_gone() {
    for shards in SHARDS {
        // Given a click that runs, one that waits behind it,
        let server = probe().shards(shards).start();
        let page = Page::open(&server.client(), "/failures");
        let mut stream = page.stream();
        let running = page.action("hold").bytes();
        let waiting = page.action("ok").bytes();
        let first = send(&page, &running);
        wait_noted(&server, "held", 1);
        let second = send(&page, &waiting);
        assert_eq!(page.act("beside", json!([]), json!(null)).status, 200);
        // when both senders are gone,
        first.reset();
        drop(second);
        assert_eq!(page.act("release", json!([]), json!(null)).status, 200);
        // then both run to their end,
        stream.until(|event| has_value(event, "done") && event.signals()["done"] == 102);
        // and whoever asks again is told how they ended.
        for bytes in [&running, &waiting] {
            assert_eq!(status(send(&page, bytes)), 200);
        }
        assert_eq!(noted(&server, "held"), 1);
        assert_eq!(noted(&server, "let go"), 1);
    }
}

#[test]
fn a_click_that_was_cut_off_half_way_never_began() {
    let server = probe().shards(2).start();
    let page = Page::open(&server.client(), "/failures");
    let mut stream = page.stream();
    let bytes = page.action("ok").bytes();
    // Given a request of which the last byte is missing,
    let mut half = send(&page, &bytes[..bytes.len() - 1]);
    half.finish_writing().expect("the end is told");
    assert_eq!(half.rest().expect("the server closes"), b"");
    // then it had no effect, and its number is still free.
    let event = stream.assert_silent_until(
        || assert_eq!(status(send(&page, &bytes)), 200),
        |event| has_value(event, "done"),
    );
    assert_eq!(event.signals()["done"], 1);
}

#[test]
fn the_page_that_is_gone_answers_to_those_who_wait() {
    // Given clicks that run and wait on a page whose life is over,
    let server = probe().shards(2).args(["--render-seconds", "1"]).start();
    let page = Page::open(&server.client(), "/failures");
    let held = send(&page, &page.action("hold").bytes());
    wait_noted(&server, "held", 1);
    let waiting = send(&page, &page.action("ok").bytes());
    eventually("the page gone", || {
        (page.act("beside", json!([]), json!(null)).status == 410).then_some(())
    });
    // when they can end, then they do, and their senders are told.
    let other = Page::open(&server.client(), "/failures");
    assert_eq!(other.act("release", json!([]), json!(null)).status, 200);
    assert_eq!((status(held), status(waiting)), (200, 200));
    eventually("its context freed", || {
        let health = server.health();
        (health["connections"]["contexts"] == 1).then_some(())
    });
}
