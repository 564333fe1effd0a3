//! The small live things of the home page, each a component.

use std::time::Duration;

use autovia::Component;
use autovia::prelude::*;
use maud::html;

/// Streams open and close in bursts: the line about them follows at this pace.
const PRESENCE_STEP: Duration = Duration::from_millis(200);
const PRESENCE: &str = "site:presence";

/// What can be voted for: the argument of the action, and its label.
const OPTIONS: [(&str, &str); 3] = [
    ("threads", "A thread per request"),
    ("loop", "One event loop"),
    ("cores", "A loop on every core"),
];

/// ROUTE: one counter for all who look at this page, and who clicked last.
pub fn counter(page: &mut Page) -> Component {
    let me = page.shared(Scope::SESSION, "username", guest_name);
    page.component("counter", |page| {
        let count = page.shared(Scope::ROUTE, "count", || 0_i64);
        let who = page.shared(Scope::ROUTE, "who", || "nobody yet".to_owned());
        let hue = page.shared(Scope::ROUTE, "hue", || 0_u8);
        let add = page.action("add", async move |ctx| {
            let name = me.get(ctx);
            count.increment(ctx, 1).await?;
            hue.set(ctx, name.bytes().fold(0_u8, |sum, byte| sum.wrapping_add(byte)) % 6 + 1).await?;
            who.set(ctx, name).await?;
            Ok(())
        });
        page.view(move |view| {
            html! {
                section.card #shared-counter {
                    h2 { "One counter for everybody" }
                    p aria-live="polite" { span.big.num.flash #shared-count { (count.text(view)) } }
                    p.soft { "Last click: " b.tinted.flash #last-clicker data-attr:data-hue={"$" (hue.name()) " || null"} { (who.text(view)) } }
                    p.soft { "You are " b #me { (me.text(view)) } "." }
                    div.row { button #shared-add data-on:click=(add) { "Add one" } }
                }
            }
        });
    })
}

/// GlobalState: one key for each option, so that no two votes meet.
pub fn poll(page: &mut Page) -> Component {
    page.component("poll", |page| {
        let vote = page.action("vote", async |ctx| {
            let option: String = ctx.arg()?;
            if !OPTIONS.iter().any(|(known, _)| *known == option) {
                return Ok(());
            }
            ctx.global().increment(&poll_key(&option), 1).await?;
            ctx.broadcast(Scope::ROUTE)
        });
        page.view(move |view| {
            let votes = OPTIONS.map(|(option, _)| view.global(&poll_key(option)).ok().flatten().unwrap_or(0_u64));
            let all = votes.iter().sum::<u64>();
            html! {
                section.card #poll {
                    h2 { "What runs your servers?" }
                    div.poll {
                        @for ((option, label), count) in OPTIONS.iter().zip(votes) {
                            @let percent = percent(count, all);
                            button id={"vote-" (option)} data-on:click=(vote.with(option)) {
                                span.poll-name { (label) }
                                span.num.flash id={"votes-" (option)} { (count) " · " (percent) " %" }
                                progress max="100" value=(percent) aria-hidden="true" {}
                            }
                        }
                    }
                    p.soft aria-live="polite" { b.num #votes { (all) } " votes so far" }
                }
            }
        });
    })
}

fn poll_key(option: &str) -> String {
    format!("site:poll:{option}")
}

fn percent(count: u64, all: u64) -> u64 {
    (count * 200 + all).checked_div(all * 2).unwrap_or(0)
}

/// TAB: a number that lives in this tab and nowhere else.
pub fn private(page: &mut Page) -> Component {
    page.component("private", |page| {
        let count = page.signal("count", 0_i64);
        let add = page.action("add", async move |ctx| count.update(ctx, |n| n + 1));
        page.view(move |view| {
            html! {
                section.card #private-counter {
                    h2 { "One counter for you alone" }
                    p { span.big.num.flash #private-count { (count.text(view)) } }
                    p.soft { "The same code with another scope: this number lives in this tab and nowhere else." }
                    div.row { button.quiet #private-add data-on:click=(add) { "Add one" } }
                }
            }
        });
    })
}

/// GLOBAL: how many pages have a stream, over all shards.
pub fn presence(page: &mut Page) -> Component {
    page.component("presence", |page| {
        page.join(|_| scope!("site:presence"));
        page.view(|view| {
            let open = view.global::<u64>(PRESENCE).ok().flatten().unwrap_or(0);
            html! {
                p.here aria-live="polite" {
                    span { b.num.flash #presence { (open) } @if open == 1 { " page" } @else { " pages" } " of this site open right now, in all browsers" }
                }
            }
        });
    })
}

/// Writes the number of open streams where [`presence`] reads it, when it changed.
pub fn count_presence(app: &mut App) {
    app.every(PRESENCE_STEP, async |app| {
        let open: u64 = app.lanes().iter().map(|lane| lane.streams).sum();
        if app.global().get::<u64>(PRESENCE)? != Some(open) {
            app.global().set(PRESENCE, &open).await?;
            // The count is of this process.
            app.broadcast_here(scope!("site:presence"))?;
        }
        Ok(())
    });
}

/// "User3f1c"
fn guest_name() -> String {
    let mut bytes = [0; 2];
    // Without chance all guests are called the same, which is better than no page.
    let _ = getrandom::fill(&mut bytes);
    format!("User{:04x}", u16::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_rounded_and_none_of_nothing() {
        assert_eq!(
            [percent(0, 0), percent(1, 3), percent(2, 3), percent(7, 7)],
            [0, 33, 67, 100]
        );
    }
}
