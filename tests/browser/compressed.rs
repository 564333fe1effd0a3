//! Compressed streams: a browser shows each event when it comes, and comes back when a stream ends.

use crate::stage::{Stage, wait_reloaded};

#[test]
fn each_event_is_shown_when_it_comes() {
    // Given two strangers on two shards whose streams are compressed,
    let stage = Stage::showcase_with(&["--compress-streams"]);
    let (first, second) = stage.two("/examples/counter");
    for window in [first, &second] {
        // when they click, then each sees it at once.
        for count in 1..=5 {
            window.click("#increment");
            window.wait_text("#count", &count.to_string());
        }
    }
    // A server that leaves ends its streams, which gives a gzip body no end: browsers come back.
    stage.server.ask_to_stop();
    assert_eq!(stage.server.wait_exit().code(), Some(0));
    let _next = stage.restart();
    for window in [first, &second] {
        wait_reloaded(window);
        window.click("#increment");
        window.wait_text("#count", "1");
    }
    stage.expect_errors(&["net::ERR_", "410 (Gone)"]);
}
