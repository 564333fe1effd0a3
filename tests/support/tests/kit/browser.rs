//! The kit's browser, a real one, against the tiny origin.

use autovia_testkit::{Browser, Key};

use serde_json::json;

use crate::origin::Origin;

#[test]
fn a_console_error_is_caught_and_a_good_page_has_none() {
    let origin = Origin::start();
    let browser = Browser::start();
    let window = browser.window();

    window.goto(&format!("http://127.0.0.1:{}/", origin.port));
    window.click("#add");
    window.wait_text("#count", "8");
    window.double_click_within("#add", 5);
    window.wait_text("#count", "10");
    window.double_click_within("#add", 0);
    assert_eq!(window.text("#count"), "12");
    window.type_text("#name", "Ada");
    window.press(Key::Backspace);
    assert_eq!(window.value("#name"), "Ad");
    browser.assert_no_console_errors();

    window.goto(&format!("http://127.0.0.1:{}/broken", origin.port));
    let thrown = |errors: &[String], text| errors.iter().any(|error| error.contains(text));
    window.wait("the thrown error", |window| {
        thrown(&window.console_errors(), "thrown by script").then_some(())
    });
    assert!(
        thrown(&browser.console_errors(), "said by hand"),
        "{:?}",
        browser.console_errors()
    );
    browser.assert_only_console_errors(&["said by hand", "thrown by script"]);
    browser.forget_console_errors();
    assert_eq!(browser.console_errors(), Vec::<String>::new());
}

#[test]
fn a_window_hides_goes_offline_changes_its_looks_and_finds_its_way_back() {
    let origin = Origin::start();
    let address = format!("http://name.test:{}/", origin.port);
    let browser = Browser::start();
    let first = browser.window();
    let second = browser.new_window();

    first.goto(&address);
    second.goto(&address);
    assert_eq!(first.eval("isSecureContext"), false);
    assert_eq!(
        second.eval("fetch('/seen').then((reply) => reply.text())"),
        "/seen"
    );
    let newest = origin.requests().pop().expect("the fetch came");
    assert!(
        newest.contains("via_session_id=abc"),
        "windows share cookies: {newest}"
    );

    first.run("window.seen = []; addEventListener('visibilitychange', () => seen.push(document.visibilityState));", json!([]));
    first.hide();
    assert_eq!(second.eval("document.visibilityState"), "visible");
    first.show();
    assert_eq!(first.eval("seen"), json!(["hidden", "visible"]));

    second.offline(true);
    assert_eq!(
        second.eval("fetch('/').then(() => 'came', () => 'failed')"),
        "failed"
    );
    assert_eq!(
        first.eval("fetch('/').then(() => 'came', () => 'failed')"),
        "came"
    );
    second.offline(false);
    assert_eq!(
        second.eval("fetch('/').then(() => 'came', () => 'failed')"),
        "came"
    );
    browser.assert_only_console_errors(&["ERR_INTERNET_DISCONNECTED"]);

    first.set_size(1200, 700);
    assert_eq!(first.eval("[innerWidth, innerHeight]"), json!([1200, 700]));
    second.be_a_phone();
    assert_eq!(
        second.eval("[screen.width, devicePixelRatio, navigator.maxTouchPoints > 0]"),
        json!([390, 3, true])
    );
    first.prefer_dark(true);
    assert_eq!(
        first.eval("matchMedia('(prefers-color-scheme: dark)').matches"),
        true
    );

    first.run(
        "addEventListener('pageshow', (event) => { window.restored = event.persisted; });",
        json!([]),
    );
    first.goto(&format!("{address}two"));
    first.back();
    first.wait_true("window.restored === true");
    first.forward();
    assert!(first.url().ends_with("/two"));

    let picture = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("window.png");
    first.screenshot(&picture);
    let bytes = std::fs::read(&picture).expect("the picture was written");
    assert!(
        bytes.starts_with(b"\x89PNG\r\n"),
        "{:?}",
        &bytes[..bytes.len().min(8)]
    );

    second.goto_on_shard(&address, 3);
    second.run("sessionStorage.draft = 'half a sent';", json!([]));
    let copy = browser.duplicate(&second);
    assert_eq!(copy.eval("sessionStorage.draft"), "half a sent");
    copy.choose("#colour", "blue");
    assert_eq!(copy.value("#colour"), "blue");
    assert!(copy.is_visible("#colour") && !copy.is_visible("#secret"));
    assert_eq!((copy.count("footer > b"), browser.window_count()), (1, 3));
    copy.close();
    second.close();
    assert_eq!(browser.window_count(), 1);
    assert_eq!(first.eval("1 + 1"), 2);
}
