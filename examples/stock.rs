//! Stock ticker: one timer in the process, one rendering per shard for all dashboards; a stock's
//! own page gets values and no HTML.

use std::sync::Arc;

use autovia::prelude::*;
use maud::{Markup, html};

#[path = "stock/market.rs"]
mod market;

pub use market::Market;
use market::{POINTS, Quote};

#[allow(dead_code)] // The showcase mounts the page functions alone.
fn main() {
    let market = market();
    autovia::run(move |app| {
        setup(app, &market);
        app.page("/examples/stock-ticker", dashboard);
        app.page("/examples/stock-ticker/stock/{symbol}", detail);
    });
}

/// The one market of this process.
pub fn market() -> Arc<Market> {
    let seed = getrandom::u64().unwrap_or(1);
    Arc::new(Market::new(seed))
}

/// Gives the app its market and the clock that moves it.
pub fn setup(app: &mut App, market: &Arc<Market>) {
    app.data(Arc::clone(market));
    let market = Arc::clone(market);
    app.every(secs(2), async move |app| {
        if !market.is_watched() {
            return Ok(());
        }
        market.tick();
        app.broadcast(scope!("stock:*")) // the dashboards, and each stock's pages
    });
}

/// All stocks in a table.
pub fn dashboard(page: &mut Page) {
    page.join(|_| scope!("stock:all"));
    watch(page);
    page.title(|_| "Stock ticker".to_owned());
    page.view(|view| {
        let quotes = view.data::<Arc<Market>>().quotes();
        html! {
            section.live #stock-ticker {
                table.stocks {
                    thead {
                        tr {
                            th scope="col" { "Symbol" }
                            th.wide-only scope="col" { "Last " (POINTS) }
                            th scope="col" { "Change" }
                            th scope="col" { "Price" }
                        }
                    }
                    tbody #stocks { @for quote in &quotes { (row(quote)) } }
                }
            }
        }
    });
}

/// The clock stands still while nobody looks.
fn watch(page: &mut Page) {
    page.on_connect(async |ctx| ctx.data::<Arc<Market>>().enter());
    page.on_disconnect(async |ctx| ctx.data::<Arc<Market>>().leave());
}

fn row(quote: &Quote) -> Markup {
    html! {
        tr id={"stock-" (quote.symbol)} {
            td {
                a href={"/examples/stock-ticker/stock/" (quote.symbol)} { (quote.symbol) }
                " " span.soft.wide-only { (quote.company) }
            }
            td.wide-only {
                svg.spark viewBox="0 0 120 32" preserveAspectRatio="none" role="img" aria-label={
                    (quote.symbol) ", last " (POINTS) " prices, between " (quote.lowest()) " and " (quote.highest())
                } { polyline points=(quote.points(120, 32)) {} }
            }
            td.num { (quote.change()) }
            td.num { span.flash { (quote.price()) } }
        }
    }
}

/// One stock, drawn by the browser from values that the server sends.
pub fn detail(page: &mut Page) {
    let scope = page.join(|ctx| scope!("stock:{}", ctx.param("symbol")));
    watch(page);
    let price = page.signal("price", String::new());
    let change = page.signal("change", String::new());
    let lowest = page.signal("lowest", String::new());
    let highest = page.signal("highest", String::new());
    let points = page.signal("points", String::new());

    // Runs before the first HTML and at each broadcast of this stock. It sets values of the page
    // that it runs for, so it reads which one that is: what it gives is for nobody else.
    page.load(scope, async move |ctx| {
        let _this_page = ctx.tab();
        if let Some(quote) = ctx.data::<Arc<Market>>().quote(&ctx.param("symbol")) {
            price.set(ctx, quote.price());
            change.set(ctx, quote.change());
            lowest.set(ctx, quote.lowest());
            highest.set(ctx, quote.highest());
            points.set(ctx, quote.points(WIDTH, HEIGHT));
        }
        autovia::Result::Ok(())
    });

    page.title(|view| format!("{} · Stock ticker", view.param("symbol")));
    page.view(move |view| {
        let Some(quote) = view.data::<Arc<Market>>().quote(&view.param("symbol")) else {
            return not_found(&view.param("symbol"));
        };
        // Only the first HTML holds a curve. In updates it is left out, so that they are all the
        // same and none is sent.
        let line = (!view.is_update()).then(|| quote.points(WIDTH, HEIGHT));
        let area = line.as_ref().map(|line| format!("0,{HEIGHT} {line} {WIDTH},{HEIGHT}"));
        html! {
            section.live #stock {
                p.row { a href="/examples/stock-ticker" { "All stocks" } }
                div.quote {
                    h2 { (quote.symbol) " " span.soft { (quote.company) } }
                    span.big.num.flash #price { (price.text(view)) }
                    span.num #change { (change.text(view)) }
                }
                div.chart {
                    svg.plot viewBox={"0 0 " (WIDTH) " " (HEIGHT)} preserveAspectRatio="none" role="img"
                        data-attr:aria-label={"'" (quote.symbol) ", last " (POINTS) " prices, between ' + $lowest + ' and ' + $highest"} {
                        path.grid d="M0 0H600M0 80H600M0 160H600M0 240H600" {}
                        polygon.area points=[area] data-attr:points="'0,240 ' + $points + ' 600,240'" {}
                        polyline.line #points points=[line] data-attr:points="$points" {}
                        path.dot data-attr:d=(DOT) {}
                        path.dot data-attr:d=(DOT) {}
                    }
                    div.scale aria-hidden="true" {
                        (highest.text(view))
                        (lowest.text(view))
                    }
                }
            }
        }
    });
}

const WIDTH: i64 = 600;
const HEIGHT: i64 = 240;

/// The last point of the curve.
const DOT: &str = "'M' + $points.split(' ').pop() + 'h0'";

fn not_found(symbol: &str) -> Markup {
    html! {
        section.live #stock {
            div.empty {
                p { b { "There is no stock " (symbol) "." } }
                p { "Symbols are written in capitals. " a href="/examples/stock-ticker" { "See all stocks" } }
            }
        }
    }
}
