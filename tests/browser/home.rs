//! `/`: the motorway, a counter and a poll for everybody, presence.

use crate::stage::{Stage, assert_first_html, click_many, is_marked};

#[test]
fn everybody_sees_who_clicked_what_was_voted_and_who_is_here() {
    let stage = Stage::showcase();
    let (first, second) = stage.two("/");
    let all = [first, &second];
    assert_first_html(first, "#shared-count", "0");
    assert_first_html(&second, "#votes", "0");
    for window in all {
        window.wait_text("#presence", "2");
        window.wait_true("document.querySelectorAll('#motorway .bed').length === 2");
    }

    // The shared counter, and who clicked last.
    first.click("#shared-add");
    for window in all {
        window.wait_text("#shared-count", "1");
        window.wait_text("#last-clicker", &first.text("#me"));
    }
    assert_ne!(first.text("#me"), second.text("#me"));
    first.double_click_within("#shared-add", 5);
    second.double_click_within("#shared-add", 0);
    second.click("#send-one");
    for window in all {
        window.wait_text("#shared-count", "5");
        window.wait_text("#last-clicker", &second.text("#me"));
        window.wait_text("#sent", "1");
    }

    // A counter of one's own.
    second.click("#private-add");
    second.wait_text("#private-count", "1");
    assert_eq!(first.text("#private-count"), "0");

    // Fifty votes at once are fifty votes.
    click_many(first, "#vote-cores", 30);
    click_many(&second, "#vote-loop", 20);
    for window in all {
        window.wait_text("#votes", "50");
        assert_eq!(window.text("#votes-cores"), "30 · 60 %");
        assert_eq!(window.text("#votes-loop"), "20 · 40 %");
        assert_eq!(
            window.eval("document.querySelector('#vote-cores progress').value"),
            60
        );
    }
    assert!(is_marked(first) && is_marked(&second));
    stage.assert_calm(&all);

    // A reload keeps what is shared; back and forward come to pages that live.
    second.reload();
    second.wait_streaming();
    assert_eq!(second.text("#shared-count"), "5");
    assert_eq!(second.text("#votes"), "50");
    second.click("a[href='/examples/counter']");
    second.wait_true("location.pathname.endsWith('counter')");
    second.back();
    second.wait_streaming();
    second.click("#shared-add");
    first.wait_text("#shared-count", "6");
    first.wait_text("#presence", "2");
    stage.assert_calm(&all);

    // A tab that closes is no longer here.
    second.close();
    first.wait_text("#presence", "1");
    first.wait_text("#others", "0");

    // A road that goes nowhere says so in the site's dress.
    first.goto(&stage.here("/nowhere"));
    assert_eq!(first.text("h1"), "This road goes nowhere.");
    first.click("a[href='/']");
    first.wait_streaming();
    stage.expect_errors(&["404 (Not Found)"]);
}
