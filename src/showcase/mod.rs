//! The site that this binary serves: the examples in one frame, a home page, error pages.
//!
//! [`site`] makes what all shards share once; each shard defines the same pages from it. An example
//! is the file in `examples/` itself, mounted by its page function and shown as its source.

mod demos;
mod errors;
mod frame;
mod home;
mod nodes;
mod road;
mod source;
mod traffic;

#[path = "../../examples/all_scopes.rs"]
mod all_scopes;
#[path = "../../examples/chat.rs"]
mod chat;
#[path = "../../examples/counter.rs"]
mod counter;
#[path = "../../examples/failures.rs"]
mod failures;
#[path = "../../examples/life.rs"]
mod life;
#[path = "../../examples/stock.rs"]
mod stock;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use autovia::Result;
use autovia::prelude::*;

use frame::{Example, frame};
use road::Road;

/// Where the chat keeps its messages, when nothing else is said.
pub fn chat_file() -> PathBuf {
    chat::default_path()
}

/// The site: what defines its pages on each shard.
///
/// # Errors
/// When the chat's messages can't be opened.
pub fn site(chat_file: &Path) -> Result<impl Fn(&mut App) + Send + Sync + 'static> {
    let road = Arc::<Road>::default();
    let rooms = chat::open(chat_file)?;
    let market = stock::market();
    let board = life::board();
    Ok(move |app: &mut App| {
        app.error_page(errors::error_page);
        home::mount(app, &road);
        nodes::mount(app);
        app.page("/examples/counter", frame(COUNTER, counter::counter));
        for path in all_scopes::PATHS {
            app.page(path, frame(SCOPES, all_scopes::all_scopes));
        }
        chat::setup(app, &rooms);
        app.page("/examples/chat-room", frame(CHAT, chat::lobby));
        app.page("/examples/chat-room/room/{room}", frame(CHAT, chat::room));
        stock::setup(app, &market);
        app.page("/examples/stock-ticker", frame(STOCKS, stock::dashboard));
        app.page(
            "/examples/stock-ticker/stock/{symbol}",
            frame(STOCK, stock::detail),
        );
        app.page("/examples/failures", frame(FAILURES, failures::failures));
        life::setup(app, &board);
        app.page("/examples/game-of-life", frame(LIFE, life::page));
    })
}

const COUNTER: Example = Example {
    path: "/examples/counter",
    title: "Counter",
    lead: "Two values, three actions, one field.",
    notice: "A click sends the step and gets one value back: look at the network tab, no HTML travels. Another tab has a counter of its own, since a signal lives in its page.",
    file: "examples/counter.rs",
    source: include_str!("../../examples/counter.rs"),
    marked: &[
        "page.signal(",
        "page.input(",
        "count.update(ctx, |n| n.saturating_add",
    ],
};

const FAILURES: Example = Example {
    path: "/examples/failures",
    title: "When things go wrong",
    lead: "A failure has one user, and one place.",
    notice: "Whatever you break, the button that works still works, here and in the other window. An error is told beside the button that was clicked; a panic's own text goes to the log, never to the page.",
    file: "examples/failures.rs",
    source: include_str!("../../examples/failures.rs"),
    marked: &[
        "The kettle is empty.",
        "shards[shards.len()]",
        "Error::refused(",
        "assert!(!broken.get(view)",
        "the source of the data is away",
    ],
};

const SCOPES: Example = Example {
    path: "/examples/all-scopes",
    title: "All scopes",
    lead: "A scope says who a change concerns.",
    notice: "Open page A in one window and page B in another: ROUTE differs, SESSION and GLOBAL don’t. A private window is another session, and what you keep in TAB is seen by nobody else.",
    file: "examples/all_scopes.rs",
    source: include_str!("../../examples/all_scopes.rs"),
    marked: &[
        "Scope::ROUTE)",
        "Scope::SESSION)",
        "scope!(\"room:blue\")",
        "count.increment(ctx, 1)",
        "ctx.broadcast(Scope::GLOBAL)",
    ],
};

const CHAT: Example = Example {
    path: "/examples/chat-room",
    title: "Chat with rooms",
    lead: "A room is a scope.",
    notice: "A message wakes the pages of its room, on every shard, and no others; your half-typed text stays while others write. Close a tab, and its badge leaves the other windows.",
    file: "examples/chat.rs",
    source: include_str!("../../examples/chat.rs"),
    marked: &[
        "scope!(\"chat:{}\", ctx.param(\"room\"))",
        "let last = page.load(room",
        "draft.take(ctx)",
        "ctx.broadcast(room)",
    ],
};

const STOCKS: Example = Example {
    path: "/examples/stock-ticker",
    title: "Stock ticker",
    lead: "Eight invented prices, a new one every two seconds.",
    notice: "Two windows show the same number at the same tick: one timer in the process, one rendering per shard. Click a symbol to see its curve.",
    file: "examples/stock.rs",
    source: include_str!("../../examples/stock.rs"),
    marked: &[
        "app.every(secs(2)",
        "app.broadcast(scope!(\"stock:*\"))",
        "page.join(|_| scope!(\"stock:all\"))",
    ],
};

const STOCK: Example = Example {
    lead: "One curve, drawn from values.",
    notice: "Only a few values travel per tick, and no HTML: look at the network tab. A page that shows one symbol never hears of another.",
    marked: &[
        "scope!(\"stock:{}\", ctx.param(\"symbol\"))",
        "price.set(ctx",
        "points.set(ctx",
    ],
    ..STOCKS
};

const LIFE: Example = Example {
    path: "/examples/game-of-life",
    title: "Game of life",
    lead: "One board for everybody. Tap to draw.",
    notice: "Everybody draws on one board, five frames a second; each frame is rendered once per shard, however many watch. Pause here, and it stands still in every window.",
    file: "examples/life.rs",
    source: include_str!("../../examples/life.rs"),
    marked: &[
        "app.every(",
        "app.broadcast(scope!(\"life\"))",
        "let frame = view.data",
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_is_on_a_line_of_its_source() {
        for example in [COUNTER, SCOPES, CHAT, STOCKS, STOCK, LIFE] {
            for mark in example.marked {
                assert!(
                    example.source.lines().any(|line| line.contains(mark)),
                    "{}: {mark}",
                    example.file
                );
            }
        }
    }
}
