//! What several nodes show of one store: a folder of files, in which each room has one.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use autovia::prelude::*;
use maud::html;

use crate::place;

/// Where the rooms' files are; the nodes of a test share it.
#[derive(Clone)]
pub struct Store(pub PathBuf);

impl Store {
    fn path(&self, room: &str) -> PathBuf {
        self.0.join(room.replace('/', "_"))
    }

    fn read(&self, room: &str) -> String {
        std::fs::read_to_string(self.path(room)).unwrap_or_else(|_| "nothing".to_owned())
    }
}

/// Readers see the old text or the new one, never half of it.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    static NUMBER: Mutex<u64> = Mutex::new(0);
    let number = {
        let mut number = NUMBER.lock().unwrap_or_else(PoisonError::into_inner);
        *number += 1;
        *number
    };
    let new = path.with_extension(format!("{}-{number}", std::process::id()));
    std::fs::write(&new, text)?;
    std::fs::rename(new, path)
}

pub fn setup(app: &mut App) {
    app.page("/board/{room}", board);
    app.page("/shelf/{room}", shelf);
    app.page("/own/{room}", own);
    app.page("/peers", peers);
}

/// A view over the store, in a room's scope.
fn board(page: &mut Page) {
    let room = page.join(|ctx| scope!("board:{}", ctx.param("room")));
    let mine = page.signal("mine", 0_i64);
    page.action("post", async move |ctx| {
        store_argument(ctx).await?;
        ctx.broadcast(room)
    });
    page.action("post-wild", async |ctx| {
        store_argument(ctx).await?;
        ctx.broadcast(scope!("board:*"))
    });
    page.action("post-global", async |ctx| {
        store_argument(ctx).await?;
        ctx.broadcast(Scope::GLOBAL)
    });
    page.action("post-route", async |ctx| {
        store_argument(ctx).await?;
        ctx.broadcast(Scope::ROUTE)
    });
    page.action("post-session", async |ctx| {
        store_argument(ctx).await?;
        ctx.broadcast(Scope::SESSION)
    });
    page.action("mine", async move |ctx| mine.update(ctx, |n| n + 1));
    page.view(move |view| {
        let text = view.data::<Store>().read(&view.param("room"));
        html! { main #board { p #shown { (text) } p #mine { (mine.text(view)) } (place(view)) } }
    });
}

/// The same by a load.
fn shelf(page: &mut Page) {
    let room = page.join(|ctx| scope!("board:{}", ctx.param("room")));
    let text = page.load(room, async |ctx| {
        let (store, room) = (ctx.data::<Store>().clone(), ctx.param("room").to_string());
        let found = ctx.blocking(move || store.read(&room)).await?;
        autovia::Result::Ok(found)
    });
    page.view(move |view| {
        html! { main #shelf { p #shown { (text.get(view)) } (place(view)) } }
    });
}

/// The same for members of nothing but the session, the route and all.
fn own(page: &mut Page) {
    page.view(|view| {
        let text = view.data::<Store>().read(&view.param("room"));
        html! { main #own { p #shown { (text) } (place(view)) } }
    });
}

async fn store_argument(ctx: &Ctx) -> autovia::Result {
    let text: String = ctx.arg()?;
    let path = ctx.data::<Store>().path(&ctx.param("room"));
    ctx.blocking(move || write(&path, &text)).await??;
    Ok(())
}

/// `/peers`: what the node knows of its link and of the others, one line each: `name=value`.
fn peers(page: &mut Page) {
    page.join(|_| Scope::PEERS);
    page.view_each(|view| {
        let peers = view.peers();
        let lines = [
            ("peers", peers.peers.len() as u64),
            ("links", peers.links),
            ("failures", peers.failures),
            ("waiting", peers.waiting),
            ("published", peers.published),
            ("received", peers.received),
            ("dropped", peers.dropped),
            ("gaps", peers.gaps),
            ("resyncs", peers.resyncs),
            ("connected", peers.connected.into()),
            ("publishing", peers.publishing.into()),
            ("receiving", peers.receiving.into()),
        ];
        let text: String = lines
            .iter()
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect();
        html! { main #peers { p #node { (peers.node) } pre #counts { (text) } (place(view)) } }
    });
}
