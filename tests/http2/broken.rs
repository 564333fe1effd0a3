//! Clients that break the rules of HTTP/2 are cut off, and others are served.

use crate::common::SHARDS;
use crate::raw::{PREFACE, frame, get};
use crate::stage;

#[test]
fn clients_that_break_its_rules_are_cut_off_and_others_are_served() {
    for shards in SHARDS {
        let stage = stage(shards, &["--header-seconds=1", "--idle-seconds=2"]);
        let settings = frame(4, 0, 0, &[]);
        let begin = [PREFACE, &settings].concat();
        let with = |more: &[u8]| [&begin, more].concat();
        let resets: Vec<u8> = (0..3000_u32)
            .flat_map(|number| {
                let stream = number * 2 + 1;
                let mut both = frame(1, 5, stream, &get());
                both.extend(frame(3, 0, stream, &[0, 0, 0, 8]));
                both
            })
            .collect();
        let rows: [(&str, Vec<u8>); 9] = [
            ("nothing", Vec::new()),
            ("half a preface", PREFACE[..10].to_vec()),
            (
                "another protocol",
                b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".to_vec(),
            ),
            ("no request", begin.clone()),
            ("data on no stream", with(&frame(0, 0, 1, b"x"))),
            (
                "a frame that is too long",
                with(&frame(0, 0, 1, &vec![0; 100_000])),
            ),
            (
                "fields that are no HPACK",
                with(&frame(1, 5, 1, &[0xff; 40])),
            ),
            (
                "a continuation without end",
                with(
                    &[
                        frame(1, 1, 1, &get()),
                        (0..200)
                            .flat_map(|_| frame(9, 0, 1, &[0x40; 1000]))
                            .collect(),
                    ]
                    .concat(),
                ),
            ),
            ("resets without end", with(&resets)),
        ];
        for (what, bytes) in rows {
            let mut connection = stage.connect(&["h2"]);
            // It may be cut off before it has said all.
            let _ = connection.write(&bytes);
            // It ends, by a goodbye or a reset: the deadline of this read is the test's.
            if let Err(error) = connection.rest() {
                let late = std::io::ErrorKind::TimedOut;
                assert_ne!(error.kind(), late, "{what}: {error}");
            }
            stage.assert_well();
        }
        assert_eq!(stage.server.terminate().code(), Some(0));
    }
}
