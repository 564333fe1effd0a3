//! A page whose values carry their owner's mark, for the test that compares the server with a model.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use autovia::prelude::*;
use autovia::{Error, Result};
use maud::html;

use crate::data::{Gate, Log};
use crate::place;

/// What the clicks did, beside the server's own books.
#[derive(Default)]
struct Books {
    /// The clicks that ran, by page.
    clicks: BTreeMap<u64, BTreeSet<u64>>,
    /// Clicks that ran twice.
    doubles: u64,
    /// Posts, by room.
    posts: BTreeMap<String, u64>,
}

#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<Books>>);

impl Shelf {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().expect("no writer panics")
    }

    fn posts(&self, room: &str) -> u64 {
        self.books().posts.get(room).copied().unwrap_or(0)
    }
}

pub fn setup(app: &mut App) {
    static SHELF: std::sync::OnceLock<Shelf> = std::sync::OnceLock::new();
    app.data(SHELF.get_or_init(Shelf::default).clone());
    app.page("/model/{room}/{other}", model);
    app.page("/model-books", books);
    app.page("/held-load", held_load);
}

fn model(page: &mut Page) {
    // The two may be the same room.
    let room = page.join(|ctx| scope!("model:{}", ctx.param("room")));
    let other = page.join(|ctx| scope!("model:{}", ctx.param("other")));
    let count = page.signal("count", 0_u64);
    let mine = page.signal("mine", String::new());
    let draft = page.input("draft", String::new());
    let echo = page.signal("echo", String::new());
    let badge = page.shared(Scope::SESSION, "badge", String::new);
    let total = page.shared(room, "total", || 0_i64);
    let all = page.shared(Scope::GLOBAL, "all", || 0_i64);
    clicks(page, count);
    page.action("mark", async move |ctx| {
        mine.set(ctx, ctx.arg()?);
        Result::Ok(())
    });
    page.action("write", async move |ctx| echo.set(ctx, draft.get(ctx)));
    page.action("badge", async move |ctx| {
        badge.set(ctx, ctx.arg()?).await?;
        Result::Ok(())
    });
    page.action("add", async move |ctx| {
        total.increment(ctx, 1).await?;
        Result::Ok(())
    });
    page.action("add-all", async move |ctx| {
        all.increment(ctx, 1).await?;
        Result::Ok(())
    });
    page.action("post", async move |ctx| {
        let reach: String = ctx.arg()?;
        let posted = ctx.param("room");
        *ctx.data::<Shelf>().books().posts.entry(posted).or_default() += 1;
        match reach.as_str() {
            "all rooms" => return ctx.broadcast(scope!("model:*")),
            "global" => return ctx.broadcast(Scope::GLOBAL),
            "route" => ctx.broadcast(Scope::ROUTE)?,
            "session" => ctx.broadcast(Scope::SESSION)?,
            "other" => ctx.broadcast(other)?,
            _ => {}
        }
        ctx.broadcast(room)
    });
    page.action("fail", async |ctx| -> Result {
        Err(Error::new(ctx.arg::<String>()?))
    });
    page.action("script", async |ctx| {
        let mark: String = ctx.arg()?;
        ctx.execute_script(&format!("window.last = '{mark}'"))
    });
    page.on_connect(async |ctx| ctx.data::<Log>().note("model connect"));
    page.on_disconnect(async |ctx| ctx.data::<Log>().note("model disconnect"));
    page.on_cleanup(async |ctx| ctx.data::<Log>().note("model cleanup"));
    // It reads nothing of its viewer: one rendering for all of a room.
    let board = page.component("board", |page| {
        page.view(|view| {
            let shelf: &Shelf = view.data();
            let [room, other] = ["room", "other"].map(|name| view.param(name));
            let (posts, others) = (shelf.posts(&room), shelf.posts(&other));
            html! {
                p #posts { "~R." (room) "." (posts) "~" }
                p #others { "~R." (other) "." (others) "~" }
            }
        });
    });
    // It reads what is its viewer's own, and its session's.
    page.view(move |view| {
        html! {
            main #model {
                p #own { (mine.get(view)) }
                p #of-session { (badge.get(view)) }
                p { (count.text(view)) (echo.text(view)) (total.text(view)) (all.text(view)) }
                input data-bind=(draft);
                (board.html(view))
                (place(view))
            }
        }
    });
}

/// The arguments of a click: the page's number and the click's own, which are never used twice.
fn clicks(page: &mut Page, count: Signal<u64>) {
    fn note(ctx: &Ctx) -> Result {
        let (page, click): (u64, u64) = (ctx.arg()?, ctx.arg_at(1)?);
        let mut books = ctx.data::<Shelf>().books();
        if !books.clicks.entry(page).or_default().insert(click) {
            books.doubles += 1;
        }
        Ok(())
    }
    page.action("click", async move |ctx| {
        note(ctx)?;
        count.update(ctx, |n| n + 1);
        Result::Ok(())
    });
    // Others have their turn in the middle of it.
    page.action("click-later", async move |ctx| {
        let before = count.get(ctx);
        ctx.blocking(|| ()).await?;
        note(ctx)?;
        count.set(ctx, before + 1);
        Result::Ok(())
    });
}

/// `page=clicks` for each page, `doubles=` for all.
fn books(page: &mut Page) {
    page.view_each(|view| {
        let books = view.data::<Shelf>().books();
        let lines = books.clicks.iter();
        let text: String = lines
            .map(|(page, clicks)| format!("{page}={}\n", clicks.len()))
            .collect();
        html! { pre #books { (text) "doubles=" (books.doubles) "\n" } }
    });
}

/// A page whose data comes when the gate is opened.
fn held_load(page: &mut Page) {
    let held = page.load(Scope::ROUTE, async |ctx| {
        ctx.data::<Log>().note("held load");
        let gate = ctx.data::<Gate>().clone();
        ctx.blocking(move || gate.wait()).await?;
        Result::Ok(())
    });
    page.view(move |view| {
        let () = *held.get(view);
        html! { main #held { "loaded" (place(view)) } }
    });
}
