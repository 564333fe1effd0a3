//! Clicks that are no clicks: bodies that are no JSON object, are too deep or too large, name no
//! page or somebody else's, and values of the wrong type.

use autovia_testkit::{Client, Page};
use serde_json::json;

use super::targets::{malformed_ids, unknown_ids};
use super::{Row, open};

pub fn rows(page: &Page, stranger: &Client) -> Vec<Row> {
    let origin = page.client.origin();
    let own = [("Origin", origin.as_str())];
    let id = page.context.as_str();
    let post = |body: &[u8]| page.client.encode("POST", "/_action/add", &own, body);
    let mut rows = Vec::new();
    for body in [
        "",
        " ",
        "x",
        "{",
        "}",
        "[]",
        "1",
        "null",
        "true",
        "\"via_ctx\"",
        "{}",
        "{\"via_ctx\"}",
        "{\"via_ctx\":}",
        "{via_ctx:\"a\"}",
        "{'via_ctx':'a'}",
        "{\"via_ctx\":\"a\",}",
        "{\"via_ctx\":\"a\"}{}",
        "{\"via_ctx\":\"a\"} x",
        "{\"via_ctx\":\"a\" /* c */}",
        "\u{feff}{\"via_ctx\":\"a\"}",
        "{\"via_ctx\":\"\\x\"}",
        "{\"via_ctx\":\"\\ud800\"}",
        "{\"via_ctx\":\"a\nb\"}",
        "{\"via_ctx\":1}",
        "{\"via_ctx\":null}",
        "{\"via_ctx\":[\"a\"]}",
        "{\"via_ctx\":{\"a\":1}}",
        "{\"via_ctx\":\"a\",\"via_ctx\":\"a\"}",
        "{\"step\":1,\"step\":2,\"via_ctx\":\"a\"}",
        "{\"step\":NaN,\"via_ctx\":\"a\"}",
        "{\"step\":01,\"via_ctx\":\"a\"}",
        "{\"step\":Infinity,\"via_ctx\":\"a\"}",
        "via_ctx=a&step=1",
        "--x\r\nContent-Disposition: form-data; name=\"via_ctx\"\r\n\r\na\r\n--x--\r\n",
        "<via_ctx>a</via_ctx>",
    ] {
        rows.push(open(format!("body {body:?}"), post(body.as_bytes()), 400));
    }
    rows.push(open(
        "a body that is no UTF-8",
        post(b"{\"via_ctx\":\"\xff\"}"),
        400,
    ));
    for args in ["{}", "1", "\"a\"", "null", "true"] {
        let body = format!("{{\"via_ctx\":\"{id}\",\"_args\":{args}}}");
        rows.push(open(
            format!("arguments {args}"),
            post(body.as_bytes()),
            400,
        ));
    }
    for depth in [32, 1000, 60_000] {
        for (opening, closing) in [("[", "]"), ("{\"a\":", "}")] {
            let depth = depth.min(60_000 / opening.len());
            let inner = if opening == "[" { "" } else { "1" };
            let nested = format!(
                "{}{inner}{}",
                opening.repeat(depth),
                closing.repeat(depth.min(600))
            );
            let body = format!("{{\"via_ctx\":\"{id}\",\"step\":{nested}}}");
            let what = format!("{depth} of {opening} in each other");
            rows.push(open(what, post(body.as_bytes()), 400));
        }
    }
    let large = json!({"via_ctx": id, "step": 1, "x": "a".repeat(65 * 1024)}).to_string();
    rows.push(open("values of 65 KiB", post(large.as_bytes()), 413));
    let many: String = (0..8000).map(|n| format!("\"i{n}\":1,")).collect();
    let many = format!("{{{many}\"via_ctx\":\"{id}\"}}");
    rows.push(open("8,000 values", post(many.as_bytes()), 413));

    let act = |id: &str| page.action("add").inputs(json!({"via_ctx": id})).bytes();
    for (what, id) in malformed_ids(page) {
        rows.push(open(format!("click: {what}"), act(&id), 400));
    }
    for (what, id) in unknown_ids(page) {
        rows.push(open(format!("click: {what}"), act(&id), 410));
    }
    let body = json!({ "via_ctx": id }).to_string();
    let stolen = stranger.encode("POST", "/_action/add", &own, body.as_bytes());
    rows.push(open("a stranger's click", stolen, 410));
    let no_session = page
        .action("add")
        .header("Cookie", "via_session_id=mine")
        .bytes();
    rows.push(open("a click with a forged session", no_session, 410));

    let foreign = page.action("add").header("Origin", "http://evil.example");
    rows.push(open("a foreign origin's click", foreign.bytes(), 403));
    rows.push(open(
        "a click without an origin",
        page.action("add").without("Origin").bytes(),
        403,
    ));
    let close = page
        .client
        .encode("POST", "/_session/close", &[], id.as_bytes());
    rows.push(open("a close without an origin", close, 403));

    for name in ["no-such", "", "add/x", "Add", "%61dd", "add%20", "take"] {
        let click = page.action(name).bytes();
        rows.push(open(format!("the action {name:?}"), click, 404));
    }
    for key in ["x", "-1", "1.5", "18446744073709551616", "+1", "1,2"] {
        let click = page.action("add").key(key).bytes();
        rows.push(open(format!("the key {key}"), click, 400));
    }
    for step in [
        json!("x"),
        json!(""),
        json!(1.5),
        json!(1e300),
        json!([1]),
        json!({"a": 1}),
        json!(null),
        json!(true),
        json!(u64::MAX),
        json!("9223372036854775808"),
    ] {
        let click = page.action("add").inputs(json!({ "step": step })).bytes();
        rows.push(open(format!("a step of {step}"), click, 422));
    }
    rows
}
