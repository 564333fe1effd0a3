//! GlobalState, its limits, and numbers that a browser can't hold.

use autovia::prelude::*;
use maud::html;

use crate::place;

pub fn setup(app: &mut App) {
    app.page("/state", state);
    app.page("/load-sets", load_sets);
}

fn state(page: &mut Page) {
    let answer = page.signal("answer", String::new());
    page.action("set", async move |ctx| {
        let (key, value): (String, serde_json::Value) = (ctx.arg()?, ctx.arg_at(1)?);
        ctx.global().set(&key, &value).await?;
        autovia::Result::Ok(())
    });
    page.action("get", async move |ctx| {
        let key: String = ctx.arg()?;
        let value: Option<serde_json::Value> = ctx.global().get(&key)?;
        answer.set(
            ctx,
            value.map_or("absent".to_owned(), |value| value.to_string()),
        );
        autovia::Result::Ok(())
    });
    page.action("get-number", async move |ctx| {
        let key: String = ctx.arg()?;
        let value: Option<i64> = ctx.global().get(&key)?;
        answer.set(ctx, format!("{value:?}"));
        autovia::Result::Ok(())
    });
    page.action("remove", async move |ctx| {
        let key: String = ctx.arg()?;
        answer.set(ctx, ctx.global().remove(&key).await?.to_string());
        autovia::Result::Ok(())
    });
    page.action("increment", async move |ctx| {
        let (key, times): (String, u32) = (ctx.arg()?, ctx.arg_at(1)?);
        for _ in 0..times {
            ctx.global().increment(&key, 1).await?;
        }
        autovia::Result::Ok(())
    });
    page.action("double", async move |ctx| {
        let key: String = ctx.arg()?;
        let new = ctx
            .global()
            .update(&key, |old: Option<i64>| old.unwrap_or(1) * 2)
            .await?;
        answer.set(ctx, new.to_string());
        autovia::Result::Ok(())
    });
    page.action("swap", async move |ctx| {
        let (key, expected, new): (String, Option<i64>, i64) =
            (ctx.arg()?, ctx.arg_at(1)?, ctx.arg_at(2)?);
        let done = ctx
            .global()
            .compare_and_set(&key, expected.as_ref(), &new)
            .await?;
        answer.set(ctx, done.to_string());
        autovia::Result::Ok(())
    });
    page.action("fill", async move |ctx| {
        let rows: usize = ctx.arg()?;
        for row in 0..rows {
            ctx.global().set(&format!("row {row}"), &row).await?;
        }
        autovia::Result::Ok(())
    });
    page.action("show", async |ctx| ctx.broadcast(Scope::GLOBAL));
    page.view(move |view| {
        let shown: Option<serde_json::Value> = view.global("shown").unwrap_or(None);
        html! {
            main #state {
                p #answer { (answer.text(view)) }
                p #shown { (shown.map_or(String::new(), |value| value.to_string())) }
                (place(view))
            }
        }
    });
}

/// Integers beyond ± 2^53 travel as text, both ways.
pub fn big_integers(page: &mut Page) {
    let big = page.signal("big", i64::MAX);
    let typed = page.input("typed", 0_i64);
    page.action("copy", async move |ctx| big.set(ctx, typed.get(ctx)));
    page.view(move |view| html! { main #big { p #value { (big.text(view)) } } });
}

/// A load that sets a value of its page: what it set before the first HTML is in it.
fn load_sets(page: &mut Page) {
    let price = page.signal("price", 0_i64);
    let loaded = page.load(Scope::ROUTE, async move |ctx| {
        // What reads its own tab is loaded for each page by itself.
        let _ = ctx.tab();
        price.update(ctx, |n| n + 1);
        autovia::Result::Ok(())
    });
    page.action("touch", async |ctx| ctx.broadcast(Scope::ROUTE));
    page.action("refuse", async |_ctx| -> autovia::Result {
        Err(autovia::Error::refused("not today"))
    });
    page.view(move |view| {
        let () = *loaded.get(view);
        html! { main #load-sets { p #price { (price.text(view)) } (place(view)) } }
    });
}
