//! Shards: a page lives on one of them, whatever connection its requests come through, and a
//! change on one is seen on all.

mod common;
mod pages;

use std::collections::BTreeMap;

use autovia_testkit::{Client, EventParser, Frame, Page, Response, attribute_values, element_text};
use common::{SHARDS, noted};
use pages::{click, probe_with, sets, shows, small};
use serde_json::{Value, json};

/// The shard that a context's id names: base64url of version (1 byte), node (4), shard (2), random.
fn shard_in(id: &str) -> u16 {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits: String = id
        .chars()
        .map(|c| format!("{:06b}", ALPHABET.find(c).expect("base64url")))
        .collect();
    assert_eq!(&bits[..8], "00000001", "the version of {id}");
    u16::from_str_radix(&bits[40..56], 2).expect("16 bits")
}

fn context_of(page: &Response) -> String {
    let signals = &attribute_values(page.text(), "data-signals")[0];
    let signals: Value = serde_json::from_str(signals).expect("data-signals is JSON");
    signals["via_ctx"].as_str().expect("a context").to_owned()
}

fn shard_of(page: &Response) -> u16 {
    let text = element_text(page.text(), "shard").expect("the footer says the shard");
    text.parse().expect("a number")
}

fn act(client: &Client, context: &str, action: &str, arguments: Value) -> Vec<u8> {
    let origin = client.origin();
    let headers = [
        ("Origin", origin.as_str()),
        ("Content-Type", "application/json"),
    ];
    let body = json!({ "via_ctx": context, "_args": arguments }).to_string();
    client.encode(
        "POST",
        &format!("/_action/{action}"),
        &headers,
        body.as_bytes(),
    )
}

#[test]
fn a_contexts_id_names_its_shard() {
    for shards in SHARDS {
        let server = probe_with(shards);
        // Given pages until each shard has one, when their ids are read,
        let pages = Page::one_per_shard(server.port(), "/", small(shards));
        // then they name the shard that the page itself shows.
        for (shard, page) in (0..).zip(&pages) {
            assert_eq!(shard_in(&page.context), shard);
        }
        // And a context of a shard that does not exist is gone, not an error.
        let beyond = forge_shard(&pages[0].context, 60_000);
        let answer = pages[0]
            .client
            .exchange(&act(&pages[0].client, &beyond, "add", json!([])));
        assert_eq!(answer.0.status, 410, "{:?}", answer.0);
    }
}

/// The same id with another shard in it.
fn forge_shard(id: &str, shard: u16) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let text = std::str::from_utf8(ALPHABET).expect("ASCII");
    let mut bits: String = id
        .chars()
        .map(|c| format!("{:06b}", text.find(c).expect("base64url")))
        .collect();
    bits.replace_range(40..56, &format!("{shard:016b}"));
    bits.as_bytes()
        .chunks(6)
        .map(|six| {
            let six = std::str::from_utf8(six).expect("ASCII");
            char::from(ALPHABET[usize::from_str_radix(six, 2).expect("bits")])
        })
        .collect()
}

#[test]
fn one_connection_serves_pages_actions_and_a_stream_of_every_shard() {
    for shards in SHARDS {
        // Given a proxy that sends everything through one connection, which one shard accepted.
        let server = probe_with(shards);
        let mut connection = server.client().connect();
        let mut pages = BTreeMap::new();
        while pages.len() < shards {
            // Each page is another user's.
            let client = server.client();
            connection
                .write(&client.encode("GET", "/", &[], b""))
                .unwrap();
            let page = connection.response(false).unwrap();
            if let Some(cookie) = page.header("set-cookie") {
                let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
                client.set_cookie(name, value);
            }
            pages.insert(shard_of(&page), (client, context_of(&page)));
        }
        // When each of the pages is acted on, also several requests at once,
        for (client, context) in pages.values() {
            let two = [
                act(client, context, "add", json!([])),
                act(client, context, "add", json!([])),
            ];
            connection.write(&two.concat()).unwrap();
            // then each works, and in order.
            assert_eq!(connection.response(false).unwrap().status, 200);
            assert_eq!(connection.response(false).unwrap().status, 200);
        }
        assert!(connection.still_answers());
        // When the connection ends as the stream of a page on the last shard,
        let (client, context) = &pages[&small(shards - 1)];
        let query = format!("%7B%22via_ctx%22%3A%22{context}%22%7D");
        let path = format!("/_sse?datastar={query}");
        connection
            .write(&client.encode("GET", &path, &[], b""))
            .unwrap();
        server.terminate();
        // then the stream told what those actions did.
        let bytes = connection.rest().unwrap();
        let events: Vec<Frame> = EventParser::default().push(&bytes);
        let counted = events.iter().any(|frame| match frame {
            Frame::Event(event) => sets(event, "count", 2),
            Frame::Comment(_) => false,
        });
        assert!(counted, "{}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn streams_and_actions_that_land_on_another_shard_work() {
    for shards in SHARDS {
        // Given so many pages that, with a new connection for each request, hardly one has all of
        // its requests land on its own shard.
        let server = probe_with(shards);
        for n in 0..24 {
            let page = Page::open(&server.client(), "/");
            let mut stream = page.stream();
            // When its stream and its action come through other connections, then they work.
            click(&page, "add", json!([]));
            stream.until(|event| sets(event, "count", 1));
            // Also with the stream closed and opened again.
            if n % 4 == 0 {
                drop(stream);
                click(&page, "add", json!([]));
                page.reopen(None).until(|event| sets(event, "count", 2));
            }
        }
    }
}

#[test]
fn pages_are_spread_evenly_also_over_few_connections() {
    const PAGES: usize = 1000;
    const CONNECTIONS: usize = 4;
    for shards in [2, 5] {
        // Given four connections of a proxy, when a thousand pages are opened over them,
        let server = probe_with(shards);
        let port = server.port();
        let threads: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                std::thread::spawn(move || {
                    let client = Client::without_cookies(port);
                    let pages = (0..PAGES / CONNECTIONS).map(|_| shard_of(&client.get("/")));
                    pages.collect::<Vec<u16>>()
                })
            })
            .collect();
        let mut count = vec![0_usize; shards];
        for shard in threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
        {
            count[usize::from(shard)] += 1;
        }
        // then each shard has its share, give or take a fifth.
        let share = PAGES / shards;
        for pages in &count {
            assert!(
                pages.abs_diff(share) * 5 <= share,
                "{share} pages each were due: {count:?}"
            );
        }
    }
}

#[test]
fn a_broadcast_crosses_shards_in_every_direction() {
    for shards in SHARDS {
        // Given a viewer of one room on each shard.
        let server = probe_with(shards);
        let viewers = Page::one_per_shard(server.port(), "/room/x", small(shards));
        let mut streams: Vec<_> = viewers.iter().map(Page::stream).collect();
        for (n, poster) in (1..).zip(&viewers) {
            // When somebody on this shard posts, then all see it.
            click(poster, "post", json!([format!("from {n}")]));
            for stream in &mut streams {
                stream.until(|event| shows(event, &format!("{n}: from {n}")));
            }
        }
    }
}

#[test]
fn a_wildcard_crosses_shards() {
    for shards in SHARDS {
        // Given two rooms, each with viewers on every shard.
        let server = probe_with(shards);
        let rooms = ["/room/a", "/room/b"]
            .map(|path| Page::one_per_shard(server.port(), path, small(shards)));
        let mut streams: Vec<_> = rooms.iter().flatten().map(Page::stream).collect();
        for (n, poster) in (1..).zip(&rooms[0]) {
            // When all rooms are broadcast from this shard, then every viewer sees what is new.
            click(poster, "wild", json!(["everywhere"]));
            for stream in &mut streams {
                stream.until(|event| shows(event, &format!("{n}: everywhere")));
            }
        }
    }
}

#[test]
fn a_storm_of_broadcasts_ends_in_the_last_state() {
    const CLICKS: usize = 100;
    const EACH: usize = 100;
    for shards in SHARDS {
        // Given viewers on each shard.
        let server = probe_with(shards);
        let viewers = Page::one_per_shard(server.port(), "/room/storm", small(shards));
        let mut streams: Vec<_> = viewers.iter().map(Page::stream).collect();
        let renders = || -> u64 {
            (0..shards)
                .map(|shard| noted(&server, &format!("render room storm on {shard}")))
                .sum()
        };
        let before = renders();
        // When the room is broadcast 10,000 times, from all shards,
        for n in 0..CLICKS {
            click(&viewers[n % shards], "storm", json!([EACH]));
        }
        // then each viewer ends with the last state,
        let last = format!("{}: {}", CLICKS * EACH, EACH - 1);
        for stream in &mut streams {
            stream.until(|event| shows(event, &last));
        }
        // and was rendered for far less often than it was broadcast.
        let renders = renders() - before;
        assert!(
            renders >= shards as u64,
            "each shard rendered the last state"
        );
        assert!(
            renders <= (CLICKS * EACH / 20 * shards) as u64,
            "{renders} renders of {} broadcasts on {shards} shards",
            CLICKS * EACH
        );
    }
}
