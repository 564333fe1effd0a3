//! Hooks, counted by name.

use autovia::prelude::*;
use maud::html;

use crate::data::Log;
use crate::place;

pub fn setup(app: &mut App) {
    app.page("/hooks", hooks);
    app.page("/hooks-fail", hooks_fail);
    app.page("/ticking", ticking);
    app.every(std::time::Duration::from_millis(100), async |app| {
        app.get::<Log>()
            .note(format!("app tick on {}", app.shard()));
    });
}

fn hooks(page: &mut Page) {
    let present = page.shared(Scope::ROUTE, "present", || 0_i64);
    let count = page.signal("count", 0_i64);
    page.action("add", async move |ctx| count.update(ctx, |n| n + 1));
    page.on_connect(async move |ctx| {
        ctx.data::<Log>().note("connect");
        present
            .increment(ctx, 1)
            .await
            .map(drop)
            .map_err(autovia::Error::from)
    });
    page.on_disconnect(async move |ctx| {
        ctx.data::<Log>().note("disconnect");
        present
            .increment(ctx, -1)
            .await
            .map(drop)
            .map_err(autovia::Error::from)
    });
    page.on_cleanup(async |ctx| ctx.data::<Log>().note("cleanup"));
    page.view(move |view| {
        html! { main #hooks { p #present { (present.text(view)) } p #count { (count.text(view)) } (place(view)) } }
    });
}

fn hooks_fail(page: &mut Page) {
    let count = page.signal("count", 0_i64);
    page.action("add", async move |ctx| count.update(ctx, |n| n + 1));
    page.on_connect(async |ctx| assert!(ctx.path().is_empty(), "a connect hook panics"));
    page.on_disconnect(async |_ctx| -> autovia::Result {
        Err(autovia::Error::new("a disconnect hook fails"))
    });
    page.view(move |view| html! { main #hooks { p #count { (count.text(view)) } (place(view)) } });
}

/// A value that changes by itself.
fn ticking(page: &mut Page) {
    let ticks = page.signal("ticks", 0_u64);
    page.every(std::time::Duration::from_millis(50), async move |ctx| {
        ticks.update(ctx, |n| n + 1)
    });
    page.view(
        move |view| html! { main #ticking { p #ticks { (ticks.text(view)) } (place(view)) } },
    );
}
