//! Streams by HTTP/2 beside other options: descriptor tables of each shard's own, and compression.

use autovia_testkit::Page;
use serde_json::{Value, json};

use crate::raw::Session;
use crate::{read_until, stage, start};

#[test]
fn one_connection_has_streams_of_every_shard_though_each_has_its_own_descriptors() {
    for shards in [2, 5] {
        let stage = stage(shards.into(), &["--descriptor-tables", "per-shard"]);
        stage.server.wait_log("descriptor_tables=\"per-shard\"");
        // Given a page on each shard,
        let pages: Vec<Page> = (0..shards)
            .map(|shard| Page::open_on(&stage.client.stranger(), "/", shard))
            .collect();
        // and connections, accepted on whatever shard, with two streams of each page,
        let mut sessions: Vec<_> = (0..4).map(|_| Session::open(&stage)).collect();
        let opened = sessions.iter_mut().map(|session| {
            let twice = pages.iter().chain(&pages);
            twice.map(|page| session.stream(page)).collect::<Vec<_>>()
        });
        let opened: Vec<Vec<u32>> = opened.collect();
        for count in 1..=3 {
            // when each page is clicked,
            for page in &pages {
                assert_eq!(page.act("add", json!([]), Value::Null).status, 200);
            }
            // then each stream tells it.
            for (session, streams) in sessions.iter_mut().zip(&opened) {
                for &stream in streams {
                    session.wait(stream, &format!("\"count\":{count}"));
                }
            }
        }
        drop(sessions);
        stage.assert_well();
    }
}

#[test]
fn compressed_events_go_by_http_2_to_who_takes_them_and_plain_ones_to_others() {
    for shards in [2, 5] {
        let stage = stage(shards.into(), &["--compress-streams"]);
        for shard in 0..shards {
            // Given a page of some shard, and streams that take gzip and one that doesn't,
            let page = Page::open_on(&stage.client, "/", shard);
            let compressed = ["--compressed", "--header", "accept-encoding: gzip"];
            let mut streams: Vec<_> = [&compressed[..], &compressed, &[]]
                .into_iter()
                .map(|arguments| start(stage.curl(&page, arguments, &page.stream_path())))
                .collect();
            for (number, (_, lines)) in streams.iter_mut().enumerate() {
                read_until(lines, "HTTP/2 200");
                let head = read_head(lines);
                let told = head.contains("content-encoding: gzip");
                assert_eq!(told, number < 2, "{head}");
            }
            // when it is clicked, then each tells it.
            for count in 1..=3 {
                assert_eq!(page.act("add", json!([]), Value::Null).status, 200);
                for (_, lines) in &mut streams {
                    read_until(lines, &format!("\"count\":{count}"));
                }
            }
            for (mut child, _) in streams {
                child.kill().expect("it runs");
                child.wait().expect("it ends");
            }
        }
        stage.assert_well();
    }
}

/// The rest of a head.
fn read_head(lines: &mut impl std::io::BufRead) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let count = lines.read_line(&mut head).expect("it is text");
        assert!(count > 0, "it ended within its head: {head}");
    }
    head
}
