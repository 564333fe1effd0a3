//! What a person is at stays where it is while others change the page around it.

use autovia_testkit::Key;
use serde_json::json;

use crate::stage::{Stage, caret, is_marked, put_caret, scroll_inside, scrolled_inside};

#[test]
fn focus_caret_and_scroll_outlive_what_others_change() {
    // Given a page that is scrolled, and containers in it that are scrolled too,
    let stage = Stage::probe();
    let (first, second) = stage.two("/desk");
    first.run("scrollTo({ top: 90, behavior: 'instant' });", json!([]));
    scroll_inside(first);
    let scrolled = scrolled_inside(first);
    assert_eq!(scrolled, json!([[150, 0], [90, 210]]));
    let mut total = 0;
    let mut others_change = || {
        let scroll = first.eval("scrollY");
        for _ in 0..3 {
            total += 1;
            second.click("#add");
            first.wait_text("#total", &format!("total {total}"));
        }
        // The change went through the innermost container too.
        first.wait_text("#outer section p:last-child", &format!("row 29 of {total}"));
        assert_eq!(first.eval("scrollY"), scroll, "nothing was scrolled");
        assert_eq!(scrolled_inside(first), scrolled);
    };

    // when others change it while a text, or several lines, are half typed,
    for (css, text) in [("#text", "half a word"), ("#long", "half\na line")] {
        first.type_text(css, text);
        put_caret(first, css, 3);
        first.run("scrollTo({ top: 90, behavior: 'instant' });", json!([]));
        let before = caret(first);
        others_change();
        // then the text, the focus and the caret are as they were, and typing goes on there;
        assert_eq!(first.value(css), text);
        assert_eq!(caret(first), before);
        first.press(Key::Backspace);
        assert_eq!(first.value(css), format!("{}{}", &text[..2], &text[3..]));
    }
    // a chosen option and a tick stay, also while they have the focus;
    first.choose("#colour", "blue");
    for css in ["#colour", "#sure"] {
        let focus = "const it = document.querySelector(arguments[0]); it.focus({ preventScroll: true }); if (it.type === 'checkbox') it.click();";
        first.run(focus, json!([css]));
        others_change();
        assert_eq!(first.eval("`#${document.activeElement.id}`"), *css);
    }
    assert_eq!(first.value("#colour"), "blue");
    assert_eq!(first.eval("document.querySelector('#sure').checked"), true);
    // So it is when the page was hidden meanwhile, and is told all at once.
    put_caret(first, "#text", 5);
    first.run("scrollTo({ top: 90, behavior: 'instant' });", json!([]));
    let before = caret(first);
    first.hide();
    second.click("#add");
    second.wait_text("#total", "total 13");
    first.show();
    first.wait_text("#total", "total 13");
    assert_eq!(caret(first), before);
    assert_eq!(first.eval("Math.round(scrollY)"), 90);
    assert_eq!(scrolled_inside(first), scrolled);
    assert!(is_marked(first));
    stage.assert_calm(&[first, &second]);
}
