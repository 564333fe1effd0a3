//! Everything that can go wrong in a handler.

use std::time::Duration;

use autovia::prelude::*;
use autovia::{Error, Result};
use maud::html;

use crate::data::{Gate, Log};
use crate::place;

pub fn setup(app: &mut App) {
    app.page("/failures", failures);
    app.page("/view-panics", view_panics);
    app.page("/load-fails", load_fails);
    app.page("/load-fails-later", load_fails_later);
    app.page("/view-fails-later", view_fails_later);
    app.page("/part-fails-later", part_fails_later);
    app.page("/slow-load", slow_load);
}

fn failures(page: &mut Page) {
    let done = page.signal("done", 0_i64);
    let trail = page.signal("trail", String::new());
    page.action("slow", async move |ctx| {
        let milliseconds: u64 = ctx.arg()?;
        ctx.data::<Log>().note("slow started");
        ctx.blocking(move || std::thread::sleep(Duration::from_millis(milliseconds)))
            .await?;
        ctx.data::<Log>().note("slow ended");
        done.update(ctx, |n| n + 1);
        Result::Ok(())
    });
    page.action("hold", async move |ctx| {
        hold(ctx).await?;
        done.update(ctx, |n| n + 1);
        Result::Ok(())
    });
    page.action_parallel("hold-beside", async move |ctx| {
        hold(ctx).await?;
        done.update(ctx, |n| n + 100);
        Result::Ok(())
    });
    page.action_parallel("release", async |ctx| ctx.data::<Gate>().open());
    // It waits at the gate as `hold` does, but keeps its shard.
    page.action("keep-shard", async |ctx| {
        ctx.data::<Log>().note("kept");
        ctx.data::<Gate>().wait();
    });
    page.action_parallel("is-kept", async |ctx| {
        match ctx.data::<Log>().count("kept") {
            0 => Err(Error::new("no shard is kept yet")),
            _ => Ok(()),
        }
    });
    // What is read before the wait is written after it: two that overlap lose a letter.
    page.action("append", async move |ctx| {
        let letter: String = ctx.arg()?;
        let before = trail.get(ctx);
        ctx.blocking(|| std::thread::sleep(Duration::from_millis(5)))
            .await?;
        trail.set(ctx, before + &letter);
        Result::Ok(())
    });
    page.action_parallel("beside", async move |ctx| done.update(ctx, |n| n + 100));
    page.action("ok", async move |ctx| done.update(ctx, |n| n + 1));
    page.action("fails", async |_ctx| -> Result {
        Err(Error::new("the kettle is empty"))
    });
    page.action("io", async |_ctx| -> Result {
        std::fs::read("/nowhere")?;
        Ok(())
    });
    page.action("panics", async |ctx| {
        let empty: Vec<String> = Vec::new();
        ctx.data::<Log>().note(empty[ctx.shard()].clone());
    });
    page.action("blocking-panics", async |ctx| {
        let empty: Vec<u8> = Vec::new();
        let first = ctx.blocking(move || empty[0]).await?;
        ctx.data::<Log>().note(format!("first {first}"));
        Result::Ok(())
    });
    page.action("typed", async |ctx| {
        let number: u8 = ctx.arg()?;
        ctx.data::<Log>().note(format!("typed {number}"));
        Result::Ok(())
    });
    page.action("hang-shard", async |ctx| {
        while ctx.shard() < usize::MAX {
            std::hint::spin_loop();
        }
    });
    page.view(move |view| html! { main #failures { p #done { (done.text(view)) } (place(view)) } });
}

/// Waits at the gate, without keeping the shard.
async fn hold(ctx: &Ctx) -> Result {
    ctx.data::<Log>().note("held");
    let gate = ctx.data::<Gate>().clone();
    ctx.blocking(move || gate.wait()).await?;
    ctx.data::<Log>().note("let go");
    Ok(())
}

fn view_panics(page: &mut Page) {
    page.view(|view| -> Html {
        assert!(view.path().is_empty(), "this view always panics");
        Html::default()
    });
}

fn load_fails(page: &mut Page) {
    let load = page.load(Scope::GLOBAL, async |_ctx| -> Result<String> {
        Err(Error::new("no data today"))
    });
    page.view(move |view| html! { main #loaded { (load.get(view)) } });
}

fn load_fails_later(page: &mut Page) {
    let load = page.load(Scope::ROUTE, async |ctx| {
        ctx.data::<Log>().note("load later");
        if ctx.global().get::<bool>("load fails")?.unwrap_or(false) {
            return Err(Error::new("no data now"));
        }
        Ok(ctx.data::<Log>().count("load later"))
    });
    page.action("break", async |ctx| {
        ctx.global().set("load fails", &true).await?;
        ctx.broadcast(Scope::ROUTE)
    });
    page.action("mend", async |ctx| {
        ctx.global().set("load fails", &false).await?;
        ctx.broadcast(Scope::ROUTE)
    });
    page.view(move |view| html! { main #loaded { p #value { (load.get(view)) } (place(view)) } });
}

/// A component that fails at one round, while the page around it is sent whole.
fn part_fails_later(page: &mut Page) {
    let round = page.signal("round", 0);
    let alone = page.signal("alone", 0);
    page.action("next", async move |ctx| round.update(ctx, |n| n + 1));
    page.action("part", async move |ctx| alone.update(ctx, |n| n + 1));
    let part = page.component("part", move |page| {
        page.view(move |view| {
            assert!(round.get(view) != 1, "this part panics in round 1");
            html! { b { "part " (alone.get(view)) } }
        });
    });
    page.view(move |view| {
        html! { main #view { p { "round " (round.get(view)) } (part.html(view)) (place(view)) } }
    });
}

fn view_fails_later(page: &mut Page) {
    let broken = page.signal("broken", false);
    let ok = page.signal("ok", 0);
    page.action("break", async move |ctx| broken.set(ctx, true));
    page.action("ok", async move |ctx| ok.update(ctx, |n| n + 1));
    page.view(move |view| {
        assert!(!broken.get(view), "this view panics in an update");
        html! { main #view { p #ok { (ok.text(view)) } (place(view)) } }
    });
}

fn slow_load(page: &mut Page) {
    let load = page.load(Scope::GLOBAL, async |ctx| {
        ctx.blocking(|| std::thread::sleep(Duration::from_secs(5)))
            .await
    });
    page.view(move |view| {
        let () = *load.get(view);
        html! { main #loaded { "at last" } }
    });
}
