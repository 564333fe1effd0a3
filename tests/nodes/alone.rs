//! Nodes behind one address that don't know each other.

use autovia_testkit::Page;
use serde_json::Value;

use crate::common::probe;

#[test]
fn nodes_without_a_broker_that_meet_each_others_pages_say_so_once() {
    for shards in [1, 2] {
        // Given two nodes without a broker,
        let [one, other] = [(); 2].map(|()| probe().shards(shards).start());
        // when a browser's page of the one is sent to the other, as a balancer does,
        let browser = one.client();
        for _ in 0..5 {
            let mut page = Page::open(&browser, "/");
            page.client = browser.at_port(other.port());
            assert_eq!(page.act("add", Value::Null, Value::Null).status, 410);
            assert_eq!(
                page.try_stream(None).err().map(|refused| refused.status),
                Some(410)
            );
        }
        // then that one says once what is missing.
        other.terminate();
        let log = other.log();
        let told: Vec<_> = log
            .iter()
            .filter(|line| line.contains("--broker"))
            .collect();
        assert_eq!(told.len(), 1, "{log:?}");
        assert!(told[0].contains("WARN"), "{told:?}");
        assert!(!one.log().iter().any(|line| line.contains("--broker")));
    }
}
