//! One click, one effect, whatever the network does; and what a click takes out of a field.

use autovia_testkit::Proxy;
use serde_json::json;

use crate::stage::{Stage, click_many, is_marked, mark};

#[test]
fn a_reply_that_is_cut_five_times_makes_one_effect() {
    let stage = Stage::probe();
    let proxy = Proxy::start(stage.server.port());
    let (through, straight) = (stage.browser.window(), stage.browser.new_window());
    through.goto_on_shard(&format!("http://127.0.0.1:{}/desk", proxy.port()), 0);
    straight.goto_on_shard(&stage.there("/desk"), 1);
    mark(through);

    proxy.cut_replies_to("POST /_action/add", 5);
    through.click("#add");
    through.wait("five cut replies", |_| {
        (proxy.reply_cuts_left() == 0).then_some(())
    });
    through.wait_true("document.querySelector('#add').ariaBusy === null");
    through.wait_text("#mine", "1");
    // A later click shows that nothing was counted twice.
    through.click("#add");
    through.wait_text("#mine", "2");
    straight.wait_text("#total", "total 2");
    assert!(is_marked(through));
    stage.expect_errors(&["net::ERR_"]);
}

#[test]
fn quick_clicks_on_both_sides_add_up() {
    let stage = Stage::probe();
    let (first, second) = stage.two("/desk");
    first.double_click_within("#add", 5);
    second.double_click_within("#add", 0);
    click_many(first, "#add", 20);
    click_many(&second, "#add", 20);
    for window in [first, &second] {
        window.wait_text("#mine", "22");
        window.wait_text("#total", "total 44");
    }
    stage.assert_calm(&[first, &second]);
}

#[test]
fn a_click_that_takes_a_draft_clears_what_it_took_and_nothing_newer() {
    let stage = Stage::probe();
    let (first, second) = stage.two("/take");
    for window in [first, &second] {
        window.type_text("#draft", "hello");
        window.click("#send");
        window.wait_text("#sent", "hello");
        window.wait_true("document.querySelector('#draft').value === ''");

        // Typed on since the click: in the same turn, so that no reply can be faster.
        window.type_text("#draft", "first");
        let script = "document.querySelector('#send').click();
            const draft = document.querySelector('#draft');
            draft.value += ' and more';
            draft.dispatchEvent(new Event('input', { bubbles: true }));";
        window.run(script, json!([]));
        window.wait_text("#sent", "first");
        assert_eq!(window.value("#draft"), "first and more");
        window.click("#send");
        window.wait_text("#sent", "first and more");
        window.wait_true("document.querySelector('#draft').value === ''");
        // A field that the server fills on purpose is filled.
        window.click("#fill");
        window.wait_true("document.querySelector('#draft').value === 'filled'");
    }
    assert!(is_marked(first) && is_marked(&second));
    stage.assert_calm(&[first, &second]);
}

#[test]
fn what_a_page_keeps_to_itself_is_in_no_request() {
    // Given a page with a value of the browser's own (`_cursor`) and a shared one (`colour`),
    let stage = Stage::showcase();
    let (first, second) = stage.two("/examples/game-of-life");
    let watch = "window.sent = [];
        const real = window.fetch;
        window.fetch = (url, options) => {
            window.sent.push(`${decodeURIComponent(url)} ${options?.body ?? ''}`);
            return real(url, options);
        };";
    first.run(watch, json!([]));
    // when it clicks and opens its stream again,
    first.click("#life-reset");
    second.wait_text("#alive", "0");
    first.run("document.querySelector('#hit').click();", json!([]));
    second.wait_true("Number(document.querySelector('#generation').textContent) > 0");
    first.hide();
    first.show();
    first.wait_streaming();
    // then a click sends its arguments and which page it is, the stream the latter alone.
    let sent: Vec<String> =
        serde_json::from_value(first.eval("window.sent")).expect("requests are texts");
    let [reset, tap, stream] = &sent[..] else {
        panic!("two clicks and a stream, not {sent:?}");
    };
    let ctx = reset
        .split_once(r#""via_ctx":""#)
        .and_then(|(_, rest)| rest.split_once('"'))
        .map(|(ctx, _)| ctx)
        .expect("a click says which page it is from");
    let ends = |text: &str, end: &str| assert!(text.ends_with(end), "{text}");
    ends(
        reset,
        &format!(r#"/_action/reset {{"via_ctx":"{ctx}","_args":[]}}"#),
    );
    ends(
        tap,
        &format!(r#"/_action/tapCell {{"via_ctx":"{ctx}","_args":[1224]}}"#),
    );
    ends(stream, &format!(r#"/_sse?datastar={{"via_ctx":"{ctx}"}} "#));
    stage.assert_calm(&[first, &second]);
}
