//! Game of life: one board for everybody, five frames a second, each rendered once per shard.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use autovia::prelude::*;
use maud::html;

#[path = "life/world.rs"]
mod world;

pub use world::Board;
use world::{COLOURS, SIDE};

#[allow(dead_code)] // The showcase mounts the page function alone.
fn main() {
    let board = board();
    autovia::run(move |app| {
        setup(app, &board);
        app.page("/examples/game-of-life", page);
    });
}

/// The one board of this process.
pub fn board() -> Arc<Board> {
    Arc::default()
}

/// Gives the app its board and the clock that moves it.
pub fn setup(app: &mut App, board: &Arc<Board>) {
    app.data(Arc::clone(board));
    let board = Arc::clone(board);
    app.every(Duration::from_millis(200), async move |app| {
        if board.tick() {
            app.broadcast(scope!("life"))?; // every open board, on every shard
        }
        Ok(())
    });
}

/// The board, its two buttons and the clock's reading.
pub fn page(page: &mut Page) {
    let scope = page.join(|_| scope!("life"));
    let colour = page.shared(Scope::SESSION, "colour", next_colour);

    let toggle = page.action("toggleRunning", async move |ctx| {
        board_of(ctx).toggle();
        ctx.broadcast(scope)
    });
    let reset = page.action("reset", async move |ctx| {
        board_of(ctx).reset();
        ctx.broadcast(scope)
    });
    let tap = page.action("tapCell", async move |ctx| {
        match ctx.arg::<usize>() {
            Ok(cell) if board_of(ctx).tap(cell, colour.get(ctx)) => ctx.broadcast(scope),
            _ => Ok(()), // no cell of this board
        }
    });
    page.on_connect(async |ctx| board_of(ctx).enter());
    page.on_disconnect(async |ctx| board_of(ctx).leave());

    page.title(|_| "Game of life".to_owned());
    page.view(move |view| {
        // Nothing here is read by `get`, so all viewers of a shard share one rendering.
        let frame = view.data::<Arc<Board>>().frame();
        html! {
            section.live.stack #life data-signals:_cursor__ifmissing="1224" {
                div.row {
                    button #toggle data-on:click=(toggle) { @if frame.running { "Pause" } @else { "Run" } }
                    button.quiet #life-reset data-on:click=(reset) { "Clear" }
                    span.soft {
                        "generation " b.num #generation { (frame.generation) }
                        " · " b.num #alive { (frame.alive) } " alive · your colour "
                    }
                    b.lane-tag #colour data-attr:class="'lane-tag c' + $colour" { (colour.text(view)) }
                }
                div.board #board {
                    svg viewBox={"0 0 " (SIDE) " " (SIDE)} role="img" aria-label={
                        "Board of " (SIDE) " by " (SIDE) " cells, " (frame.alive) " alive, generation " (frame.generation)
                    } {
                        @for (path, colour) in frame.paths.iter().zip(1..) {
                            path class={"c" (colour)} d=(path) {}
                        }
                        rect.cursor width="1" height="1" data-attr:x={"$_cursor % " (SIDE)}
                            data-attr:y={"Math.floor($_cursor / " (SIDE) ")"} {}
                    }
                    button.hit #hit aria-label="Draw on the board: arrow keys move the cursor, Enter draws"
                        data-on:keydown=(KEYS)
                        data-on:click={(POINT) "; @act('" (tap.name()) "', $_cursor)"} {}
                }
            }
        }
    });
}

/// Arrow keys move the cursor, which lives in the browser alone.
const KEYS: &str = "const step = {ArrowLeft: 2499, ArrowRight: 1, ArrowUp: 2450, ArrowDown: 50}[evt.key] ?? 0; \
    step && (evt.preventDefault(), $_cursor = ($_cursor + step) % 2500)";

/// A click of the pointer moves the cursor there; Enter, whose click has no `detail`, doesn't.
const POINT: &str = "const [x, y] = [evt.offsetX / el.clientWidth, evt.offsetY / el.clientHeight].map((part) => Math.min(49, Math.floor(part * 50))); \
    $_cursor = evt.detail ? y * 50 + x : $_cursor";

fn board_of(ctx: &Ctx) -> &Board {
    ctx.data::<Arc<Board>>()
}

/// Six colours, in the order in which browsers join; all tabs of one have the same.
fn next_colour() -> u8 {
    static JOINED: Mutex<u8> = Mutex::new(0);
    let mut joined = JOINED.lock().unwrap_or_else(PoisonError::into_inner);
    *joined = *joined % COLOURS + 1;
    *joined
}
