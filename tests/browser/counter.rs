//! `/examples/counter`: values of one tab, and clicks of which each counts once.

use autovia_testkit::Window;

use crate::stage::{Stage, assert_first_html, click_many, events, is_marked, watch_events};

const PATH: &str = "/examples/counter";

fn add_and_subtract(window: &Window) {
    for button in ["#increment", "#increment", "#decrement"] {
        window.click(button);
    }
    window.wait_text("#count", "1");
}

#[test]
fn a_value_stays_in_its_tab() {
    // Given two strangers, and a second tab of the first one,
    let stage = Stage::showcase();
    let (first, second) = stage.two(PATH);
    assert_first_html(first, "#count", "0");
    let copy = stage.browser.duplicate(first);
    copy.wait_streaming();

    // when one clicks, then only this tab counts, by values alone;
    watch_events(first);
    add_and_subtract(first);
    assert!(
        events(first)
            .iter()
            .all(|(event, _)| event == "datastar-patch-signals"),
        "{:?}",
        events(first)
    );
    for other in [&second, &copy] {
        assert_eq!(other.text("#count"), "0");
    }
    // the step of one's own decides;
    first.clear("#step");
    first.type_text("#step", "5");
    first.click("#increment");
    first.wait_text("#count", "6");
    first.click("#reset");
    first.wait_text("#count", "0");
    first.click("#decrement");
    first.wait_text("#count", "-5");
    // and the others work as well, each with a count of its own.
    add_and_subtract(&second);
    copy.click("#decrement");
    copy.wait_text("#count", "-1");
    assert_eq!(first.text("#count"), "-5");
    assert!(is_marked(first) && is_marked(&second));

    // A page that is loaded again begins anew, and so does one that is come back to.
    first.reload();
    first.wait_text("#count", "0");
    first.wait_streaming();
    add_and_subtract(first);
    first.click("a.brand");
    first.wait_true("location.pathname === '/'");
    first.back();
    first.wait_streaming();
    first.click("#reset");
    first.wait_text("#count", "0");
    add_and_subtract(first);
    first.forward();
    first.wait_true("location.pathname === '/'");
    first.wait_streaming();
    stage.assert_calm(&[first, &second, &copy]);
}

#[test]
fn each_click_counts_once_however_fast_they_come() {
    let stage = Stage::showcase();
    let (first, second) = stage.two(PATH);
    for window in [first, &second] {
        window.double_click_within("#increment", 0);
        window.wait_text("#count", "2");
        window.double_click_within("#increment", 5);
        window.wait_text("#count", "4");
        window.double_click_within("#increment", 10);
        window.wait_text("#count", "6");
        click_many(window, "#increment", 10);
        window.wait_text("#count", "16");
        // A later click shows that none was counted late.
        window.click("#increment");
        window.wait_text("#count", "17");
    }
    stage.assert_calm(&[first, &second]);
}
