//! A page that the server no longer holds, and one that gets no more: no loop of reloads, no click
//! in silence, nothing typed lost.

use autovia_testkit::Window;
use serde_json::json;

use crate::away::wait_tab;
use crate::common::wait_noted;
use crate::stage::{
    Stage, assert_calm, count_loads, is_marked, loads, mark, on_each_load, wait_reloaded,
};

/// A server that keeps absent pages for two seconds, and a page on it.
fn short_lived() -> Stage {
    let stage = Stage::probe_with(&["--away-seconds", "1", "--park-seconds", "1"]);
    stage.expect_errors(&["410 (Gone)"]);
    let window = stage.browser.window();
    window.goto(&stage.here("/desk"));
    window.wait_streaming();
    stage
}

/// Hides a page until the server has let it go.
fn outlive(stage: &Stage, window: &Window) {
    mark(window);
    let tab = wait_tab(window);
    window.hide();
    wait_noted(&stage.server, &format!("{tab} cleanup"), 1);
}

fn wait_note(window: &Window) {
    let css = ".via-note[data-action='add'] span";
    window.wait("a note of the click", |window| {
        let note = window.try_text(css)?;
        note.starts_with("This click was not carried out")
            .then_some(())
    });
}

#[test]
fn a_click_on_a_page_that_is_gone_is_told_after_the_reload() {
    let stage = short_lived();
    let window = stage.browser.window();
    count_loads(window);
    window.type_text("#text", "half a word");
    // Given a page that is gone, when its button is clicked before its stream has asked,
    outlive(&stage, window);
    window.run("document.querySelector('#add').click();", json!([]));
    // then it is loaded once, keeps what was typed and says that the click was not carried out.
    window.wait_true("window.marked !== true && document.readyState === 'complete'");
    window.show();
    wait_reloaded(window);
    wait_note(window);
    assert_eq!(window.value("#text"), "half a word");
    assert_eq!(window.text("#mine"), "0");
    window.click("#add");
    window.wait_text("#mine", "1");
    window.wait_true("document.querySelectorAll('.via-note').length === 0");
    assert_eq!(loads(window), 1);
    assert_calm(window);
}

#[test]
fn a_page_loads_itself_at_most_once_in_ten_seconds_and_then_asks() {
    // Given a page on whose clock no time passes,
    let stage = short_lived();
    let window = stage.browser.window();
    let clock = "Date.now = () => 1.8e12 + Number(sessionStorage.later || 0);";
    on_each_load(window, clock);
    window.reload();
    window.wait_streaming();
    count_loads(window);
    window.type_text("#text", "half a word");
    // when it is gone, then it loads itself;
    outlive(&stage, window);
    window.show();
    wait_reloaded(window);
    assert_eq!(window.value("#text"), "half a word");
    // when it is gone again at once, then it asks,
    outlive(&stage, window);
    window.show();
    window.wait("the banner", |window| {
        window.is_visible("#via-banner").then_some(())
    });
    let words = window.text("#via-banner");
    assert!(
        words.starts_with("The server no longer knows this page."),
        "{words}"
    );
    // keeps everything, and tells of a click that it was not carried out.
    window.click("#add");
    wait_note(window);
    assert_eq!(window.value("#text"), "half a word");
    assert!(is_marked(window));
    assert_eq!(loads(window), 1);
    // The user loads it.
    window.click("#via-banner button");
    wait_reloaded(window);
    assert_eq!(window.value("#text"), "half a word");
    assert_eq!(loads(window), 2);
    // Ten seconds later it may load itself again.
    window.run("sessionStorage.later = 10_001;", json!([]));
    outlive(&stage, window);
    window.show();
    wait_reloaded(window);
    assert_eq!(window.value("#text"), "half a word");
    window.click("#add");
    window.wait_text("#mine", "1");
    assert_eq!(loads(window), 3);
    assert_calm(window);
}

#[test]
fn a_stream_that_ends_for_good_is_not_asked_for_again() {
    // Given a page whose stream is answered 204 when it comes back,
    let stage = Stage::probe();
    let (first, second) = stage.two("/desk");
    let answer = "window.asked = 0;
        const real = window.fetch;
        window.fetch = (url, options) => {
            if (!String(url).includes('/_sse')) return real(url, options);
            window.asked += 1;
            return Promise.resolve(new Response(null, { status: 204 }));
        };";
    first.run(answer, json!([]));
    first.type_text("#text", "half a word");
    first.hide();
    first.show();
    // then it says so,
    first.wait("the banner", |window| {
        window.is_visible("#via-banner").then_some(())
    });
    let words = first.text("#via-banner");
    assert!(
        words.starts_with("This page gets no more updates."),
        "{words}"
    );
    // asks no more, whatever happens to it,
    first.hide();
    first.show();
    first.run(
        "for (const it of ['online', 'pointerdown', 'keydown']) dispatchEvent(new Event(it));",
        json!([]),
    );
    // still sends clicks, and offers to load the page.
    first.click("#add");
    second.wait_text("#total", "total 1");
    first.wait_true("document.querySelector('#add').ariaBusy === null");
    assert_eq!(first.eval("window.asked"), 1);
    assert!(is_marked(first));
    first.click("#via-banner button");
    wait_reloaded(first);
    first.wait_text("#total", "total 1");
    assert_eq!(first.value("#text"), "half a word");
    stage.assert_calm(&[first, &second]);
}
