//! A page with one of everything that a person can leave half done, and buttons that go wrong.

use std::time::Duration;

use autovia::prelude::*;
use autovia::{Error, Result};
use maud::html;

use crate::data::Log;
use crate::place;

pub fn setup(app: &mut App) {
    app.page("/desk", desk);
}

fn desk(page: &mut Page) {
    let (text, long, secret) = (
        page.input("text", String::new()),
        page.input("long", String::new()),
        page.input("secret", String::new()),
    );
    let (colour, sure) = (
        page.input("colour", "red".to_owned()),
        page.input("sure", false),
    );
    let total = page.shared(Scope::ROUTE, "total", || 0_i64);
    let mine = page.signal("mine", 0_i64);
    let add = page.action("add", async move |ctx| {
        mine.update(ctx, |n| n + 1);
        total.increment(ctx, 1).await?;
        Result::Ok(())
    });
    let fail = page.action("fail", async |_ctx| -> Result {
        Err(Error::new("the kettle is empty"))
    });
    let panic = page.action("panic", async |ctx| {
        assert!(ctx.path().is_empty(), "words for the log alone");
    });
    let wrong = page.action("wrong", async move |ctx| {
        let number: i64 = ctx.arg()?;
        mine.set(ctx, number);
        Result::Ok(())
    });
    let slow = page.action("slow", async move |ctx| {
        ctx.data::<Log>().note("slow at the desk");
        ctx.blocking(|| std::thread::sleep(Duration::from_secs(3)))
            .await?;
        mine.update(ctx, |n| n + 100);
        Result::Ok(())
    });
    // Noted by tab, which the page shows: a test tells its page from those that it left behind.
    let tab = page.signal("tab", 0_u64);
    page.on_connect(async move |ctx| {
        tab.set(ctx, ctx.tab());
        note(ctx, "connect");
    });
    page.on_disconnect(async |ctx| note(ctx, "disconnect"));
    page.on_cleanup(async |ctx| note(ctx, "cleanup"));
    page.view(move |view| {
        html! {
            main #desk {
                // Read by `get`: what others do changes the HTML around what is half typed.
                h1 #total { "total " (total.get(view)) }
                p #mine { (mine.text(view)) }
                p #tab { (tab.text(view)) }
                p {
                    button #add data-on:click=(add) { "add" }
                    button #fail data-on:click=(fail) { "fail" }
                    button #panic data-on:click=(panic) { "panic" }
                    button #wrong data-on:click=(wrong.with("x")) { "wrong" }
                    button #slow data-on:click=(slow) { "slow" }
                }
                input #text data-bind=(text);
                textarea #long data-bind=(long) {}
                input #secret type="password" data-bind=(secret);
                select #colour data-bind=(colour) {
                    @for name in ["red", "green", "blue"] { option value=(name) { (name) } }
                }
                input #sure type="checkbox" data-bind=(sure);
                // One scrolled container in another, with HTML that others change.
                div #outer style="height: 200px; overflow: auto" {
                    section style="height: 120px; width: 300px; overflow: auto" {
                        @for n in 0..30 {
                            p style="width: 900px; margin: 0" { "row " (n) " of " (total.get(view)) }
                        }
                    }
                    div style="height: 900px" { "further down" }
                }
                div style="height: 3000px" { "far down" }
                (place(view))
            }
        }
    });
}

fn note(ctx: &Ctx, what: &str) {
    ctx.data::<Log>().note(format!("desk {} {what}", ctx.tab()));
}
