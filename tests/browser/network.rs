//! A network that is away: for a moment, for a while, for longer than the server waits. The time
//! itself is what is tried here, so it passes, kept by the proxy.

use std::time::Duration;

use autovia_testkit::{Key, Proxy, Window};
use serde_json::json;

use crate::away::{CUT, wait_banner, wait_tab, wait_well};
use crate::common::{noted, wait_noted};
use crate::stage::{
    Stage, assert_calm, caret, count_loads, is_marked, loads, mark, put_caret, wait_reloaded,
};

const TYPED: &str = "half a word";

/// A window behind a network of its own, with a half-typed word, and how the probe calls its page.
fn behind(stage: &Stage, window: &Window) -> (Proxy, String) {
    let proxy = Proxy::start(stage.server.port());
    window.goto(&format!("{}/desk", proxy.base_url()));
    window.wait_streaming();
    mark(window);
    window.type_text("#text", TYPED);
    put_caret(window, "#text", 4);
    let tab = wait_tab(window);
    (proxy, tab)
}

/// A click that leaves the caret where it is.
fn click(window: &Window) {
    window.run("document.querySelector('#add').click();", json!([]));
}

fn assert_untouched(window: &Window) {
    assert_eq!(window.value("#text"), TYPED);
    assert_eq!(caret(window).to_string(), r#"["text",4,4]"#);
}

#[test]
fn a_network_that_is_away_for_one_twelve_or_sixty_seconds_is_waited_for() {
    // Given a server for which sixty seconds are long, and pages with a network each,
    let stage = Stage::probe_with(&["--away-seconds", "40"]);
    stage.expect_errors(&[CUT]);
    let straight = stage.browser.window();
    straight.goto(&stage.there("/desk"));
    straight.wait_streaming();
    let windows = [(); 3].map(|()| stage.browser.new_window());
    let pages: Vec<_> = windows
        .iter()
        .map(|window| behind(&stage, window))
        .collect();
    // when each is away for a time of its own,
    for ((proxy, _), seconds) in pages.iter().zip([1, 12, 60]) {
        proxy.away_for(Duration::from_secs(seconds));
    }
    straight.click("#add");
    straight.wait_text("#total", "total 1");
    // then those who wait for longer are told so, calmly, and can type and click;
    for window in &windows[1..] {
        wait_banner(window);
        assert_untouched(window);
        click(window);
        window.wait_true("document.querySelector('#add').ariaBusy === 'true'");
    }
    for (number, (window, (proxy, tab))) in windows.iter().zip(&pages).enumerate() {
        proxy.wait_back();
        if number == 2 {
            // Whoever touches the page doesn't wait for its next try.
            window.press(Key::Escape);
        }
        wait_well(window);
        // and when it is back, each has the newest state, what was typed, and its click done once.
        assert_untouched(window);
        let mine = if number == 0 { "0" } else { "1" };
        window.wait_text("#mine", mine);
        assert!(is_marked(window), "no reload");
        let hooks = |what: &str| noted(&stage.server, &format!("{tab} {what}"));
        let parked = u64::from(number == 2);
        assert_eq!(hooks("disconnect"), parked);
        wait_noted(&stage.server, &format!("{tab} connect"), 1 + parked);
        assert_eq!(hooks("connect"), 1 + parked);
        assert_eq!(hooks("cleanup"), 0);
    }
    for window in windows.iter().chain([straight]) {
        window.wait_text("#total", "total 3");
        assert_calm(window);
    }
}

#[test]
fn a_network_that_is_away_for_longer_than_the_server_waits_costs_one_reload() {
    // Given a server that keeps absent pages for two seconds,
    let stage = Stage::probe_with(&["--away-seconds", "1", "--park-seconds", "1"]);
    stage.expect_errors(&[CUT, "410 (Gone)"]);
    let window = stage.browser.window();
    let (proxy, tab) = behind(&stage, window);
    count_loads(window);
    // when the network is away until the page is gone,
    proxy.away();
    wait_banner(window);
    click(window);
    window.wait_true("document.querySelector('#add').ariaBusy === 'true'");
    wait_noted(&stage.server, &format!("{tab} cleanup"), 1);
    // then the page still stands there as it was;
    assert_untouched(window);
    assert!(is_marked(window));
    assert_eq!(loads(window), 0);
    // and when it is back, then the page is loaded once, has what was typed, and tells what became
    // of the click.
    proxy.back();
    window.press(Key::Escape);
    wait_reloaded(window);
    window.wait_true("document.querySelectorAll('.via-note').length === 1");
    let note = window.text(".via-note[data-action='add'] span");
    assert!(note.starts_with("This click was not carried out"), "{note}");
    assert_untouched(window);
    window.click("#add");
    window.wait_text("#mine", "1");
    window.wait_text("#total", "total 1");
    window.wait_true("document.querySelectorAll('.via-note').length === 0");
    assert_eq!(loads(window), 1);
    assert_calm(window);
}
