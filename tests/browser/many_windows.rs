//! Duplicated and restored tabs, a phone, the dark: the same pages elsewhere.

use crate::stage::{Stage, assert_fits, assert_notes_cover_nothing, assert_touchable};

const PAGES: [&str; 11] = [
    "/",
    "/examples/counter",
    "/examples/chat-room",
    "/examples/chat-room/room/lobby",
    "/examples/stock-ticker",
    "/examples/stock-ticker/stock/AAPL",
    "/examples/game-of-life",
    "/examples/all-scopes",
    "/examples/all-scopes/page-a",
    "/examples/all-scopes/page-b",
    "/examples/failures",
];

#[test]
fn a_duplicated_tab_is_a_page_of_its_own_with_the_same_session() {
    let stage = Stage::showcase();
    let (first, second) = stage.two("/");
    first.click("#private-add");
    first.wait_text("#private-count", "1");
    let copy = stage.browser.duplicate(first);
    copy.wait_streaming();
    assert_eq!(copy.text("#private-count"), "0");
    assert_eq!(copy.text("#me"), first.text("#me"));
    // Both have clicks number 1: each counts in its own page.
    copy.click("#private-add");
    copy.wait_text("#private-count", "1");
    first.click("#private-add");
    first.wait_text("#private-count", "2");
    for window in [first, &second, &copy] {
        window.click("#shared-add");
    }
    for window in [first, &second, &copy] {
        window.wait_text("#shared-count", "3");
    }
    assert_eq!(copy.text("#private-count"), "1");
    stage.assert_calm(&[first, &second, &copy]);
}

#[test]
fn tabs_that_are_restored_at_once_end_in_one_session() {
    // Given a browser without any cookie, when several pages are opened at the same time,
    let stage = Stage::showcase();
    let others = [(); 3].map(|()| stage.browser.new_window());
    let all: Vec<_> = [stage.browser.window()]
        .into_iter()
        .chain(&others)
        .collect();
    for window in &all {
        window.begin_goto(&stage.here("/"));
    }
    // then none is dead, and all have one name.
    for window in &all {
        window.wait_true("location.pathname === '/' && document.readyState === 'complete'");
        window.wait_streaming();
    }
    let me = all[0].wait("one name in all windows", |window| {
        let me = window.try_text("#me")?;
        let same = all
            .iter()
            .all(|other| other.try_text("#me").as_ref() == Some(&me));
        same.then_some(me)
    });
    for (clicks, window) in (1..).zip(&all) {
        window.wait_streaming();
        window.click("#shared-add");
        window.wait_text("#shared-count", &clicks.to_string());
        window.wait_text("#last-clicker", &me);
    }
    stage.expect_errors(&["410 (Gone)"]);
}

#[test]
fn every_page_fits_a_phone_and_a_wide_screen_in_light_and_dark() {
    let stage = Stage::showcase();
    let (phone, desktop) = (stage.browser.window(), stage.browser.new_window());
    phone.be_a_phone();
    phone.prefer_dark(true);
    desktop.set_size(1440, 900);
    let background = "getComputedStyle(document.body).backgroundColor + getComputedStyle(document.documentElement).backgroundColor";
    for path in PAGES {
        phone.goto(&stage.there(path));
        desktop.goto(&stage.here(path));
        for window in [phone, &desktop] {
            window.wait_streaming();
            assert_fits(window);
        }
        assert_touchable(phone);
        assert_ne!(phone.eval(background), desktop.eval(background), "{path}");
    }
    // A finger works as well as a mouse.
    phone.goto(&stage.there("/"));
    desktop.goto(&stage.here("/"));
    phone.click("#shared-add");
    desktop.wait_text("#shared-count", "1");
    desktop.click("#shared-add");
    phone.wait_text("#shared-count", "2");
    // The switch between light and dark is kept over a reload.
    let light = desktop.eval(background);
    desktop.click("[data-via-theme]");
    let dark = desktop.eval(background);
    assert_ne!(light, dark);
    desktop.reload();
    desktop.wait_streaming();
    assert_eq!(desktop.eval(background), dark);
    stage.assert_calm(&[phone, &desktop]);
}

#[test]
fn the_sixth_window_says_that_clicks_may_wait() {
    // Given five windows of one browser, when a sixth is opened,
    let stage = Stage::probe();
    let five = [(); 4].map(|()| stage.browser.new_window());
    let five = [stage.browser.window()].into_iter().chain(&five);
    for window in five.clone() {
        window.goto(&stage.here("/"));
        window.wait_streaming();
    }
    let sixth = stage.browser.new_window();
    sixth.goto(&stage.here("/"));
    // then it says so, where it covers nothing, and the others are calm.
    sixth.wait_true("document.querySelector('.via-note')?.textContent.includes('six connections')");
    assert_notes_cover_nothing(&sixth);
    for window in five {
        stage.assert_calm(&[window]);
    }
    sixth.click(".via-note .via-close");
    stage.assert_calm(&[&sixth]);
}
