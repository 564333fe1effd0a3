//! `/examples/all-scopes`: who a change concerns, on three pages, in two browsers, on two shards.

use crate::stage::{Stage, assert_first_html, caret, is_marked, mark, put_caret};

const START: &str = "/examples/all-scopes";
const PAGE_A: &str = "/examples/all-scopes/page-a";
const PAGE_B: &str = "/examples/all-scopes/page-b";

#[test]
fn each_scope_reaches_its_own_and_nobody_else() {
    // Given two strangers on page A, and the first one's other window on page B,
    let stage = Stage::showcase();
    let (first, stranger) = stage.two(PAGE_A);
    let other_page = stage.browser.new_window();
    other_page.goto(&stage.here(PAGE_B));
    other_page.wait_streaming();
    mark(&other_page);
    let all = [first, &stranger, &other_page];
    for window in all {
        assert_first_html(window, "#status", "Operational");
        assert_first_html(window, "#route-count", "0");
    }

    // when each scope is changed, and the widest one last, so that its change ends the wait,
    first.click("#route-increment");
    first.wait_text("#route-count", "1");
    first.click("#session-increment");
    first.wait_text("#session-count", "1");
    first.click("#room-increment");
    first.type_text("#draft", "for me");
    first.click("#update-message");
    first.wait_text("#message", "for me");
    first.click("#update-status");
    for window in all {
        window.wait_text("#visitors", "1");
        window.wait_text("#status", "Busy");
        window.wait_text("#room-count", "1");
    }
    // then the page's counter is shared by those on this path,
    stranger.wait_text("#route-count", "1");
    other_page.click("#route-increment");
    other_page.wait_text("#route-count", "1");
    // the browser's by its windows,
    other_page.wait_text("#session-count", "1");
    assert_eq!(stranger.text("#session-count"), "0");
    // and the message by nobody.
    assert_eq!(first.value("#draft"), "");
    for window in [&stranger, &other_page] {
        assert_eq!(window.text("#message"), "Nothing yet");
    }

    // Two clicks at once count twice, whoever makes them.
    first.double_click_within("#room-increment", 5);
    stranger.double_click_within("#room-increment", 0);
    for window in all {
        window.wait_text("#room-count", "5");
        assert!(is_marked(window));
    }
    stage.assert_calm(&all);
}

#[test]
fn what_is_half_typed_outlives_the_clicks_of_others_and_shared_values_outlive_a_reload() {
    let stage = Stage::showcase();
    let (first, second) = stage.two(START);

    // Given a half-typed message with the caret inside it,
    first.type_text("#draft", "half a sentence");
    put_caret(first, "#draft", 4);
    let before = caret(first);
    // when others change what this page shows, by values and by HTML,
    second.click("#route-increment");
    second.click("#update-status");
    first.wait_text("#route-count", "1");
    first.wait_text("#visitors", "1");
    // then the text and the caret are where they were.
    assert_eq!(first.value("#draft"), "half a sentence");
    assert_eq!(caret(first), before);

    first.reload();
    first.wait_streaming();
    assert_eq!(
        (first.text("#route-count"), first.text("#visitors")),
        ("1".to_owned(), "1".to_owned())
    );
    // From page to page by links, and back: every page shows what is so now.
    first.click("a[href='/examples/all-scopes/page-a']");
    first.wait_true("location.pathname.endsWith('page-a')");
    first.wait_streaming();
    assert_eq!(first.text("#route-count"), "0");
    second.click("#update-status");
    first.wait_text("#visitors", "2");
    first.back();
    first.wait_text("#visitors", "2");
    first.wait_text("#route-count", "1");
    first.wait_streaming();
    first.click("#route-increment");
    second.wait_text("#route-count", "2");
    first.forward();
    first.wait_true("location.pathname.endsWith('page-a')");
    first.wait_streaming();
    first.click("#route-increment");
    first.wait_text("#route-count", "1");
    stage.assert_calm(&[first, &second]);
}
