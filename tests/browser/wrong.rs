//! `/examples/failures`: each thing that goes wrong there, what its user sees, and that all else
//! goes on; pages that can't be shown, in the site's dress.

use autovia_testkit::{Key, Window};
use serde_json::json;

use crate::common::eventually;
use crate::failures::{REFUSED, wait_note};
use crate::stage::{
    Stage, assert_calm, assert_fits, assert_notes_cover_nothing, assert_touchable, is_marked,
    values, watch_values,
};

const PATH: &str = "/examples/failures";
const OUR_FAULT: &str = "the server had a problem with it";

fn click(window: &Window, id: &str) {
    let middle = "document.getElementById(arguments[0]).scrollIntoView({ block: 'center', behavior: 'instant' });";
    window.run(middle, json!([id]));
    window.click(&format!("#{id}"));
}

/// A note that is about the page and not about a click.
fn wait_page_note(window: &Window, text: &str) {
    window.wait(text, |window| {
        let notes = window.eval("[...document.querySelectorAll('.via-note:not([data-action])')].map((it) => it.textContent)");
        let notes = notes.as_array().cloned().unwrap_or_default();
        let found = notes.iter().any(|it| it.as_str().is_some_and(|it| it.contains(text)));
        found.then_some(())
    });
}

#[test]
fn each_thing_that_goes_wrong_has_one_user_and_one_place() {
    let stage = Stage::showcase();
    stage.expect_errors(&REFUSED);
    let (first, second) = stage.two(PATH);
    second.be_a_phone();

    for window in [first, &second] {
        // An action of three seconds: its button waits, and the others don't.
        watch_values(
            window,
            "[document.querySelector('#count').textContent, document.querySelector('#slow').ariaBusy]",
        );
        let script =
            "for (const id of ['slow', 'works', 'works']) document.getElementById(id).click();";
        window.run(script, json!([]));
        window.wait_text("#count", "3");
        window.wait_true("document.querySelector('#slow').ariaBusy === null");
        assert!(
            values(window).contains(&json!(["2", "true"])),
            "{:?}",
            values(window)
        );

        // One that fails says why; one that panics says that it is not the user's fault.
        click(window, "fails");
        wait_note(window, "fails", "The kettle is empty.");
        assert_notes_cover_nothing(window);
        click(window, "panics");
        wait_note(window, "panics", OUR_FAULT);
        assert!(!window.html().contains("index out of bounds"));

        // A wrong type is named, what was typed stays, and the note goes when it is right.
        click(window, "typed");
        wait_note(window, "typed", "“seven” is no whole number.");
        assert_notes_cover_nothing(window);
        assert_eq!(window.value("#number"), "seven");
        assert_eq!(window.text("#count"), "3");
        window.clear("#number");
        window.type_text("#number", "7");
        click(window, "typed");
        window.wait_text("#count", "7");
        window.wait_true("document.querySelectorAll('.via-note[data-action=typed]').length === 0");

        // A view that fails leaves what is shown.
        click(window, "break-view");
        wait_page_note(
            window,
            "A part of this page could not be brought up to date.",
        );
        assert_eq!(window.text("#part"), "This part is well.");
        // So does data that can't be loaded, until it can be loaded again.
        let runs = window.text("#runs");
        click(window, "fail");
        wait_page_note(window, "New data could not be loaded.");
        assert_eq!(window.text("#runs"), runs);
        assert_notes_cover_nothing(window);
        click(window, "mend");
        click(window, "again");
        window.wait(&format!("more than {runs} loads"), |window| {
            (window.text("#runs") != runs).then_some(())
        });
        assert_eq!(window.count(".via-note"), 4);

        // All else works, and nothing is wider than the screen.
        click(window, "works");
        window.wait_text("#count", "8");
        assert_fits(window);
        assert_touchable(window);
        for left in (0..4).rev() {
            window.press(Key::Escape);
            window.wait_true(&format!(
                "document.querySelectorAll('.via-note').length === {left}"
            ));
        }
        assert_eq!(window.count(".via-failed"), 0);
        assert!(is_marked(window));
        assert_calm(window);
        // The other one has seen nothing of it so far.
        if window.url() == first.url() {
            assert_eq!(second.text("#count"), "0");
            assert_calm(&second);
        }
    }
    stage.server.wait_log("index out of bounds");
    stage
        .server
        .wait_log("this part of the page can't be shown");
    stage.server.wait_log("the source of the data is away");
    stage.assert_calm(&[first, &second]);
}

#[test]
fn pages_that_cannot_be_shown_are_in_the_sites_dress() {
    // Given a server that holds one page,
    let stage = Stage::showcase_with(&[
        "--contexts-max",
        "1",
        "--away-seconds",
        "1",
        "--park-seconds",
        "0",
    ]);
    stage.expect_errors(&["404 (Not Found)", "503 (Service Unavailable)"]);
    let (first, phone) = (stage.browser.window(), stage.browser.new_window());
    first.goto(&stage.here("/examples/counter"));
    first.wait_streaming();
    phone.be_a_phone();
    // when somebody asks for what isn't there, or for one page too many,
    for (path, heading) in [
        ("/nowhere", "This road goes nowhere."),
        ("/", "This page could not be made."),
    ] {
        phone.goto(&stage.there(path));
        assert_eq!(phone.text("h1"), heading);
        // then it is told so in the site's dress, without scripts, and with a way on.
        assert_eq!(phone.count(".sign"), 1);
        assert_eq!(phone.count("script"), 0);
        assert_fits(&phone);
        assert_touchable(&phone);
    }
    first.goto("about:blank");
    eventually("room for a page", || {
        (stage.server.health()["connections"]["contexts"] == 0).then_some(())
    });
    phone.click("main a.button");
    phone.wait_streaming();
    assert_eq!(phone.count(".sign"), 0);
}
