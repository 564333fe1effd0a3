//! `/_health`: exactly the documented JSON, summed over all shards, about nobody in particular.

mod common;

use autovia_testkit::{Page, Running};
use common::{SHARDS, eventually, has_value, probe};
use serde_json::json;

/// The whole body, byte for byte.
fn body(driver: &str, contexts: usize, streams: usize) -> String {
    format!(
        "{{\"status\":\"ok\",\"version\":\"{}\",\"broker\":{{\"driver\":\"{driver}\",\"connected\":true}},\
         \"connections\":{{\"contexts\":{contexts},\"sse\":{streams}}}}}",
        env!("CARGO_PKG_VERSION")
    )
}

fn driver(shards: usize) -> &'static str {
    if shards == 1 {
        "InMemoryBroker"
    } else {
        "MeshBroker"
    }
}

fn health(server: &Running) -> String {
    server.client().get("/_health").text().to_owned()
}

#[test]
fn it_is_the_documented_json_and_is_never_stored() {
    for shards in SHARDS {
        let server = probe().shards(shards).start();
        let response = server.client().get("/_health");
        assert_eq!(response.status, 200);
        assert_eq!(response.text(), body(driver(shards), 0, 0));
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(response.header("cache-control"), Some("no-store"));
        assert_eq!(response.header("set-cookie"), None);

        // HEAD says the same without the body.
        let head = server.client().head("/_health");
        assert_eq!(head.status, 200);
        assert_eq!(
            head.header("content-length"),
            Some(response.body.len().to_string().as_str())
        );
        assert_eq!(head.header("cache-control"), Some("no-store"));

        // Anything else is refused, and tells what is allowed.
        let post = server.client().post("/_health", &[], "");
        assert_eq!(
            (post.status, post.header("allow")),
            (405, Some("GET, HEAD"))
        );
    }
}

#[test]
fn pages_and_streams_of_all_shards_are_summed() {
    for shards in SHARDS {
        // Given a page on each shard, two streams of the first, one of each other,
        let server = probe().shards(shards).start();
        let last = u16::try_from(shards).expect("few shards");
        let pages = Page::one_per_shard(server.port(), "/", last);
        let open = || {
            let json = server.health();
            let contexts = json["connections"]["contexts"].as_u64();
            usize::try_from(contexts.expect("a number")).expect("few contexts")
        };
        let contexts = open();
        assert!(contexts >= shards, "{contexts} contexts on {shards} shards");
        let mut streams: Vec<_> = pages.iter().map(Page::stream).collect();
        streams.push(pages[0].stream());

        // then any shard tells all of them: each of many connections may land elsewhere.
        let wanted = body(driver(shards), contexts, shards + 1);
        eventually("all streams counted", || {
            (health(&server) == wanted).then_some(())
        });
        for _ in 0..4 * shards {
            assert_eq!(health(&server), wanted);
        }

        // When streams end, then their pages still count: they are away.
        drop(streams);
        let wanted = body(driver(shards), contexts, 0);
        eventually("no stream left", || {
            (health(&server) == wanted).then_some(())
        });
    }
}

#[test]
fn a_parked_page_counts_until_it_is_gone() {
    // Given two pages that see each other, of which one loses its stream for good,
    for (park_seconds, contexts) in [("600", 2), ("1", 1)] {
        let server = probe()
            .shards(2)
            .args(["--away-seconds", "1", "--park-seconds", park_seconds])
            .start();
        let [stays, leaves] = [(); 2].map(|()| Page::open(&server.client(), "/hooks"));
        let mut seen = stays.stream();
        let left = leaves.stream();
        seen.until(|event| has_value(event, "present") && event.signals()["present"] == 2);
        drop(left);
        // when it is no longer present, then it counts for as long as it is parked.
        seen.until(|event| has_value(event, "present") && event.signals()["present"] == 1);
        let wanted = body("MeshBroker", contexts, 1);
        eventually(&wanted, || (health(&server) == wanted).then_some(()));
        let status = leaves.act("add", json!([]), json!(null)).status;
        assert_eq!(status, if contexts == 2 { 200 } else { 410 });
    }
}

#[test]
fn a_look_without_a_page_makes_no_context() {
    for shards in SHARDS {
        let server = probe().shards(shards).start();
        let client = server.client();
        let head = client.head("/");
        assert_eq!(head.status, 200);
        assert_eq!(
            head.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        assert_eq!(client.head("/no/such/page").status, 404);
        assert_eq!(client.get("/no/such/page").status, 404);
        assert_eq!(client.get("/datastar.js").status, 200);
        assert_eq!(client.post("/", &[], "").status, 405);
        assert_eq!(health(&server), body(driver(shards), 0, 0));
    }
}
