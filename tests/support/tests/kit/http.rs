//! The kit's HTTP half against a tiny origin server: framings, cookies, pages, streams.

use crate::origin::Origin;
use autovia_testkit::{Client, Frame, Page};
use serde_json::json;

#[test]
fn every_framing_gives_the_same_body_and_keep_alive_is_used() {
    let origin = Origin::start();
    let client = Client::new(origin.port);

    assert_eq!(client.get("/hello").text(), "/hello");
    assert_eq!(client.get("/chunked").text(), "abcde");
    assert_eq!(client.head("/hello").body, b"");
    let closing = client.get("/close");
    assert_eq!(closing.text(), "until the end");
    assert_eq!(
        closing.header_all("set-cookie").collect::<Vec<_>>(),
        ["a=1", "b=2"]
    );
    assert_eq!(client.get("/gone").status, 410);
    assert_eq!(
        (client.cookie("a").as_deref(), client.cookie("b").as_deref()),
        (Some("1"), Some("2"))
    );
}

#[test]
fn raw_bytes_go_out_as_they_are_and_the_end_is_seen() {
    let origin = Origin::start();
    let client = Client::without_cookies(origin.port);

    let bytes = client.raw(b"GET /close HTTP/1.1\r\nX: 1\r\n\r\n");
    assert!(bytes.ends_with(b"\r\n\r\nuntil the end"), "{bytes:?}");

    let (response, mut connection) =
        client.exchange(b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n");
    assert_eq!(response.text(), "/a");
    assert_eq!(
        connection
            .response(false)
            .expect("the second of two pipelined")
            .text(),
        "/b"
    );
    assert!(connection.still_answers());

    let (_, mut closed) = client.exchange(b"GET /close HTTP/1.1\r\n\r\n");
    assert!(!closed.still_answers());
}

#[test]
fn a_page_knows_its_context_and_clicks_as_the_shell_does() {
    let origin = Origin::start();
    let page = Page::open(&Client::new(origin.port), "/");

    assert_eq!(page.context, "c-1");
    assert_eq!(page.signals["count"], 7);
    assert_eq!(page.shard(), 3);
    assert_eq!(
        page.act("add", json!([2]), json!({ "step": 5 })).status,
        200
    );
    assert_eq!(
        page.action("add").key("x").without("Origin").send().status,
        200
    );
    assert_eq!(page.close_beacon().status, 200);

    let requests = origin.requests();
    let [_, first, second, beacon] = &requests[..] else {
        panic!("{requests:#?}")
    };
    let (head, body) = first.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("POST /_action/add HTTP/1.1\r\n"), "{head}");
    for header in [
        "Cookie: via_session_id=abc",
        "Idempotency-Key: 1",
        "Datastar-Request: true",
    ] {
        assert!(head.contains(header), "{header} is not in {head}");
    }
    assert!(
        head.contains(&format!("Origin: http://127.0.0.1:{}", origin.port)),
        "{head}"
    );
    let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(body, json!({ "via_ctx": "c-1", "_args": [2], "step": 5 }));
    assert!(
        second.contains("Idempotency-Key: x\r\n") && !second.contains("Origin"),
        "{second}"
    );
    assert!(beacon.ends_with("\r\n\r\nc-1"), "{beacon}");
}

#[test]
fn a_stream_gives_events_comments_silence_and_its_end() {
    let origin = Origin::start();
    let page = Page::open(&Client::new(origin.port), "/");
    let mut stream = page.stream();

    origin.say(": beat\n\nevent: datastar-patch-signals\nid: 5\n");
    origin.say("data: signals {\"count\":8}\n\n");
    assert_eq!(stream.next_comment(), "beat");
    let event = stream.next_event();
    assert_eq!(event.signals(), json!({ "count": 8 }));
    assert_eq!(stream.last_event_id(), Some("5"));

    let marker = "event: datastar-patch-elements\ndata: elements <p>marker</p>\n\n";
    let event = stream.assert_silent_until(|| origin.say(marker), |event| event.is_elements());
    assert_eq!(event.elements(), "<p>marker</p>");

    origin.say("data: 1\n\ndata: 2\n\ndata: 3\n\n");
    assert_eq!(stream.collect_until(|event| event.data == ["2"]).len(), 2);
    origin.end();
    assert_eq!(stream.rest().len(), 1);
    assert_eq!(stream.next_frame(), None::<Frame>);
    assert!(origin.requests()[1].contains("/_sse?datastar=%7B%22via_ctx%22%3A%22c-1%22%7D "));
}

#[test]
#[should_panic(expected = "not silent")]
fn an_event_before_the_marker_is_no_silence() {
    let origin = Origin::start();
    let mut stream = Page::open(&Client::new(origin.port), "/").stream();
    origin.say("data: unwanted\n\n");
    stream.assert_silent_until(
        || origin.say("data: marker\n\n"),
        |event| event.data == ["marker"],
    );
}
