//! The server ends under an open page and comes back: nothing typed is lost, no click in silence.

use serde_json::json;

use crate::common::wait_noted;
use crate::stage::{
    Stage, assert_calm, caret, count_loads, loads, put_caret, scroll_inside, scrolled_inside,
    wait_reloaded,
};

#[test]
fn a_killed_server_comes_back_and_what_was_typed_is_still_there() {
    let stage = Stage::probe();
    let (first, second) = stage.two("/desk");
    // Given text in every kind of field, the caret inside it, and a scrolled page,
    first.choose("#colour", "blue");
    first.type_text("#secret", "not for any storage");
    first.type_text("#long", "half a line");
    first.type_text("#text", "half a word");
    put_caret(first, "#text", 4);
    first.run("document.querySelector('#sure').click();", json!([]));
    first.run("scrollTo({ top: 700, behavior: 'instant' });", json!([]));
    scroll_inside(first);
    let before = caret(first);
    let scrolled = scrolled_inside(first);
    assert_eq!(scrolled, json!([[150, 0], [90, 210]]));
    second.type_text("#long", "two\nlines");
    put_caret(&second, "#long", 5);
    let before_second = caret(&second);
    for window in [first, &second] {
        count_loads(window);
    }
    // when the server is killed, then the page says so calmly and keeps everything,
    stage.server.kill9();
    for window in [first, &second] {
        window.wait("the banner", |window| {
            window.is_visible("#via-banner").then_some(())
        });
        assert!(
            window
                .text("#via-banner")
                .starts_with("No connection right now.")
        );
    }
    assert_eq!(first.value("#text"), "half a word");
    assert_eq!(caret(first), before);
    assert_eq!(loads(first), 0, "no reload while nobody answers");
    // What the banner covers can be scrolled to.
    let clear = "(scrollTo({ top: document.body.scrollHeight, behavior: 'instant' }),
        document.querySelector('footer').getBoundingClientRect().bottom
            <= document.querySelector('#via-banner').getBoundingClientRect().top)";
    second.wait_true(clear);
    // and when it is there again, the page is loaded once and has everything back.
    let _next = stage.restart();
    for window in [first, &second] {
        wait_reloaded(window);
    }
    assert_eq!(
        ["#text", "#long", "#secret", "#colour"].map(|css| first.value(css)),
        ["half a word", "half a line", "", "blue"]
    );
    assert_eq!(caret(first), before);
    assert_eq!(first.eval("Math.round(scrollY)"), 700);
    assert_eq!(scrolled_inside(first), scrolled);
    assert_eq!(first.eval("document.querySelector('#sure').checked"), true);
    assert_eq!(second.value("#long"), "two\nlines");
    assert_eq!(caret(&second), before_second);
    assert_calm(first);
    first.run("scrollTo({ top: 0, behavior: 'instant' });", json!([]));
    first.click("#add");
    first.wait_text("#mine", "1");
    second.wait_text("#total", "total 1");
    assert_eq!((loads(first), loads(&second)), (1, 1));
    stage.expect_errors(&["net::ERR_", "410 (Gone)"]);
}

#[test]
fn a_click_while_nobody_answers_is_never_lost_in_silence() {
    let stage = Stage::probe();
    let (first, _second) = stage.two("/desk");
    first.type_text("#text", "half a word");
    stage.server.kill9();
    first.click("#add");
    first.wait_true("document.querySelector('#add').ariaBusy === 'true'");
    let _next = stage.restart();
    // The new server knows nothing of this page: the click is told beside its button.
    wait_reloaded(first);
    first.wait_true("document.querySelectorAll('.via-note').length === 1");
    let note = first.text(".via-note[data-action='add'] span");
    assert!(note.starts_with("This click was not carried out"), "{note}");
    assert_eq!(first.value("#text"), "half a word");
    assert_eq!(first.text("#mine"), "0");
    first.click("#add");
    first.wait_text("#mine", "1");
    first.wait_true("document.querySelectorAll('.via-note').length === 0");
    stage.expect_errors(&["net::ERR_", "410 (Gone)"]);
}

#[test]
fn a_click_while_the_server_leaves_is_done_or_told() {
    // Given a server that is asked to leave while an action runs,
    let stage = Stage::probe();
    let (first, second) = stage.two("/desk");
    first.click("#slow");
    wait_noted(&stage.server, "slow at the desk", 1);
    stage.server.ask_to_stop();
    stage.server.wait_log("leaving");
    // when somebody clicks now,
    second.click("#add");
    // then the running action gets its outcome,
    first.wait_true("document.querySelector('#slow').ariaBusy === null");
    assert_eq!(first.count(".via-note"), 0, "{}", first.html());
    assert_eq!(stage.server.wait_exit().code(), Some(0));
    let _next = stage.restart();
    for window in [first, &second] {
        wait_reloaded(window);
    }
    // and the late click is told to the one who made it, and to nobody else.
    second.wait_true("document.querySelectorAll('.via-note[data-action=add]').length === 1");
    second.click("#add");
    first.wait_text("#total", "total 1");
    assert_calm(first);
    stage.expect_errors(&["net::ERR_", "410 (Gone)", "503 (Service Unavailable)"]);
}
