//! The frame around every page: header, the example with what to notice and its source, footer.
//!
//! The frame is layout: it is sent with the page's first HTML and never patched. Only the number
//! of others in the footer changes, and that is a shared value, so no HTML travels for it.

use autovia::prelude::*;
use autovia::{Component, View};
use maud::{Markup, Render, html};

use super::source;

/// What the frame says about an example.
#[derive(Clone, Copy)]
pub struct Example {
    pub path: &'static str,
    pub title: &'static str,
    pub lead: &'static str,
    /// Two sentences: what to notice.
    pub notice: &'static str,
    pub file: &'static str,
    pub source: &'static str,
    /// Parts of the lines that are marked.
    pub marked: &'static [&'static str],
}

/// Which page the header stands on.
#[derive(Clone, Copy)]
pub enum Here<'a> {
    /// The home page, or an example by its path.
    Path(&'a str),
    /// A page that could not be shown: no script runs on it.
    Nowhere,
}

const NAV: [(&str, &str); 6] = [
    ("/examples/counter", "Counter"),
    ("/examples/chat-room", "Chat"),
    ("/examples/stock-ticker", "Stocks"),
    ("/examples/game-of-life", "Life"),
    ("/examples/all-scopes", "Scopes"),
    ("/examples/failures", "Failures"),
];

/// Defines the example's page by `define` and puts the frame around it.
pub fn frame(example: Example, define: impl FnOnce(&mut Page)) -> impl FnOnce(&mut Page) {
    move |page| {
        page.title(move |_| format!("{} · autovia", example.title)); // unless the page has its own
        define(page);
        let lane = lane_line(page);
        page.layout(move |view, live| {
            site(
                Here::Path(example.path),
                &html! {
                    main.page #main {
                        div { h1 { (example.title) } p.lead { (example.lead) } }
                        div.stage {
                            (live)
                            div.side {
                                div.notice #notice { b { "What to notice. " } (example.notice) }
                                div.row { a.button.quiet href="" target="_blank" rel="noopener" { "Open a second window ↗" } }
                                (source::figure(example.file, example.source, example.marked))
                            }
                        }
                    }
                },
                Some(lane.html(view)),
            )
        });
    }
}

/// Header, `main`, and a footer with the line about this tab's lane, where it has one.
pub fn site(here: Here, main: &impl Render, lane: Option<Html>) -> Markup {
    let current = |path: &str| matches!(here, Here::Path(at) if at == path).then_some("page");
    html! {
        a.skip href="#main" { "Skip to the page" }
        header.site-head { div {
            a.brand href="/" aria-current=[current("/")] { img src="/favicon.svg" alt="" width="28" height="28"; "autovia" }
            nav.site-nav aria-label="Examples" {
                @for (path, name) in NAV { a.wide-only href=(path) aria-current=[current(path)] { (name) } }
                a.narrow-only href="/#examples" { "Examples" }
            }
            @if let Here::Path(_) = here { (theme_switch()) }
        } }
        (main)
        footer.site-foot { div {
            @if let Some(lane) = lane { (lane) }
            a href="/nodes" { "nodes" }
            a href="/_health" { "health" }
            span.num { "autovia " (env!("CARGO_PKG_VERSION")) }
        } }
    }
}

fn theme_switch() -> Markup {
    html! {
        button type="button" data-via-theme aria-label="Switch between light and dark" title="Light or dark" {
            svg width="20" height="20" viewBox="0 0 20 20" aria-hidden="true" {
                circle cx="10" cy="10" r="8" fill="none" stroke="currentColor" stroke-width="2" {}
                path d="M10 2a8 8 0 0 1 0 16z" fill="currentColor" {}
            }
        }
    }
}

/// "this tab: lane 1 · 3 others here": the lane is this page's shard.
pub fn lane_line(page: &mut Page) -> Component {
    page.component("lane", |page| {
        let lane = page.join(|ctx| scope!("lane:{}", ctx.shard()));
        let present = page.shared(lane, "present", || 0_i64);
        page.on_connect(async move |ctx| {
            present.increment(ctx, 1).await?;
            Ok(())
        });
        page.on_disconnect(async move |ctx| {
            present.increment(ctx, -1).await?;
            Ok(())
        });

        // This page counts itself once its stream is open.
        let others = format!("Math.max(0, ${} - 1)", present.name());
        let word = format!("{others} === 1 ? 'other' : 'others'");
        page.view(move |view| {
            html! {
                span.lane-line {
                    "this tab: lane " b.lane-tag.(tint(view.shard())) #shard { (view.shard()) }
                    " · " span.num #others data-text=(others) { @if !view.is_update() { (lane_of(view).streams) } }
                    " " span data-text=(word) { @if !view.is_update() { "others" } } " here"
                }
            }
        });
    })
}

/// The class that gives a lane its tint; there are six.
pub fn tint(shard: usize) -> String {
    format!("lane-{}", shard % 6 + 1)
}

/// "12,345"
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && index % 3 == first {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// What this shard's lane holds, for the first HTML of a page.
fn lane_of(view: &View) -> autovia::Lane {
    view.lanes().get(view.shard()).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (123_456, "123,456"),
            (1_234_567, "1,234,567"),
        ];
        for (number, text) in cases {
            assert_eq!(grouped(number), text);
        }
    }
}
