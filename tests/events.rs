//! What travels on a stream: its headers, ids, heartbeats, what a reopened one gets, and that
//! nothing that a user types can make an event.

mod common;

use std::collections::BTreeSet;

use autovia_testkit::{Event, Page};
use common::{SHARDS, has_value, overwhelm, probe, value};
use serde_json::{Value, json};

/// Texts that would end a line, an event, or a script, if they were let.
const HOSTILE: [&str; 9] = [
    "a\rb",
    "a\nb",
    "a\r\nb",
    "x\n\nevent: datastar-patch-signals\ndata: signals {\"forged\":1}\n\n",
    "x\r\revent: datastar-patch-signals\rdata: signals {\"forged\":1}\r\r",
    "x\r\n\r\nid: 9\r\nretry: 1\r\ndata: elements <p id=\"forged\"></p>\r\n\r\n",
    "\u{feff}: comment\u{2028}\u{2029}\u{85}\u{0b}\u{0c}",
    "</script><script>window.forged = 1</script>",
    "data: \0 id: 1",
];

#[test]
fn a_stream_is_an_event_stream_that_nobody_buffers() {
    for shards in SHARDS {
        let server = probe().shards(shards).start();
        for page in Page::one_per_shard(
            server.port(),
            "/",
            u16::try_from(shards).expect("few shards"),
        ) {
            let stream = page.stream();
            let header = |name| stream.response.header(name);
            assert_eq!(header("content-type"), Some("text/event-stream"));
            assert_eq!(header("cache-control"), Some("no-cache"));
            assert_eq!(header("x-accel-buffering"), Some("no"));
            assert_eq!(header("x-content-type-options"), Some("nosniff"));
            assert_eq!(header("set-cookie"), None);
            assert_eq!(header("content-length"), None);
        }
    }
}

#[test]
fn every_event_has_an_id_of_its_own_that_grows() {
    let server = probe().shards(2).start();
    let page = Page::open(&server.client(), "/failures");
    let mut stream = page.stream();
    let mut ids = Vec::new();
    for n in 1..=20 {
        assert_eq!(page.act("ok", json!([]), json!(null)).status, 200);
        let event = stream.until(|event| has_value(event, "done"));
        assert_eq!(event.signals()["done"], n);
        let id = event.id.expect("an id");
        ids.push(id.parse::<u64>().expect("a number"));
    }
    assert!(ids.is_sorted(), "{ids:?}");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
}

#[test]
fn a_stream_that_knows_the_newest_gets_nothing_and_any_other_gets_all() {
    for shards in SHARDS {
        let server = probe().shards(shards).start();
        let page = Page::open(&server.client(), "/failures");
        // Given a first stream with nothing changed since the page, then it starts silent.
        let mut first = page.stream();
        let next = |stream: &mut autovia_testkit::Stream| {
            stream.assert_silent_until(
                || assert_eq!(page.act("ok", json!([]), json!(null)).status, 200),
                |event| has_value(event, "done"),
            )
        };
        let event = next(&mut first);
        assert_eq!(event.signals(), json!({"done": 1}));
        let newest = event.id.expect("an id");

        // One that comes back and knows the newest event is silent as well,
        drop(first);
        let mut back = page.reopen(Some(&newest));
        assert_eq!(next(&mut back).signals()["done"], 2);
        drop(back);

        // one that knows an older one, none, or nonsense is told all: elements, then values.
        for known in [
            Some(newest.as_str()),
            None,
            Some("x"),
            Some("99999999999999999999"),
        ] {
            let mut back = page.reopen(known);
            let events = back.collect_until(Event::is_signals);
            assert!(events[0].is_elements(), "{events:?}");
            assert_eq!(events.len(), 2, "{events:?}");
            assert_eq!(events[1].signals()["done"], 2);
        }
    }
}

#[test]
fn what_changed_before_the_stream_is_on_it() {
    for shards in SHARDS {
        let server = probe().shards(shards).start();
        let page = Page::open(&server.client(), "/failures");
        assert_eq!(page.act("ok", json!([]), json!(null)).status, 200);
        assert_eq!(value(&mut page.stream(), "done"), 1);
    }
}

#[test]
fn several_streams_of_one_page_all_get_it() {
    let server = probe().shards(2).start();
    let page = Page::open(&server.client(), "/failures");
    let mut streams = [(); 3].map(|()| page.stream());
    assert_eq!(page.act("ok", json!([]), json!(null)).status, 200);
    for stream in &mut streams {
        stream.until(|event| has_value(event, "done") && event.signals()["done"] == 1);
    }
    // The end of one is nothing to the others.
    let [ends, mut stays, _] = streams;
    ends.reset();
    assert_eq!(page.act("ok", json!([]), json!(null)).status, 200);
    stays.until(|event| has_value(event, "done") && event.signals()["done"] == 2);
}

#[test]
fn a_slow_reader_gets_the_last_state() {
    for shards in SHARDS {
        // Given a reader that doesn't read, however long this machine takes to send it too much,
        let server = probe()
            .shards(shards)
            .args(["--outbox-seconds", "3600"])
            .start();
        let page = Page::open(&server.client(), "/take");
        let mut stream = page.slow_stream(4096);
        // when far more is sent to it than fits anywhere, then what it reads is whole and the newest.
        let events = overwhelm(&page, &mut stream);
        events.iter().for_each(assert_sound);
    }
}

#[test]
fn an_idle_stream_gets_comments() {
    for shards in SHARDS {
        let server = probe()
            .shards(shards)
            .args(["--heartbeat-seconds", "1"])
            .start();
        let page = Page::open(&server.client(), "/");
        assert!(page.html().contains(r#"data-via-heartbeat="1""#));
        let mut stream = page.stream();
        for _ in 0..3 {
            assert_eq!(stream.next_comment(), "");
        }
    }
}

/// One event, whole, with nothing in it that is none of ours.
fn assert_sound(event: &Event) {
    assert!(
        event.is_elements() || event.is_signals(),
        "forged: {event:?}"
    );
    assert_eq!(event.unknown, Vec::<String>::new(), "{event:?}");
    assert!(event.id.is_some(), "{event:?}");
    assert_eq!(event.retry, None, "{event:?}");
}

#[test]
fn a_value_cannot_forge_an_event() {
    let server = probe().shards(2).start();
    let page = Page::open(&server.client(), "/take");
    let mut stream = page.stream();
    for text in HOSTILE {
        let inputs = json!({ "draft": text });
        let event = stream.assert_silent_until(
            || assert_eq!(page.act("send", json!([]), inputs).status, 200),
            |event| has_value(event, "sent"),
        );
        assert_sound(&event);
        assert_eq!(event.data.len(), 1, "{event:?}");
        assert_eq!(event.signals()["sent"], text);
        // The input that was taken is told with it, word by word.
        assert_eq!(event.signals()["_via_take"]["draft"]["was"], text);
    }
}

#[test]
fn elements_cannot_forge_an_event() {
    let server = probe().shards(2).start();
    let page = Page::open(&server.client(), "/room/a");
    let mut stream = page.stream();
    for text in HOSTILE {
        let event = stream.assert_silent_until(
            || assert_eq!(page.act("post", json!([text]), json!(null)).status, 200),
            Event::is_elements,
        );
        assert_sound(&event);
        let html = autovia_testkit::unescape(&event.elements());
        // Line ends become LF, as in any HTML; all else arrives as it was typed.
        let shown = text.replace("\r\n", "\n").replace('\r', "\n");
        assert!(html.contains(&shown), "{text:?} in {html:?}");
        assert_eq!(event.elements().matches("<script").count(), 0, "{html}");
    }
}

#[test]
fn a_room_with_line_ends_in_its_name_is_refused_or_harmless() {
    let server = probe().shards(2).start();
    for name in [
        "a%0Db",
        "a%0Ab",
        "a%0D%0Aevent:%20x",
        "a%0D%0A%0D%0Adata:%20x",
    ] {
        // Given a page whose room comes from its path,
        let response = server.client().get(&format!("/room/{name}"));
        assert!(
            matches!(response.status, 200 | 404 | 422 | 500),
            "{name}: {response:?}"
        );
        if response.status != 200 {
            continue;
        }
        // when somebody posts there, then there is one sound event.
        let page = Page::open(&server.client(), &format!("/room/{name}"));
        let mut stream = page.stream();
        let event = stream.assert_silent_until(
            || assert_eq!(page.act("post", json!(["x"]), json!(null)).status, 200),
            Event::is_elements,
        );
        assert_sound(&event);
    }
    // Others are served as before.
    let page = Page::open(&server.client(), "/room/a");
    assert_eq!(page.act("post", json!(["x"]), json!(null)).status, 200);
}

#[test]
fn a_failure_cannot_forge_an_event() {
    let server = probe().shards(2).start();
    let page = Page::open(&server.client(), "/failures");
    let mut stream = page.stream();
    for text in HOSTILE {
        let event = stream.assert_silent_until(
            || assert_eq!(page.act("typed", json!([text]), json!(null)).status, 422),
            |event| has_value(event, "_via_error"),
        );
        assert_sound(&event);
        assert_eq!(event.signals()["_via_error"]["action"], "typed");
    }
}

#[test]
fn a_script_runs_whole_and_is_no_markup() {
    let server = probe().shards(2).start();
    let page = Page::open(&server.client(), "/");
    let mut stream = page.stream();
    assert_eq!(page.act("script", json!([]), json!(null)).status, 200);
    let event = stream.next_event();
    assert_sound(&event);
    assert_eq!(event.argument("selector").as_deref(), Some("body"));
    assert_eq!(event.argument("mode").as_deref(), Some("append"));
    let html = event.elements();
    assert_eq!(html.matches("</script").count(), 1, "{html}");
    assert!(html.trim_end().ends_with("</script>"), "{html}");
    assert!(html.contains("window.ran = 1"), "{html}");
    assert!(html.contains("window.ran += 1"), "{html}");
}

#[test]
fn a_redirect_leads_to_addresses_only() {
    let server = probe().shards(2).start();
    let page = Page::open(&server.client(), "/");
    let mut stream = page.stream();
    assert_eq!(page.act("go", json!([]), json!(null)).status, 200);
    let html = stream.until(Event::is_elements).elements();
    assert!(html.contains("/take"), "{html}");
    // An address that would run as a script is refused, and nothing of it is sent.
    let status = page.act("wrong-redirect", json!([]), json!(null)).status;
    let event = stream.next_event();
    assert_eq!(
        (status, has_value(&event, "_via_error")),
        (500, true),
        "{event:?}"
    );
}

#[test]
fn numbers_that_a_browser_cannot_hold_travel_as_text() {
    let server = probe().shards(2).start();
    let page = Page::open(&server.client(), "/big");
    assert_eq!(page.signals["big"], Value::from(i64::MAX.to_string()));
    let mut stream = page.stream();
    let typed = json!({"typed": "9007199254740993"});
    assert_eq!(page.act("copy", json!([]), typed).status, 200);
    assert_eq!(value(&mut stream, "big"), "9007199254740993");
}
