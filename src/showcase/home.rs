//! The home page: the motorway, three examples to try first, and small live things.

use std::sync::Arc;

use autovia::prelude::*;
use maud::{Markup, html};

use super::frame::{Here, lane_line, site};
use super::road::{self, Road};
use super::{demos, source};

const COUNTER: &str = include_str!("../../examples/counter.rs");

/// Serves the home page and keeps what it shows up to date.
pub fn mount(app: &mut App, road: &Arc<Road>) {
    road::watch(app, road);
    demos::count_presence(app);
    app.page("/", |page| home(page, road));
}

fn home(page: &mut Page, road: &Arc<Road>) {
    let (road, watch) = road::show(page, road);
    let sent = page.shared(Scope::ROUTE, "sent", || 0_i64);
    let send = page.action("send-one", async move |ctx| {
        sent.increment(ctx, 1).await?;
        Ok(())
    });
    let counter = demos::counter(page);
    let poll = demos::poll(page);
    let private = demos::private(page);
    let presence = demos::presence(page);
    let lane = lane_line(page);

    page.title(|_| "autovia: a reactive web server for Rust".to_owned());
    page.view(move |view| {
        html! {
            main #main {
                    section.hero #hero {
                        div.hero-in {
                            div.stack {
                                h1 { "Every core is a lane." }
                                p.lead { "autovia is a reactive web server for Rust: one pinned thread per core, one stream per open page. What you see below is this very server, right now." }
                            }
                            div.stack {
                                div.row {
                                    button #send-one data-on:click=(send) { "Send one" }
                                    (second_window("/"))
                                }
                                p.kicker { b.num #sent { (sent.text(view)) } " sent. A dot is an event delivered to a page." br; "A bar is a message that changes lanes." }
                            }
                        }
                        (road.html(view))
(watch.html(view))
                    }
                    div.page {
                        (first_three())
                        section.stack aria-labelledby="stay" {
                            div.row { h2 #stay { "Or stay here: this page is live too" } }
                            (presence.html(view))
                            div.cards {
                                (counter.html(view))
                                (poll.html(view))
                                (private.html(view))
                            }
                        }
                        div.stage {
                            section.stack {
                                h2 { "A whole page, in Rust" }
                                p { "A page is defined once per shard. A click sends one small request; the answer is one small value on the stream. You write no JavaScript." }
                                div.row {
                                    a.button.quiet href="/examples/counter" { "Counter" }
                                    a.button.quiet href="/examples/all-scopes" { "All scopes" }
                                }
                            }
                            (source::figure("examples/counter.rs", source::excerpt(COUNTER, "pub fn counter"), &["page.signal(", "page.input(", "count.update(ctx, |n| n.saturating_add"]))
                        }
                    }
                }
        }
    });
    page.layout(move |view, main| site(Here::Path("/"), &main, Some(lane.html(view))));
}

fn second_window(href: &str) -> Markup {
    html! { a.button.quiet href=(href) target="_blank" rel="noopener" { "Open a second window ↗" } }
}

fn first_three() -> Markup {
    let chat = html! {
        rect x="40" y="16" width="110" height="24" rx="10" {}
        rect.y x="150" y="48" width="110" height="32" rx="10" {}
    };
    let life = html! {
        g transform="translate(102 0)" {
            @for (x, y) in [(24, 14), (36, 26), (12, 38), (24, 38), (36, 38)] { rect.y x=(x) y=(y) width="11" height="11" {} }
            @for (x, y) in [(60, 62), (72, 62), (60, 74), (72, 74), (0, 74), (84, 14)] { rect x=(x) y=(y) width="11" height="11" {} }
        }
    };
    let stocks = html! {
        path d="M20 70 50 58 80 66 110 40 140 52 170 34 200 44 230 24 262 32" {}
        rect.y x="255" y="25" width="14" height="14" rx="7" {}
    };
    let cards = [
        (
            "/examples/chat-room",
            "Chat with rooms",
            "Write in one window, read in the other. Each room is a scope; nobody else is woken.",
            chat,
        ),
        (
            "/examples/game-of-life",
            "Game of life",
            "One board, everybody draws. Twenty viewers cost one rendering per frame.",
            life,
        ),
        (
            "/examples/stock-ticker",
            "Stock ticker",
            "Prices move every two seconds, as values only: no HTML travels.",
            stocks,
        ),
    ];
    html! {
        section.stack #examples aria-labelledby="try" {
            div.row { h2 #try { "Try these three first, in two windows side by side" } }
            div.cards {
                @for (path, name, what, picture) in cards {
                    a.card href=(path) {
                        svg.picture viewBox="0 0 300 96" preserveAspectRatio="xMidYMid slice" aria-hidden="true" { (picture) }
                        h3 { (name) }
                        p.soft { (what) }
                    }
                }
            }
        }
    }
}
