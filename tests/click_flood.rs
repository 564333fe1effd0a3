//! More clicks than a page can take: those that are refused take nothing from those that were
//! taken, and a click that runs is known for as long as it runs.

mod common;

use autovia_testkit::Page;
use common::{SHARDS, eventually, has_value, probe, send, status, wait_noted};
use serde_json::{Value, json};

fn act_with(page: &Page, action: &str, key: u64) -> u16 {
    page.action(action).key(key).send().status
}

#[test]
fn clicks_that_are_refused_push_none_out_that_was_taken() {
    for shards in SHARDS {
        // Given a click that runs, and as many behind it as may wait,
        let server = probe().shards(shards).start();
        let page = Page::open(&server.client(), "/failures");
        let mut stream = page.stream();
        let hold = page.action("hold").key(100).bytes();
        let held = send(&page, &hold);
        wait_noted(&server, "held", 1);
        let answers = std::sync::Mutex::new(Vec::new());
        let answered = || answers.lock().expect("nobody panics").len();
        std::thread::scope(|scope| {
            for _ in 0..65 {
                let click = page.action("ok").without("Idempotency-Key").bytes();
                let connection = send(&page, &click);
                let answers = &answers;
                scope.spawn(move || {
                    let status = status(connection);
                    answers.lock().expect("nobody panics").push(status);
                });
            }
            eventually("one that is refused", || (answered() == 1).then_some(()));
            // when many more numbers come and are refused,
            for key in 101..=300 {
                assert_eq!(act_with(&page, "ok", key), 429);
            }
            // then the one that runs is still known by its number,
            let again = send(&page, &hold);
            let other = Page::open(&server.client(), "/failures");
            assert_eq!(other.act("release", json!([]), Value::Null).status, 200);
            assert_eq!((status(held), status(again)), (200, 200));
        });
        // and those that were refused may come again.
        for key in [101, 300, 299, 237] {
            assert_eq!(act_with(&page, "ok", key), 200);
            assert_eq!(act_with(&page, "ok", key), 200);
        }
        assert_eq!(act_with(&page, "ok", 236), 409);
        stream.until(|event| has_value(event, "done") && event.signals()["done"] == 1 + 64 + 4);
    }
}

#[test]
fn a_click_that_runs_is_known_though_many_have_overtaken_it() {
    for shards in SHARDS {
        // Given a click that runs,
        let server = probe().shards(shards).start();
        let page = Page::open(&server.client(), "/failures");
        let mut stream = page.stream();
        let hold = page.action("hold").key(1).bytes();
        let held = send(&page, &hold);
        wait_noted(&server, "held", 1);
        // when more than a window of others run beside it to their end,
        for key in 2..=70 {
            assert_eq!(act_with(&page, "beside", key), 200);
        }
        // then it waits for its one outcome when it is sent again,
        let again = send(&page, &hold);
        let other = Page::open(&server.client(), "/failures");
        assert_eq!(other.act("release", json!([]), Value::Null).status, 200);
        assert_eq!((status(held), status(again)), (200, 200));
        // and once it has ended it is too old.
        assert_eq!(status(send(&page, &hold)), 409);
        stream.until(|event| has_value(event, "done") && event.signals()["done"] == 6901);
    }
}
