//! When things go wrong: what the user sees of it, and that all else goes on.

use std::time::Duration;

use autovia::prelude::*;
use autovia::{Error, Result};
use maud::{Markup, html};

#[allow(dead_code)] // The showcase mounts the page function alone.
fn main() {
    autovia::run(|app| app.page("/", failures));
}

/// The page.
pub fn failures(page: &mut Page) {
    let count = page.signal("count", 0_i64);
    let broken = page.signal("broken", false);
    let number = page.input("number", "seven".to_owned());

    let works = page.action("works", async move |ctx| count.update(ctx, |n| n + 1));
    let slow = page.action_parallel("slow", async move |ctx| {
        ctx.blocking(|| std::thread::sleep(Duration::from_secs(3)))
            .await?;
        count.update(ctx, |n| n + 1);
        Result::Ok(())
    });
    let fails = page.action("fails", async |_ctx| -> Result {
        Err(Error::new("The kettle is empty."))
    });
    let panics = page.action("panics", async |ctx| {
        let shards = ctx.lanes();
        ctx.execute_script(&format!("/* {} */", shards[shards.len()].events))
    });
    let typed = page.action("typed", async move |ctx| {
        let text = number.get(ctx);
        let n: i64 = text
            .trim()
            .parse()
            .map_err(|_| Error::refused(format!("“{text}” is no whole number.")))?;
        count.set(ctx, n);
        Result::Ok(())
    });
    let break_view = page.action("break-view", async move |ctx| broken.set(ctx, true));
    let mend = page.action("mend", async move |ctx| broken.set(ctx, false));

    let part = page.component("part", move |page| {
        page.view(move |view| {
            assert!(!broken.get(view), "this part of the page can't be shown");
            html! { p #part { "This part is well." } }
        });
    });
    let data = page.component("data", loaded);

    page.view(move |view| {
        html! {
            section.live #failures {
                p { "Counted: " output.num #count { (count.text(view)) } }
                (case("Adds one, whatever else is broken.", &html! {
                    button #works data-on:click=(works) { "One that works" }
                }))
                (case("The button waits; click the first one meanwhile.", &html! {
                    button #slow data-on:click=(slow) { "One of 3 seconds" }
                }))
                (case("The error's own words, beside the button.", &html! {
                    button #fails data-on:click=(fails) { "One that fails" }
                }))
                (case("No words of the panic: they are in the log.", &html! {
                    button #panics data-on:click=(panics) { "One that panics" }
                }))
                label { "A whole number " input #number data-bind=(number); }
                (case("Says what was wrong, and keeps what you typed.", &html! {
                    button #typed data-on:click=(typed) { "Set it" }
                }))
                (part.html(view))
                (case("What was shown stays, and one note says so.", &html! {
                    button #break-view data-on:click=(break_view) { "Break this part" }
                    button.quiet #mend data-on:click=(mend) { "Mend it" }
                }))
                (data.html(view))
            }
        }
    });
}

/// Buttons, and what happens.
fn case(what: &str, buttons: &Markup) -> Markup {
    html! { div { div.row { (buttons) } p.kicker { (what) } } }
}

/// Data whose source can be away: what was loaded last stays on the page.
fn loaded(page: &mut Page) {
    let state = page.join(|ctx| scope!("failures:{}", ctx.tab()));
    let away = page.signal("away", false);
    let runs = page.signal("runs", 0_u32);
    let data = page.load(state, async move |ctx| {
        if away.get(ctx) {
            return Err(Error::new("the source of the data is away"));
        }
        let run = runs.get(ctx) + 1;
        runs.set(ctx, run);
        Ok(run)
    });
    let again = page.action("again", async move |ctx| {
        away.set(ctx, false);
        ctx.broadcast(state)
    });
    let fail = page.action("fail", async move |ctx| {
        away.set(ctx, true);
        ctx.broadcast(state)
    });
    page.view(move |view| {
        html! {
            p { "Loaded so far: " output.num #runs { (data.get(view)) } }
            (case("What was loaded last stays on the page.", &html! {
                button #fail data-on:click=(fail) { "Load from a source that is away" }
                button.quiet #again data-on:click=(again) { "Load again" }
            }))
        }
    });
}
