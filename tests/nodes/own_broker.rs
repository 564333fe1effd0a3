//! Brokers that an app wrote itself, and wrote badly.

use autovia_testkit::Redis;

use crate::common::{eventually, probe, wait_noted};

#[test]
fn one_that_keeps_its_thread_ends_the_process() {
    let output = probe()
        .shards(2)
        .run_to_end(["--port", "0", "--app-broker", "blocks"]);
    assert_eq!(output.status.code(), Some(70), "{output:?}");
    assert!(
        output
            .stderr
            .contains("autovia: the link shard has not moved for 2 s; the process ends"),
        "{output:?}"
    );
}

#[test]
fn one_that_panics_is_told_and_tried_again() {
    let redis = Redis::new().start();
    let broker = format!("panics={}", redis.port());
    let server = probe().shards(2).args(["--app-broker", &broker]).start();
    // The first two attempts panic; the third is good.
    wait_noted(&server, "broker error: the broker panicked", 2);
    eventually("a link", || {
        let health = server.health();
        (health["broker"]["connected"] == true && health["broker"]["driver"] == "OddBroker")
            .then_some(())
    });
    server.wait_log("a broker of the app panics");
    assert!(server.is_running());
}
