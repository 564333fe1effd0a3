//! The same pages by https: two strangers see each other, and the browser finds nothing mixed.

use autovia_testkit::{Authority, Browser, Key};
use serde_json::json;

use crate::stage::Stage;

#[test]
fn two_strangers_see_each_other_by_https() {
    // Given a server with TLS, whose authority this browser doesn't know and takes all the same,
    let authority = Authority::new();
    let certificate = authority.issue(&["127.0.0.1", "app.test"]);
    let cert = format!("--tls-cert={}", certificate.chain_file.display());
    let key = format!("--tls-key={}", certificate.key_file.display());
    let browser = Browser::start_with(&["--ignore-certificate-errors"]);
    let stage = Stage::showcase_by_tls(browser, &[&cert, &key]);

    // when one of two strangers writes,
    let path = "/examples/chat-room/room/lobby";
    let (first, second) = (stage.browser.window(), stage.browser.new_window());
    first.goto(&stage.here(path));
    second.goto(&stage.there(path));
    for window in [first, &second] {
        window.wait_streaming();
        assert_eq!(window.eval("location.protocol"), "https:");
        assert_eq!(window.eval("isSecureContext"), true);
        let protocol = window.eval("performance.getEntriesByType('navigation')[0].nextHopProtocol");
        assert_eq!(protocol, "h2");
        // A script sees no session, though the browser sends one.
        assert_eq!(
            window.eval("document.cookie.includes('via_session')"),
            false
        );
    }
    let message = "TEXT-BY-TLS";
    first.type_text("#message-input", message);
    first.press(Key::Enter);
    // then the other one sees it, on the stream that was open before.
    second.wait_true(&format!(
        "document.body.textContent.includes({})",
        json!(message)
    ));
    stage.assert_calm(&[first, &second]);
}

#[test]
fn eight_windows_of_one_browser_work_by_http_2() {
    let authority = Authority::new();
    let certificate = authority.issue(&["127.0.0.1"]);
    let cert = format!("--tls-cert={}", certificate.chain_file.display());
    let key = format!("--tls-key={}", certificate.key_file.display());
    let browser = Browser::start_with(&["--ignore-certificate-errors"]);
    let stage = Stage::showcase_by_tls(browser, &[&cert, &key]);
    let more = [(); 7].map(|()| stage.browser.new_window());
    for window in &more {
        window.goto(&stage.here("/examples/counter"));
        window.wait_streaming();
    }
    let last = stage.browser.window();
    last.goto(&stage.here("/examples/counter"));
    last.wait_streaming();
    for window in more.iter().chain([last]) {
        window.click("#increment");
        window.wait_text("#count", "1");
        stage.assert_calm(&[window]);
    }
}
