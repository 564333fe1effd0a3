//! `/_metrics`: Prometheus' text format, and numbers that are those of what was done.

mod common;

use std::collections::BTreeMap;

use autovia_testkit::{Page, Running};
use common::{SHARDS, eventually, has_value, probe};
use serde_json::{Value, json};

/// Each sample by its name and labels.
fn samples(server: &Running) -> BTreeMap<String, f64> {
    let response = server.client().get("/_metrics");
    assert_eq!(response.status, 200);
    let lines = response
        .text()
        .lines()
        .filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, number) = line.rsplit_once(' ').expect("a name and a number");
            let number = number
                .parse()
                .unwrap_or_else(|_| panic!("no number: {line}"));
            (name.to_owned(), number)
        })
        .collect()
}

/// A metric, summed over the shards.
fn sum(server: &Running, name: &str) -> f64 {
    let prefix = format!("{name}{{shard=");
    let samples = samples(server);
    let values: Vec<f64> = samples
        .iter()
        .filter(|(name, _)| name.starts_with(&prefix))
        .map(|(_, number)| *number)
        .collect();
    assert!(!values.is_empty(), "there is no {name} in {samples:?}");
    values.iter().sum()
}

fn wait_sum(server: &Running, name: &str, wanted: f64) {
    eventually(&format!("{name} of {wanted}"), || {
        (sum(server, name) == wanted).then_some(())
    });
}

#[test]
fn each_metric_says_what_it_is_and_has_a_line_per_shard() {
    for shards in SHARDS {
        let server = probe().shards(shards).start();
        let response = server.client().get("/_metrics");
        let content_type = response.header("content-type");
        assert_eq!(
            content_type,
            Some("text/plain; version=0.0.4; charset=utf-8")
        );
        assert_eq!(response.header("cache-control"), Some("no-store"));
        let text = response.text();
        assert!(text.ends_with('\n'), "{text:?}");
        // Before the samples of a name its HELP and its TYPE, once.
        let mut described = Vec::new();
        let mut lines = text.lines().peekable();
        while let Some(help) = lines.next() {
            let help = help
                .strip_prefix("# HELP ")
                .unwrap_or_else(|| panic!("{help:?}"));
            let (name, words) = help.split_once(' ').expect("a name and its help");
            assert!(words.ends_with('.'), "{help}");
            let kind = lines.next().expect("a type follows");
            let kind = kind
                .strip_prefix(&format!("# TYPE {name} "))
                .unwrap_or_else(|| panic!("{kind:?}"));
            assert_eq!(
                kind == "counter",
                name.ends_with("_total"),
                "{name} is a {kind}"
            );
            let mut count = 0;
            while let Some(sample) = lines.next_if(|line| !line.starts_with('#')) {
                assert!(sample.starts_with(name), "{sample}");
                count += 1;
            }
            let per_shard = !matches!(name, "autovia_build_info") && !name.starts_with("process_");
            assert_eq!(count, if per_shard { shards } else { 1 }, "{name}");
            assert!(!described.contains(&name), "{name} comes twice");
            described.push(name);
        }
        assert!(described.len() > 10, "{described:?}");
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            samples(&server)[&format!("autovia_build_info{{version=\"{version}\"}}")],
            1.0
        );
    }
}

#[test]
fn what_is_done_is_counted() {
    for shards in SHARDS {
        let server = probe().shards(shards).args(["--away-seconds", "1"]).start();
        let requests = sum(&server, "autovia_requests_total");
        let pages: Vec<_> = (0..3)
            .map(|_| Page::open(&server.client(), "/failures"))
            .collect();
        let mut streams: Vec<_> = pages.iter().map(Page::stream).collect();
        wait_sum(&server, "autovia_streams", 3.0);
        assert_eq!(sum(&server, "autovia_pages"), 3.0);
        let (events, bytes) = (
            sum(&server, "autovia_events_total"),
            sum(&server, "autovia_stream_bytes_total"),
        );
        assert_eq!(pages[0].act("ok", json!([]), Value::Null).status, 200);
        streams[0].until(|event| has_value(event, "done"));
        assert_eq!(sum(&server, "autovia_actions_total"), 1.0);
        assert_eq!(sum(&server, "autovia_events_total"), events + 1.0);
        wait_sum(&server, "autovia_blocked_streams", 0.0);
        assert!(sum(&server, "autovia_stream_bytes_total") > bytes);
        // Three pages, three streams, one action; besides them only questions for metrics were asked.
        assert!(sum(&server, "autovia_requests_total") >= requests + 7.0);
        drop(streams);
        wait_sum(&server, "autovia_streams", 0.0);
        wait_sum(&server, "autovia_parked_pages", 3.0);
        drop(pages);
        // Whoever asks is there.
        wait_sum(&server, "autovia_connections", 1.0);
    }
}

#[test]
fn the_process_is_told() {
    let server = probe().shards(2).start();
    let samples = samples(&server);
    assert!(samples["process_resident_memory_bytes"] > 1e6);
    assert!(samples["process_cpu_seconds_total"] >= 0.0);
    assert!(samples["process_max_fds"] >= 1024.0);
}

#[test]
fn they_can_be_hidden() {
    let server = probe().shards(2).arg("--hide-metrics").start();
    assert_eq!(server.client().get("/_metrics").status, 404);
    assert_eq!(server.client().get("/_health").status, 200);
}

#[test]
fn a_reader_that_stands_still_is_closed_counted_and_named() {
    for shards in SHARDS {
        let server = probe()
            .shards(shards)
            .args(["--outbox-seconds", "1"])
            .start();
        let page = Page::open(&server.client(), "/take");
        let stream = page.slow_stream(4096);
        for n in 0..40 {
            let inputs = json!({ "draft": format!("{n} {}", "x".repeat(60_000)) });
            assert_eq!(page.act("send", json!([]), inputs).status, 200);
        }
        wait_sum(&server, "autovia_slow_streams_total", 1.0);
        assert_eq!(sum(&server, "autovia_streams"), 0.0);
        assert_eq!(sum(&server, "autovia_blocked_streams"), 0.0);
        let line = server.wait_log("its reader was too slow");
        for wanted in ["bytes=", "page=/take", "route:", "session:"] {
            assert!(line.contains(wanted), "{wanted} is not in {line}");
        }
        drop(stream);
    }
}

#[test]
fn readers_that_stand_still_hold_little() {
    // Given readers that never read, and as much as is ever kept for them,
    const READERS: usize = 4;
    let server = probe().shards(2).args(["--outbox-seconds", "3600"]).start();
    let pages: Vec<_> = (0..READERS)
        .map(|_| Page::open(&server.client(), "/take"))
        .collect();
    let streams: Vec<_> = pages.iter().map(|page| page.slow_stream(4096)).collect();
    let send = |n: usize| {
        for page in &pages {
            let inputs = json!({ "draft": format!("{n} {}", "x".repeat(60_000)) });
            assert_eq!(page.act("send", json!([]), inputs).status, 200);
        }
    };
    (0..12).for_each(send);
    wait_sum(&server, "autovia_blocked_streams", READERS as f64);
    let before = server.resident_bytes();
    // when ten times the bound of an outbox is said to each,
    (12..60).for_each(send);
    // then no more is held for them than one newest state each.
    let grown = server.resident_bytes().saturating_sub(before) / READERS as u64;
    assert!(grown <= 256 * 1024, "{grown} bytes more for each");
    drop(streams);
}
