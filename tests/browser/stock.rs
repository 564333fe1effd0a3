//! `/examples/stock-ticker`: one clock for all, HTML for the dashboards, values for a stock.

use crate::stage::{
    Stage, assert_first_html, events, is_marked, mark, values, watch_events, watch_values,
};

const ALL: &str = "/examples/stock-ticker";
const APPLE: &str = "/examples/stock-ticker/stock/AAPL";

#[test]
fn two_dashboards_show_the_same_prices_at_the_same_tick() {
    let stage = Stage::showcase();
    let (first, second) = stage.two(ALL);
    assert_first_html(first, "#stock-NVDA", "NVDA");
    assert_eq!(first.count("#stocks tr"), 8);

    // When a few ticks have come, then both have seen the same prices.
    for window in [first, &second] {
        watch_values(window, "document.querySelector('#stocks').innerText");
    }
    let common = || {
        let of_second = values(&second);
        values(first)
            .into_iter()
            .filter(|prices| of_second.contains(prices))
            .count()
    };
    first.wait("three ticks that both have seen", |_| {
        (common() >= 3).then_some(())
    });
    assert!(is_marked(first) && is_marked(&second));

    // A page that is loaded again or come back to goes on.
    second.reload();
    second.wait_streaming();
    second.click("#stock-AAPL a");
    second.wait_true("location.pathname.endsWith('AAPL')");
    second.back();
    second.wait_streaming();
    watch_values(&second, "document.querySelector('#stocks').innerText");
    second.wait("a tick after the return", |window| {
        (values(window).len() > 1).then_some(())
    });
    stage.assert_calm(&[first, &second]);
}

#[test]
fn a_stock_gets_its_own_values_and_no_html() {
    let stage = Stage::showcase();
    let (first, second) = stage.two(APPLE);
    assert_first_html(first, "#stock", "Apple");
    let nvidia = stage.browser.new_window();
    nvidia.goto(&stage.here("/examples/stock-ticker/stock/NVDA"));
    nvidia.wait_streaming();

    let shown = "[document.querySelector('#price').textContent, document.querySelector('#points').getAttribute('points')]";
    for window in [first, &second, &nvidia] {
        mark(window);
        watch_values(window, shown);
    }
    for window in [first, &second, &nvidia] {
        // A stream that opens after a tick begins with the whole page; that is not meant here.
        window.wait("a new price", |window| {
            (values(window).len() > 1).then_some(())
        });
        watch_events(window);
    }
    let both = || {
        let of_second = values(&second);
        values(first)
            .into_iter()
            .filter(|value| of_second.contains(value))
            .count()
    };
    first.wait("three prices that both have seen", |_| {
        (both() >= 3).then_some(())
    });
    for window in [first, &second, &nvidia] {
        for (event, text) in events(window) {
            assert_eq!(event, "datastar-patch-signals", "{text}");
        }
        let points =
            "document.querySelector('#points').getAttribute('points').trim().split(' ').length";
        assert_eq!(window.eval(points), 60);
        assert!(is_marked(window));
    }
    assert!(
        values(&nvidia)
            .iter()
            .all(|value| !values(first).contains(value)),
        "a page that shows one symbol gets no other's prices"
    );

    second.reload();
    second.wait_streaming();
    second.click("#stock a[href='/examples/stock-ticker']");
    second.wait_true("document.querySelectorAll('#stocks tr').length === 8");
    second.back();
    second.wait_streaming();
    watch_values(&second, shown);
    second.wait("a price after the return", |window| {
        (values(window).len() > 1).then_some(())
    });
    nvidia.goto(&stage.here("/examples/stock-ticker/stock/NONE"));
    assert!(nvidia.text("#stock").contains("There is no stock NONE."));
    stage.assert_calm(&[first, &second, &nvidia]);
}
