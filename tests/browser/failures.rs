//! What the user sees of a click that failed: a note beside that button, in words for people, and
//! everything else goes on.

use autovia_testkit::{Key, Window};
use serde_json::json;

use crate::stage::{Stage, assert_calm, assert_notes_cover_nothing, is_marked};

/// A reply that is no success is an error to Chromium's console, whatever the page does about it.
pub const REFUSED: [&str; 2] = ["500 (Internal Server Error)", "422 (Unprocessable"];

pub fn wait_note(window: &Window, action: &str, text: &str) {
    let css = format!(".via-note[data-action='{action}'] span");
    window.wait(&format!("a note of {action} with {text:?}"), |window| {
        window.try_text(&css).filter(|note| note.contains(text))
    });
}

/// The note of an action stands right beside its button.
fn assert_beside(window: &Window, action: &str) {
    let script = "const [action] = arguments;
        const a = document.getElementById(action).getBoundingClientRect();
        const b = document.querySelector(`.via-note[data-action='${action}']`).getBoundingClientRect();
        const apart = (from, to) => Math.max(from.left - to.right, to.left - from.right, from.top - to.bottom, to.top - from.bottom);
        return b.top >= 0 && b.bottom <= innerHeight && apart(a, b) >= 0 && apart(a, b) < 20;";
    window.wait(&format!("the note beside #{action}"), |window| {
        (window.run(script, json!([action])) == true).then_some(())
    });
}

#[test]
fn a_failure_is_told_beside_the_button_that_was_clicked_and_to_nobody_else() {
    let stage = Stage::probe();
    let (first, second) = stage.two("/desk");
    first.type_text("#text", "half a word");

    // When actions fail, by an error, by a panic, by a wrong argument,
    first.click("#fail");
    wait_note(first, "fail", "the kettle is empty");
    assert_beside(first, "fail");
    first.click("#panic");
    wait_note(first, "panic", "");
    assert_notes_cover_nothing(first);
    first.click("#wrong");
    wait_note(first, "wrong", "");
    assert_beside(first, "fail");
    assert_notes_cover_nothing(first);
    // then each button is marked, the words are for people,
    assert_eq!(first.count("button.via-failed"), 3);
    assert!(!first.html().contains("words for the log alone"));
    stage.server.wait_log("words for the log alone");
    // the other one sees nothing of it,
    second.click("#add");
    first.wait_text("#total", "total 1");
    assert_calm(&second);
    // and neither what is half typed nor the other buttons are touched.
    assert_eq!(first.value("#text"), "half a word");
    first.click("#add");
    second.wait_text("#total", "total 2");
    assert_eq!(first.text("#mine"), "1");

    // A note stays until it is closed, by its cross or by Escape, and comes again when it fails again.
    assert_eq!(first.count(".via-note"), 3);
    first.click(".via-note[data-action='fail'] .via-close");
    assert_eq!(first.count(".via-note"), 2);
    assert_eq!(first.count("#fail.via-failed"), 0);
    for left in [1, 0] {
        first.press(Key::Escape);
        first.wait_true(&format!(
            "document.querySelectorAll('.via-note').length === {left}"
        ));
    }
    assert_eq!(first.count("button.via-failed"), 0);
    first.click("#fail");
    wait_note(first, "fail", "the kettle is empty");
    first.click("#fail");
    first.wait_true("document.querySelector('#fail').ariaBusy === null");
    assert_eq!(first.count(".via-note"), 1);
    assert!(is_marked(first));
    stage.expect_errors(&REFUSED);
}

#[test]
fn a_view_that_fails_later_leaves_a_page_that_lives() {
    let stage = Stage::probe();
    let (first, second) = stage.two("/view-fails-later");
    second.run(
        "document.querySelector('#ok').textContent = 'untouched';",
        json!([]),
    );
    let act = |name| {
        let script = "const [name] = arguments;
            const button = document.createElement('button');
            button.id = `by-${name}`;
            button.setAttribute('data-on:click', `@act('${name}')`);
            document.querySelector('#view').append(button);";
        first.run(script, json!([name]));
        first.click(&format!("#by-{name}"));
    };
    // Given a view that panics in an update, then the user who clicked is told,
    act("ok");
    first.wait_text("#ok", "1");
    act("break");
    first.wait_true("document.querySelectorAll('.via-note').length === 1");
    // values still come, and the other page is untouched.
    act("ok");
    first.wait_text("#ok", "2");
    assert!(is_marked(first) && is_marked(&second));
    assert_eq!(second.text("#ok"), "untouched");
    assert_calm(&second);
    stage.expect_errors(&REFUSED);
}
