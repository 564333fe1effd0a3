//! Hidden tabs, lost networks, the back button: the page stays what it was, and goes on.

use autovia_testkit::{Browser, Direction, Flow, Proxy, Window};

use crate::common::{noted, wait_noted};
use crate::stage::{Stage, assert_calm, is_marked, mark};

/// What Chromium says of requests that the test itself made fail.
pub const CUT: &str = "net::ERR_";

pub fn wait_banner(window: &Window) {
    window.wait("the banner", |window| {
        window.is_visible("#via-banner").then_some(())
    });
    let words = window.text("#via-banner");
    assert!(words.starts_with("No connection right now."), "{words}");
    for loud in ["!", "rror", "ailed"] {
        assert!(!words.contains(loud), "a calm banner doesn't say {words:?}");
    }
}

pub fn wait_well(window: &Window) {
    window.wait_streaming();
    window.wait("no banner", |window| {
        (!window.is_visible("#via-banner")).then_some(())
    });
}

/// How the probe's log calls this page, once its hook has run.
pub fn wait_tab(window: &Window) -> String {
    window.wait("the page's number", |window| {
        let tab = window.try_text("#tab").filter(|tab| tab != "0")?;
        Some(format!("desk {tab}"))
    })
}

fn visible(window: &Window) -> bool {
    window.eval("document.documentElement.dataset.viaStream === 'open'") == true
}

#[test]
fn a_hidden_tab_keeps_everything_and_catches_up_when_shown() {
    let stage = Stage::probe();
    let proxy = Proxy::start(stage.server.port());
    let (first, second) = stage.two("/desk");
    first.goto_on_shard(&format!("{}/desk", proxy.base_url()), 0);
    mark(first);
    let hooks = wait_tab(first);
    first.type_text("#text", "half a word");
    first.click("#add");
    second.wait_text("#total", "total 1");

    // When it is hidden, then it holds no connection, and when shown it has what others did.
    first.hide();
    first.wait_true("document.documentElement.dataset.viaStream === 'hidden'");
    crate::common::eventually("one open stream", || {
        (stage.server.health()["connections"]["sse"] == 1).then_some(())
    });
    second.double_click_within("#add", 5);
    second.wait_text("#total", "total 3");
    assert!(!visible(first));
    first.show();
    first.wait_text("#total", "total 3");
    wait_well(first);
    first.click("#add");
    second.wait_text("#total", "total 4");
    first.wait_text("#mine", "2");

    // Many times over, whether or not the stream had time to open: still one page, one stream, no
    // hook, and never more than a few connections.
    for round in 0..45 {
        first.hide();
        first.show();
        if round % 3 == 0 {
            first.wait_streaming();
            crate::common::eventually("a stream for each page", || {
                (stage.server.health()["connections"]["sse"] == 2).then_some(())
            });
        }
    }
    wait_well(first);
    assert!(proxy.most_open() <= 6, "{} connections", proxy.most_open());
    first.click("#add");
    first.wait_text("#mine", "3");
    second.wait_text("#total", "total 5");
    assert_eq!(first.value("#text"), "half a word");
    assert!(is_marked(first), "no reload");
    crate::common::eventually("a stream for each page", || {
        (stage.server.health()["connections"]["sse"] == 2).then_some(())
    });
    assert_eq!(noted(&stage.server, &format!("{hooks} connect")), 1);
    assert_eq!(noted(&stage.server, &format!("{hooks} disconnect")), 0);
    stage.assert_calm(&[first, &second]);
    stage.browser.assert_no_console_errors();
    // The proxy ends before the page.
    stage.expect_errors(&[CUT]);
}

#[test]
fn a_tab_that_was_hidden_for_long_is_connected_again_and_one_that_is_gone_loaded_once() {
    // Given a page that is parked soon after it is hidden,
    let stage = Stage::probe_with(&["--away-seconds", "1"]);
    let (first, second) = stage.two("/desk");
    first.type_text("#text", "half a word");
    first.click("#add");
    second.wait_text("#total", "total 1");
    let hooks = wait_tab(first);
    first.hide();
    wait_noted(&stage.server, &format!("{hooks} disconnect"), 1);
    second.click("#add");
    second.wait_text("#total", "total 2");
    // when it is shown, then it is the same page, connected once more.
    first.show();
    first.wait_text("#total", "total 2");
    wait_noted(&stage.server, &format!("{hooks} connect"), 2);
    first.click("#add");
    first.wait_text("#mine", "2");
    assert_eq!(first.value("#text"), "half a word");
    assert!(is_marked(first), "no reload");
    stage.assert_calm(&[first, &second]);

    // Given one that is gone soon after it is hidden,
    let stage = Stage::probe_with(&["--away-seconds", "1", "--park-seconds", "1"]);
    let window = stage.browser.window();
    window.goto(&stage.here("/desk"));
    window.wait_streaming();
    mark(window);
    window.type_text("#text", "half a word");
    window.click("#add");
    window.wait_text("#mine", "1");
    let hooks = wait_tab(window);
    window.hide();
    wait_noted(&stage.server, &format!("{hooks} cleanup"), 1);
    // when it is shown, then it is loaded again and what was typed is there.
    window.show();
    window.wait_true("window.marked !== true && document.readyState === 'complete'");
    wait_well(window);
    assert_eq!(window.value("#text"), "half a word");
    assert_eq!(window.text("#total"), "total 1");
    window.click("#add");
    window.wait_text("#mine", "1");
    assert_calm(window);
    stage.expect_errors(&["410 (Gone)"]);
}

#[test]
fn a_network_that_goes_away_comes_back_without_a_reload() {
    let stage = Stage::probe();
    let (first, second) = stage.two("/desk");
    first.type_text("#long", "half a line");

    // When the browser is offline, then a calm banner says so, and a click waits;
    first.offline(true);
    wait_banner(first);
    first.click("#add");
    first.wait_true("document.querySelector('#add').ariaBusy === 'true'");
    second.click("#add");
    second.wait_text("#total", "total 1");
    // when the network is back, the click is carried out, once.
    first.offline(false);
    wait_well(first);
    first.wait_text("#mine", "1");
    second.wait_text("#total", "total 2");
    first.click("#add");
    first.wait_text("#mine", "2");
    first.wait_text("#total", "total 3");
    assert_eq!(first.value("#long"), "half a line");
    assert!(is_marked(first), "no reload");
    assert_calm(first);
    assert_calm(&second);
    stage.expect_errors(&[CUT]);
}

#[test]
fn connections_that_are_cut_or_fall_silent_are_made_anew() {
    // Given a page behind a network that the test rules, and heartbeats every second,
    let stage = Stage::probe_with(&["--heartbeat-seconds", "1"]);
    let proxy = Proxy::start(stage.server.port());
    let (through, straight) = (stage.browser.window(), stage.browser.new_window());
    through.goto_on_shard(&format!("http://127.0.0.1:{}/desk", proxy.port()), 0);
    straight.goto_on_shard(&stage.there("/desk"), 1);
    mark(through);
    through.type_text("#text", "half a word");

    // when everything is cut, and new connections too,
    proxy.away();
    wait_banner(through);
    straight.click("#add");
    straight.wait_text("#total", "total 1");
    proxy.back();
    // then it comes back by itself,
    wait_well(through);
    through.wait_text("#total", "total 1");

    // and also when no socket says that the network is gone.
    proxy.flow(Direction::ToClient, Flow::Hold);
    straight.click("#add");
    straight.wait_text("#total", "total 2");
    wait_banner(through);
    proxy.flow(Direction::ToClient, Flow::Pass);
    wait_well(through);
    through.wait_text("#total", "total 2");
    through.click("#add");
    through.wait_text("#mine", "1");
    straight.wait_text("#total", "total 3");
    assert_eq!(through.value("#text"), "half a word");
    assert!(is_marked(through), "no reload");
    assert_calm(through);
    stage.expect_errors(&[CUT]);
}

#[test]
fn a_page_from_the_back_forward_cache_lives_on() {
    // Given a browser that keeps pages which may not be stored, as Chrome does over TLS,
    let flag = "--enable-features=CacheControlNoStoreEnterBackForwardCache:level/restore-unless-http-only-cookie-change";
    let stage = Stage::showcase_in(Browser::start_with(&[flag]));
    let window = stage.browser.window();
    let follow = |path: &str| {
        window.click(&format!("a[href='{path}']"));
        window.wait_true(&format!("location.pathname === '{path}'"));
        window.wait_streaming();
    };
    // By links within the site: a page whose own response renews a cookie is not kept.
    window.goto(&stage.here("/"));
    let pages = [
        ("/examples/counter", "#increment", "#count"),
        ("/examples/all-scopes", "#route-increment", "#route-count"),
        ("/", "#private-add", "#private-count"),
    ];
    for (path, button, count) in pages {
        follow(path);
        mark(window);
        window.click(button);
        window.wait_text(count, "1");
        // when a link leads away, and back leads back,
        follow("/examples/game-of-life");
        window.back();
        window.wait_true("window.marked === true");
        // then it is the same page, with its values, and it works; forward too.
        wait_well(window);
        assert_eq!(window.text(count), "1", "{path}");
        window.click(button);
        window.wait_text(count, "2");
        window.forward();
        window.wait_true("location.pathname.endsWith('life')");
        wait_well(window);
    }
    stage.assert_calm(&[window]);
}
