//! `/examples/chat-room`: rooms, names, typing hints, and messages that outlive the server.

use autovia_testkit::{Key, Window};
use serde_json::json;

use crate::stage::{Stage, assert_first_html, caret, is_marked, mark, put_caret};

const ROOMS: &str = "/examples/chat-room";
const LOBBY: &str = "/examples/chat-room/room/lobby";
const RANDOM: &str = "/examples/chat-room/room/random";

const FIELD: &str = "#message-input";

fn say(window: &Window, text: &str) {
    window.type_text(FIELD, text);
    window.press(Key::Enter);
}

fn wait_messages(window: &Window, count: usize) {
    window.wait_true(&format!(
        "document.querySelectorAll('#messages li').length === {count}"
    ));
}

fn wait_badges(window: &Window, count: usize) {
    window.wait_true(&format!(
        "document.querySelectorAll('#people .badge').length === {count}"
    ));
    window.wait_text("#rooms a[aria-current] .num", &count.to_string());
}

#[test]
fn a_message_reaches_its_room_and_no_other() {
    // Given two strangers in one room, and the first one in another room too,
    let stage = Stage::showcase();
    let (first, second) = stage.two(LOBBY);
    let elsewhere = stage.browser.new_window();
    elsewhere.goto(&stage.here(RANDOM));
    let overview = stage.browser.new_window();
    overview.goto(&stage.there(ROOMS));
    for window in [&elsewhere, &overview] {
        window.wait_streaming();
    }

    assert_first_html(first, "#messages", "Nothing here yet.");
    assert_first_html(&overview, "#rooms", "#general");

    // then all see who is there, each once and oneself marked,
    for window in [first, &second] {
        wait_badges(window, 2);
        assert_eq!(window.count("#people .badge.me"), 1);
    }
    overview.wait_text("#room-lobby .num", "2");
    let name = first.text("#people .badge.me");
    assert_eq!(elsewhere.text("#people .badge.me"), name);
    assert_eq!(overview.text("#username"), second.text("#people .badge.me"));
    assert_ne!(overview.text("#username"), name);

    // and when something is written there, by Enter or by the button, those in the room read it,
    say(first, "hello <b>you</b> </script>");
    for window in [first, &second] {
        window.wait_text("#messages li p", "hello <b>you</b> </script>");
        assert_eq!(window.text("#messages li b"), name);
    }
    assert_eq!(
        (first.count(".msg.mine"), second.count(".msg.mine")),
        (1, 0)
    );
    assert_eq!(first.value(FIELD), "");
    second.type_text(FIELD, "and you");
    second.click("#send");
    wait_messages(first, 2);
    // empty lines are none,
    say(first, "   ");
    // and the other room, written to last, has its own only.
    say(&elsewhere, "elsewhere");
    wait_messages(&elsewhere, 1);
    wait_messages(first, 2);
    wait_messages(&second, 2);

    // Who leaves is no longer there.
    second.close();
    wait_badges(first, 1);
    overview.wait_text("#room-lobby .num", "1");
    overview.wait_text("#room-random .num", "1");
    assert!(is_marked(first));
    stage.assert_calm(&[first, &elsewhere, &overview]);
}

#[test]
fn who_types_is_shown_to_others_for_a_while_and_their_drafts_stay() {
    let stage = Stage::showcase();
    let (first, second) = stage.two(LOBBY);
    let name = second.text("#people .badge.me");

    // Given a half-typed line, when somebody else types and sends,
    first.type_text(FIELD, "half a line");
    put_caret(first, FIELD, 4);
    let before = caret(first);
    let typing = format!("{} is typing...", first.text("#people .badge.me"));
    second.wait_text("#typing", &typing);
    assert_eq!(first.text("#typing"), "", "nobody is told about themselves");
    second.type_text(FIELD, "quick");
    first.wait_text("#typing", &format!("{name} is typing..."));
    second.press(Key::Enter);
    wait_messages(first, 1);
    // then the hint goes with the message, and the line and its caret stay.
    first.wait_text("#typing", "");
    assert_eq!(
        (first.value(FIELD), caret(first)),
        ("half a line".to_owned(), before)
    );
    // A hint fades by itself, too.
    second.wait_text("#typing", "");
    stage.assert_calm(&[first, &second]);
}

#[test]
fn names_outlive_reloads_and_messages_the_server() {
    let stage = Stage::showcase();
    let (first, second) = stage.two(LOBBY);
    say(first, "for later");
    wait_messages(&second, 1);
    let name = first.text("#people .badge.me");

    first.reload();
    first.wait_streaming();
    assert_eq!(first.text("#people .badge.me"), name);
    assert_eq!(first.count(".msg.mine"), 1);
    // From room to room and back, by links.
    first.click("#rooms a[href$='/general']");
    first.wait_true("location.pathname.endsWith('general')");
    first.wait_streaming();
    assert_eq!(first.count("#messages li"), 0);
    first.back();
    first.wait_streaming();
    wait_messages(first, 1);
    first.wait_text("#people .badge.me", &name);
    // What a session is called is for the server alone.
    let cookies = first.cdp("Network.getCookies", &json!({}));
    let session = cookies["cookies"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|cookie| cookie["name"] == "via_session_id")
        .and_then(|cookie| cookie["value"].as_str())
        .expect("the browser has a session");
    assert_eq!(session.len(), 32);
    assert!(!first.html().contains(session));
    stage.assert_calm(&[first, &second]);

    // Given a half-typed line, when the server is restarted, then the history and the line are there.
    second.type_text(FIELD, "half a line");
    mark(&second);
    stage.server.kill9();
    let _next = stage.restart();
    second.wait_true("window.marked !== true && document.readyState === 'complete'");
    second.wait_streaming();
    wait_messages(&second, 1);
    assert_eq!(second.value(FIELD), "half a line");
    second.press(Key::Enter);
    wait_messages(&second, 2);

    stage.expect_errors(&["net::ERR_", "410 (Gone)"]);
    // A room that isn't there says so.
    second.goto(&stage.there("/examples/chat-room/room/nowhere"));
    assert!(
        second.text("#chat-room").contains("nowhere"),
        "{}",
        second.html()
    );
    assert_eq!(second.count(FIELD), 0);
}
