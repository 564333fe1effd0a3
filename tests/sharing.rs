//! What is rendered and loaded once for many, what never is, and what holds a storm to a rate.
//!
//! Rates are counted against the ticks of a period of the same process, never against a clock.

mod common;
mod pages;

use autovia_testkit::{Event, Page, Running, Stream};
use common::{SHARDS, eventually, noted, probe};
use pages::{click, probe_with, sets, shows, small, text_in, until_value};
use serde_json::{Value, json};

/// The probe ticks ten times a second, whatever else it does.
const TICKS_PER_SECOND: u64 = 10;

fn ticks(server: &Running) -> u64 {
    noted(server, "app tick on 0")
}

/// What a rate allows in so many ticks. Twice that: on a busy machine the shard that ticks may
/// stand still while another goes on. Without a bound it would be hundreds of times as much.
fn allowed(ticks: u64, per_second: u64) -> u64 {
    (ticks + 2) * per_second * 2 / TICKS_PER_SECOND
}

fn noted_per_shard(server: &Running, what: &str, shards: usize) -> Vec<u64> {
    (0..shards)
        .map(|shard| noted(server, &format!("{what} on {shard}")))
        .collect()
}

fn has_elements(events: &[Event]) -> bool {
    events.iter().any(Event::is_elements)
}

/// Viewers of one path, each in a browser of its own, at least one on every shard.
fn viewers(server: &Running, path: &str, count: usize, shards: usize) -> Vec<(Page, Stream)> {
    let pages: Vec<Page> = (0..count)
        .map(|_| Page::open(&server.client(), path))
        .collect();
    for shard in 0..small(shards) {
        assert!(
            pages.iter().any(|page| page.shard() == shard),
            "no viewer on shard {shard}"
        );
    }
    pages
        .into_iter()
        .map(|page| {
            let stream = page.stream();
            (page, stream)
        })
        .collect()
}

#[test]
fn fifty_viewers_cost_one_render_per_shard_and_broadcast() {
    for shards in SHARDS {
        // Given 50 viewers of one room.
        let server = probe_with(shards);
        let mut viewers = viewers(&server, "/room/full", 50, shards);
        for round in 1..=3 {
            let before = noted_per_shard(&server, "render room full", shards);
            // When the room is broadcast,
            click(&viewers[round].0, "post", json!(["hello"]));
            // then all 50 get it,
            for (_, stream) in &mut viewers {
                stream.until(|event| shows(event, &format!("{round}: hello")));
            }
            // and the view ran once on each shard.
            let after = noted_per_shard(&server, "render room full", shards);
            let runs: Vec<u64> = after.iter().zip(before).map(|(a, b)| a - b).collect();
            assert_eq!(runs, vec![1; shards], "round {round}");
        }
    }
}

#[test]
fn fifty_viewers_cost_one_query_per_shard_and_broadcast() {
    for shards in SHARDS {
        // Given 50 viewers of one room whose messages are loaded, and one of another room.
        let server = probe_with(shards);
        let mut viewers = viewers(&server, "/loaded/full", 50, shards);
        let other = Page::open(&server.client(), "/loaded/other");
        // Their first pages cost one query per shard.
        assert_eq!(
            noted_per_shard(&server, "load full", shards),
            vec![1; shards]
        );
        for round in 1..=3 {
            // When the room is broadcast,
            click(&viewers[round].0, "post", json!(["hello"]));
            for (_, stream) in &mut viewers {
                stream.until(|event| shows(event, &format!("{round}: hello")));
            }
            // then each shard asked once, however many watch, and for the other room not at all.
            let loads = noted_per_shard(&server, "load full", shards);
            assert_eq!(loads, vec![1 + round as u64; shards], "round {round}");
        }
        let loads = noted_per_shard(&server, "load other", shards);
        assert_eq!(loads.iter().sum::<u64>(), 1, "{loads:?}");
        assert_eq!(other.text("messages"), "0:");
    }
}

#[test]
fn a_view_that_reads_a_value_of_its_tab_is_shown_to_nobody_else() {
    // Names that are equal, nearly equal, empty, or look like HTML, JSON and separators.
    const NAMES: [&str; 12] = [
        "ada",
        "ada ",
        "Ada",
        "",
        "\"ada\"",
        "ada\u{0}",
        "ad",
        "a",
        "</p><p id=name>ada",
        "null",
        "ada\u{301}",
        "ada\nevent: x",
    ];
    for shards in SHARDS {
        // Given three tabs for each name.
        let server = probe_with(shards);
        let mut tabs: Vec<(Page, Stream)> = (0..NAMES.len() * 3)
            .map(|_| Page::open(&server.client(), "/each"))
            .map(|page| {
                let stream = page.stream();
                (page, stream)
            })
            .collect();
        let name_of = |tab: usize, round: usize| NAMES[(tab * 5 + round * 7) % NAMES.len()];
        for round in 0..6 {
            // When each tab takes another name, and all are broadcast in between,
            for (tab, (page, _)) in tabs.iter().enumerate() {
                let inputs = json!({ "name": name_of(tab, round) });
                let action = if tab % 3 == 0 { "call" } else { "set" };
                assert_eq!(page.act(action, Value::Null, inputs).status, 200);
            }
            // then every HTML that a tab gets shows a name that this tab had.
            for (tab, (_, stream)) in tabs.iter_mut().enumerate() {
                let now = name_of(tab, round);
                let earlier = match round {
                    0 => "nobody",
                    _ => name_of(tab, round - 1),
                };
                let is_own = |event: &Event, name: &str| {
                    event.is_elements() && text_in(event, "name") == format!("for {name}").trim()
                };
                for event in stream.collect_until(|event| is_own(event, now)) {
                    assert!(
                        is_own(&event, now) || is_own(&event, earlier),
                        "tab {tab} is {now:?} and was {earlier:?}, and got {event:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_view_that_asks_for_it_runs_for_each_viewer() {
    for shards in SHARDS {
        // Given viewers of a view that shows more than it reads,
        let server = probe_with(shards);
        let mut viewers = viewers(&server, "/each-time", 12, shards);
        let renders = noted(&server, "render each time");
        // when it is broadcast, then each of them gets a rendering of its own.
        click(&viewers[0].0, "call", json!([]));
        let mut shown: Vec<String> = viewers
            .iter_mut()
            .map(|(_, stream)| text_in(&stream.next_event(), "now"))
            .collect();
        assert_eq!(noted(&server, "render each time"), renders + 12);
        shown.sort();
        shown.dedup();
        assert!(shown.len() > shards, "{shown:?}");
    }
}

#[test]
fn a_view_that_gives_nothing_sends_no_elements() {
    let server = probe_with(2);
    let page = Page::open(&server.client(), "/blank");
    assert_eq!(page.text("blank"), "0");
    let mut stream = page.stream();
    click(&page, "add", json!([]));
    // The value comes alone.
    let event = stream.next_event();
    assert!(sets(&event, "count", 1), "{event:?}");
}

#[test]
fn a_click_that_counts_sends_values_and_no_html() {
    for shards in SHARDS {
        let server = probe_with(shards);
        // Given pages that show their counters by text.
        let page = Page::open(&server.client(), "/global");
        let watchers = Page::one_per_shard(server.port(), "/global", small(shards));
        let mut streams: Vec<Stream> = watchers.iter().map(Page::stream).collect();
        let mut own = page.stream();
        let renders = noted(&server, "render global");
        for total in 1..=3 {
            // When somebody counts, then everybody gets the value and no elements.
            click(&page, "add", json!([]));
            let events = until_value(&mut own, "total", total);
            assert!(!has_elements(&events), "{events:?}");
            for stream in &mut streams {
                let events = until_value(stream, "total", total);
                assert_eq!(events.len(), 1, "{events:?}");
            }
        }
        // And no view ran.
        assert_eq!(noted(&server, "render global"), renders);
    }
}

#[test]
fn html_that_did_not_change_is_not_sent_again() {
    for shards in SHARDS {
        // Given a page that was broadcast once.
        let server = probe_with(shards);
        let page = Page::open(&server.client(), "/global");
        let mut stream = page.stream();
        click(&page, "touch", json!([]));
        stream.until(Event::is_elements);
        for total in 1..=5 {
            // When it is broadcast again and nothing in it is new,
            let renders = noted(&server, "render global");
            click(&page, "touch", json!([]));
            eventually("the view to run", || {
                (noted(&server, "render global") > renders).then_some(())
            });
            // then nothing is sent, up to a value that is.
            click(&page, "add", json!([]));
            let events = until_value(&mut stream, "total", total);
            assert!(!has_elements(&events), "{events:?}");
        }
    }
}

#[test]
fn a_load_that_broadcasts_its_own_scope_is_held_to_the_rate() {
    const RATE: u64 = 20;
    for shards in SHARDS {
        // Given a load that broadcasts what it hangs on.
        let rate = RATE.to_string();
        let server = probe().shards(shards).args(["--scope-rate", &rate]).start();
        let page = Page::open(&server.client(), "/self-broadcast");
        let mut stream = page.stream();
        stream.until(Event::is_elements);
        // When it runs for two seconds of the process's own time,
        let (loops, start) = (noted(&server, "loop"), ticks(&server));
        let now = eventually("twenty ticks", || {
            let now = ticks(&server);
            (now >= start + 20).then_some(now)
        });
        let loops = noted(&server, "loop") - loops;
        // then it went round, and not above the rate of each shard that shows it.
        assert!(loops > 0);
        let bound = allowed(now - start, RATE);
        assert!(loops <= bound, "{loops} rounds, {bound} are allowed");
        // And the server does all else meanwhile.
        let other = Page::open(&server.client(), "/");
        let mut counting = other.stream();
        click(&other, "add", json!([]));
        counting.until(|event| sets(event, "count", 1));
    }
}

#[test]
fn a_loop_is_named_in_the_log() {
    for shards in SHARDS {
        // At the highest rate a loop has gone round often enough within a second.
        let server = probe()
            .shards(shards)
            .args(["--scope-rate", "1000"])
            .start();
        let _stream = Page::open(&server.client(), "/self-broadcast").stream();
        let line = server.wait_log("a scope has been broadcast faster than --scope-rate");
        assert!(line.contains("scope=\"loop\""), "{line}");
    }
}

#[test]
fn whoever_watches_many_come_is_told_no_faster_than_the_rate() {
    const RATE: u64 = 20;
    const JOINS: usize = 150;
    for shards in SHARDS {
        // Given one on each shard who sees how many are present,
        let rate = RATE.to_string();
        let server = probe().shards(shards).args(["--scope-rate", &rate]).start();
        let watchers = Page::one_per_shard(server.port(), "/hooks", small(shards));
        let mut watching: Vec<Stream> = watchers.iter().map(Page::stream).collect();
        for stream in &mut watching {
            until_value(stream, "present", small(shards));
        }
        let start = ticks(&server);
        // when many come one after another,
        let joined: Vec<Stream> = (0..JOINS)
            .map(|_| Page::open(&server.client(), "/hooks").stream())
            .collect();
        // then each watcher sees them all in the end,
        let present = u64::try_from(JOINS + watchers.len()).expect("it fits");
        let told: Vec<usize> = watching
            .iter_mut()
            .map(|stream| {
                let events = stream.collect_until(|event| sets(event, "present", present));
                events.len()
            })
            .collect();
        // and was told so at the rate, and no more often than somebody came.
        let bound = usize::try_from(allowed(ticks(&server) - start, RATE)).expect("it fits");
        for told in told {
            assert!(
                told <= bound.min(JOINS),
                "{told} events, {bound} are allowed"
            );
        }
        drop(joined);
    }
}

#[test]
fn a_storm_is_held_to_the_rate_and_its_last_state_arrives() {
    const RATE: u64 = 20;
    for shards in SHARDS {
        // Given viewers on each shard.
        let rate = RATE.to_string();
        let server = probe().shards(shards).args(["--scope-rate", &rate]).start();
        let viewers = Page::one_per_shard(server.port(), "/room/storm", small(shards));
        let mut streams: Vec<Stream> = viewers.iter().map(Page::stream).collect();
        let renders = noted_per_shard(&server, "render room storm", shards);
        // When the room is broadcast again and again for a second of the process's own time,
        let start = ticks(&server);
        let mut clicks = 0;
        let now = eventually("ten ticks", || {
            for viewer in &viewers {
                click(viewer, "storm", json!([20]));
                clicks += 1;
            }
            let now = ticks(&server);
            (now >= start + 10).then_some(now)
        });
        // then the last state arrives everywhere,
        let last = format!("{}: 19", clicks * 20);
        for stream in &mut streams {
            stream.until(|event| shows(event, &last));
        }
        // and no shard rendered above the rate.
        let bound = allowed(now - start, RATE);
        let after = noted_per_shard(&server, "render room storm", shards);
        for (after, before) in after.iter().zip(renders) {
            let runs = after - before;
            assert!(
                (1..=bound).contains(&runs),
                "{runs} renders, {bound} are allowed"
            );
        }
    }
}

#[test]
fn the_values_of_a_page_are_held_to_the_rate_too() {
    const RATE: u64 = 20;
    // Given a page of which a value is set over and over.
    let rate = RATE.to_string();
    let server = probe().shards(1).args(["--scope-rate", &rate]).start();
    let page = Page::open(&server.client(), "/");
    let mut stream = page.stream();
    let start = ticks(&server);
    let mut clicks = 0;
    let now = eventually("ten ticks", || {
        click(&page, "add", json!([]));
        clicks += 1;
        let now = ticks(&server);
        (now >= start + 10).then_some(now)
    });
    // When the last of it arrives, then it came in fewer patches than the rate allows.
    let patches = until_value(&mut stream, "count", clicks).len() as u64;
    let bound = allowed(now - start, RATE);
    assert!(patches <= bound, "{patches} patches, {bound} are allowed");
}

#[test]
fn a_scope_that_never_rests_is_told_to_the_log_by_name() {
    // Given a load that broadcasts its own scope, at a rate that makes the time short.
    let server = probe().shards(1).args(["--scope-rate", "1000"]).start();
    let page = Page::open(&server.client(), "/self-broadcast");
    let _stream = page.stream();
    // Then the log says which scope it is, and which option holds it.
    let line = server.wait_log("--scope-rate");
    assert!(line.contains("WARN"), "{line}");
    assert!(line.contains("scope=\"loop\""), "{line}");
}
