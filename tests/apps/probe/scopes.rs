//! Scopes: route, session, global, rooms; what is rendered once, and for whom.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use autovia::prelude::*;
use maud::html;

use crate::data::Log;
use crate::place;

/// Messages by room, for all shards.
#[derive(Clone, Default)]
struct Rooms(Arc<Mutex<BTreeMap<String, Vec<String>>>>);

impl Rooms {
    fn post(&self, room: &str, text: String) {
        self.0
            .lock()
            .expect("no poster panics")
            .entry(room.to_owned())
            .or_default()
            .push(text);
    }

    fn of(&self, room: &str) -> Vec<String> {
        self.0
            .lock()
            .expect("no poster panics")
            .get(room)
            .cloned()
            .unwrap_or_default()
    }
}

pub fn setup(app: &mut App) {
    // One for the process: the first shard to come makes it.
    static SHARED: std::sync::OnceLock<Rooms> = std::sync::OnceLock::new();
    app.data(SHARED.get_or_init(Rooms::default).clone());
    app.page("/room/{room}", room);
    app.page("/loaded/{room}", loaded);
    app.page("/pair/{side}", pair);
    app.page("/pair-list", pair_list);
    app.page("/route/{x}", route);
    app.page("/session", session);
    app.page("/global", global);
    app.page("/each", each);
    app.page("/each-time", each_time);
    app.page("/blank", blank);
    app.page("/self-broadcast", self_broadcast);
    app.page("/typing/{room}", typing);
    app.page("/note/{room}", note);
}

/// A view over the app's own data, in a room's scope.
fn room(page: &mut Page) {
    let room = page.join(|ctx| scope!("room:{}", ctx.param("room")));
    page.action("post", async move |ctx| {
        let text: String = ctx.arg()?;
        ctx.data::<Rooms>().post(&ctx.param("room"), text);
        ctx.broadcast(room)
    });
    page.action("wild", async |ctx| {
        let text: String = ctx.arg()?;
        for room in ["a", "b"] {
            ctx.data::<Rooms>().post(room, text.clone());
        }
        ctx.broadcast(scope!("room:*"))
    });
    page.action("storm", async move |ctx| {
        let times: u32 = ctx.arg()?;
        for n in 0..times {
            ctx.data::<Rooms>().post(&ctx.param("room"), n.to_string());
            ctx.broadcast(room)?;
        }
        autovia::Result::Ok(())
    });
    page.on_disconnect(async |ctx| {
        let left = format!("left room {}", ctx.param("room"));
        ctx.data::<Log>().note(left);
    });
    page.view(|view| {
        let log: &Log = view.data();
        let room = view.param("room");
        log.note(format!("render room {room} on {}", view.shard()));
        let messages = view.data::<Rooms>().of(&room);
        html! {
            main #room {
                h1 { (room) }
                p #messages { (messages.len()) ": " (messages.last().map_or("", String::as_str)) }
                (place(view))
            }
        }
    });
}

/// The same by a load.
fn loaded(page: &mut Page) {
    let room = page.join(|ctx| scope!("loaded:{}", ctx.param("room")));
    let messages = page.load(room, async |ctx| {
        let room = ctx.param("room");
        ctx.data::<Log>()
            .note(format!("load {room} on {}", ctx.shard()));
        let rooms = ctx.data::<Rooms>().clone();
        let found = ctx.blocking(move || rooms.of(&room)).await?;
        autovia::Result::Ok(found)
    });
    page.action("post", async move |ctx| {
        let text: String = ctx.arg()?;
        ctx.data::<Rooms>().post(&ctx.param("room"), text);
        ctx.broadcast(room)
    });
    page.view(move |view| {
        let messages = messages.get(view);
        html! { main #room { p #messages { (messages.len()) ": " (messages.last().map_or("", String::as_str)) } (place(view)) } }
    });
}

/// One scope, three different views: two by the path, one by another page.
fn pair(page: &mut Page) {
    say(page);
    page.view(|view| {
        let said = view.data::<Rooms>().of("pair").len();
        html! { main #pairs { p #pair { (view.param("side")) " says " (said) } (place(view)) } }
    });
}

fn pair_list(page: &mut Page) {
    say(page);
    page.view(|view| {
        let said = view.data::<Rooms>().of("pair").len();
        html! { main #pairs { p #pair { "list says " (said) } (place(view)) } }
    });
}

fn say(page: &mut Page) {
    let both = page.join(|_| scope!("pair"));
    page.action("say", async move |ctx| {
        ctx.data::<Rooms>().post("pair", "said".to_owned());
        ctx.broadcast(both)
    });
}

/// A shared value per concrete path.
fn route(page: &mut Page) {
    let visits = page.shared(Scope::ROUTE, "visits", || 0_i64);
    page.action("visit", async move |ctx| {
        visits
            .increment(ctx, 1)
            .await
            .map(drop)
            .map_err(autovia::Error::from)
    });
    page.action("touch", async |ctx| ctx.broadcast(Scope::ROUTE));
    page.view(move |view| {
        view.data::<Log>()
            .note(format!("render route {}", view.param("x")));
        html! { main #route { p #visits { (visits.text(view)) } (place(view)) } }
    });
}

/// A shared value per session, shown by the view itself.
fn session(page: &mut Page) {
    let name = page.shared(Scope::SESSION, "name", || "Anonymous".to_owned());
    let topic = page.shared_input(Scope::SESSION, "topic", || "none".to_owned());
    page.action("rename", async move |ctx| {
        let new: String = ctx.arg()?;
        name.set(ctx, new).await?;
        autovia::Result::Ok(())
    });
    page.action("touch", async |ctx| ctx.broadcast(Scope::SESSION));
    page.view(move |view| {
        html! {
            main #session {
                p #name { "I am " (name.get(view)) }
                input #topic data-bind=(topic);
                (place(view))
            }
        }
    });
}

/// One value for all, and one render for all who see the same.
fn global(page: &mut Page) {
    let total = page.shared(Scope::GLOBAL, "total", || 0_i64);
    let mine = page.signal("mine", 0_i64);
    page.action("add", async move |ctx| {
        mine.update(ctx, |n| n + 1);
        total.increment(ctx, 1).await?;
        autovia::Result::Ok(())
    });
    page.action("add-many", async move |ctx| {
        let times: u32 = ctx.arg()?;
        for _ in 0..times {
            total.increment(ctx, 1).await?;
        }
        autovia::Result::Ok(())
    });
    page.action("same", async move |ctx| {
        total
            .update(ctx, |n| n)
            .await
            .map(drop)
            .map_err(autovia::Error::from)
    });
    page.action("touch", async |ctx| ctx.broadcast(Scope::GLOBAL));
    page.view(move |view| {
        view.data::<Log>().note("render global");
        html! { main #global { p #total { (total.text(view)) } p #mine { (mine.text(view)) } (place(view)) } }
    });
}

/// A view that shows a value of the context: it may be shared only with its equals.
fn each(page: &mut Page) {
    let name = page.input("name", "nobody".to_owned());
    page.action("call", async |ctx| ctx.broadcast(Scope::ROUTE));
    page.action("set", async |_ctx| {});
    page.view(move |view| {
        view.data::<Log>().note("render each");
        html! { main #each { p #name { "for " (name.get(view)) } } }
    });
}

/// A view that says that it is more than what it reads.
fn each_time(page: &mut Page) {
    page.action("call", async |ctx| ctx.broadcast(Scope::ROUTE));
    page.view_each(|view| {
        let log: &Log = view.data();
        log.note("render each time");
        html! { main #time { p #now { (log.count("render each time")) } (place(view)) } }
    });
}

/// A view that has nothing to say in updates.
fn blank(page: &mut Page) {
    let count = page.signal("count", 0_i64);
    page.action("add", async move |ctx| count.update(ctx, |n| n + 1));
    page.view(move |view| {
        let count = count.get(view);
        html! { @if !view.is_update() { main #blank { (count) } } }
    });
}

/// A load that broadcasts its own scope: held to the scope's rate.
fn self_broadcast(page: &mut Page) {
    let looping = page.join(|_| scope!("loop"));
    let runs = page.load(looping, async move |ctx| {
        ctx.data::<Log>().note("loop");
        ctx.broadcast(looping)?;
        autovia::Result::Ok(ctx.data::<Log>().count("loop"))
    });
    page.view(move |view| html! { main #looping { (runs.get(view)) } });
}

/// A shared value that a period clears.
fn typing(page: &mut Page) {
    let room = page.join(|ctx| scope!("typing:{}", ctx.param("room")));
    let typing = page.shared(room, "typing", String::new);
    page.action("type", async move |ctx| {
        let who: String = ctx.arg()?;
        typing.set(ctx, who).await.map_err(autovia::Error::from)
    });
    page.every(std::time::Duration::from_millis(300), async move |ctx| {
        ctx.data::<Log>().note("tick typing");
        typing
            .set(ctx, String::new())
            .await
            .map_err(autovia::Error::from)
    });
    page.view(move |view| html! { main #typing { (typing.text(view)) } });
}

/// A value that a room shares and that stays as it was written.
fn note(page: &mut Page) {
    let room = page.join(|ctx| scope!("note:{}", ctx.param("room")));
    let note = page.shared(room, "note", String::new);
    page.action("write", async move |ctx| {
        note.set(ctx, ctx.arg()?).await?;
        autovia::Result::Ok(())
    });
    page.view(move |view| html! { main #note { (note.text(view)) (place(view)) } });
}
