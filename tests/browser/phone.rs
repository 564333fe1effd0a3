//! The main flows with a finger on a phone, with a stranger at a desk as the other side.

use autovia_testkit::{Key, Window};

use crate::stage::{Stage, assert_fits, assert_touchable, is_marked, mark};

/// A phone and a desk that look at the same page.
fn meet(stage: &Stage, phone: &Window, desk: &Window, path: &str) {
    phone.goto(&stage.there(path));
    desk.goto(&stage.here(path));
    for window in [phone, desk] {
        window.wait_streaming();
        mark(window);
    }
    assert_fits(phone);
    assert_touchable(phone);
}

#[test]
fn a_finger_does_what_a_mouse_does() {
    let stage = Stage::showcase();
    let (desk, phone) = (stage.browser.window(), stage.browser.new_window());
    phone.be_a_phone();

    meet(&stage, &phone, desk, "/");
    phone.tap("#shared-add");
    phone.tap("#private-add");
    desk.wait_text("#shared-count", "1");
    phone.wait_text("#private-count", "1");
    phone.tap("#vote-cores");
    desk.wait_text("#votes", "1");
    // From page to page by the links that a phone shows.
    phone.tap("main a[href='/examples/counter']");
    phone.wait_true("location.pathname.endsWith('counter')");
    phone.wait_streaming();
    for _ in 0..2 {
        phone.tap("#increment");
    }
    phone.wait_text("#count", "2");
    phone.back();
    phone.wait_true("location.pathname === '/'");
    phone.wait_streaming();
    phone.tap("#shared-add");
    desk.wait_text("#shared-count", "2");

    meet(&stage, &phone, desk, "/examples/chat-room/room/lobby");
    phone.type_text("#message-input", "from the train");
    phone.tap("#send");
    desk.wait_text("#messages li p", "from the train");
    desk.type_text("#message-input", "mind the gap");
    desk.press(Key::Enter);
    phone.wait_true("document.querySelectorAll('#messages li').length === 2");
    // The screen goes dark in the pocket, and somebody writes.
    phone.type_text("#message-input", "half a li");
    phone.hide();
    desk.type_text("#message-input", "still there?");
    desk.press(Key::Enter);
    desk.wait_true("document.querySelectorAll('#messages li').length === 3");
    phone.show();
    phone.wait_true("document.querySelectorAll('#messages li').length === 3");
    assert_eq!(phone.value("#message-input"), "half a li");
    assert!(is_marked(&phone));

    meet(&stage, &phone, desk, "/examples/game-of-life");
    phone.tap("#life-reset");
    desk.wait_text("#alive", "0");
    phone.tap("#hit");
    desk.wait_true("Number(document.querySelector('#alive').textContent) > 0 || Number(document.querySelector('#generation').textContent) > 0");

    meet(&stage, &phone, desk, "/examples/all-scopes");
    for (button, count) in [
        ("#route-increment", "#route-count"),
        ("#room-increment", "#room-count"),
    ] {
        phone.tap(button);
        desk.wait_text(count, "1");
    }
    phone.type_text("#draft", "for me");
    phone.tap("#update-message");
    phone.wait_text("#message", "for me");

    meet(&stage, &phone, desk, "/examples/stock-ticker");
    phone.tap("#stock-AAPL a");
    phone.wait_true("location.pathname.endsWith('AAPL')");
    phone.wait_streaming();
    assert_fits(&phone);
    stage.assert_calm(&[desk, &phone]);
}
