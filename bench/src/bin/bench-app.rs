//! The pages of the suites on autovia: for the fan-out views that show a sequence number, in one scope or in many,
//! shared or one for each viewer; for the actions a counter; for the nodes one that shows how often it was rendered, those that make it stale, and what a node counts.

use std::sync::atomic::{AtomicU64, Ordering};

use autovia::prelude::*;
use autovia_bench::event;
use autovia_bench::load::page::ticks_of;
use autovia_bench::suites::nodes;
use clap::Parser;
use maud::html;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    server: ServerArgs,
}

fn main() {
    let cli = Cli::parse();
    end_with_stdin();
    Server::from_args(cli.server).run(|app| {
        app.page("/bench", bench);
        app.page("/own", own);
        app.page("/own-by-maud", own_by_maud);
        app.template("own.html", OWN_TEMPLATE);
        app.page("/own-by-template", own_by_template);
        app.page("/large", large);
        app.page("/rooms/{rooms}/{room}", rooms);
        app.page("/sparse/{rooms}/{room}", sparse);
        app.page("/value", value);
        app.page("/watched", watched);
        app.page("/click", click);
        app.page("/burst", burst);
        app.page("/peers", peers);
    });
}

fn bench(page: &mut Page) {
    tick_for_all(page);
    page.view(|view| Html::trusted(event::html(seq(view))));
}

fn own(page: &mut Page) {
    tick_for_all(page);
    page.view(|view| Html::trusted(event::own(seq(view), view.tab())));
}

/// What fills an element to the others' size.
const PADDING: &str =
    "........................................................................................";

fn own_by_maud(page: &mut Page) {
    tick_for_all(page);
    page.view(|view| {
        html! { p id="bench" { "seq=" (seq(view)) " viewer=" (view.tab()) " " (PADDING) } }
    });
}

const OWN_TEMPLATE: &str = r#"<p id="bench">seq={{ seq }} viewer={{ viewer }} {{ padding }}</p>"#;

fn own_by_template(page: &mut Page) {
    tick_for_all(page);
    page.template(
        "own.html",
        |view| context! { seq => seq(view), viewer => view.tab(), padding => PADDING },
    );
}

fn large(page: &mut Page) {
    tick_for_all(page);
    page.view(|view| Html::trusted(event::large(seq(view))));
}

fn tick_for_all(page: &mut Page) {
    page.action("tick", async |ctx| {
        ctx.global().increment("seq", 1).await?;
        ctx.broadcast(Scope::GLOBAL)
    });
}

fn seq(view: &View) -> u64 {
    view.global("seq").unwrap_or(None).unwrap_or(0)
}

fn rooms(page: &mut Page) {
    page.join(|ctx| scope!("room:{}", ctx.param("room")));
    page.action("tick", async |ctx| {
        ctx.global().increment("seq", 1).await?;
        for room in 0..number(&ctx.param("rooms")) {
            ctx.broadcast(scope!("room:{}", room))?;
        }
        Ok(())
    });
    page.view(|view| Html::trusted(event::html(seq(view))));
}

fn sparse(page: &mut Page) {
    page.join(|ctx| scope!("room:{}", ctx.param("room")));
    page.action("tick", async |ctx| {
        let tick = ctx.global().increment("seq", 1).await?;
        let rooms = i64::from(number(&ctx.param("rooms")).max(1));
        ctx.broadcast(scope!("room:{}", tick % rooms))
    });
    page.view(|view| {
        let (rooms, room) = (
            number(&view.param("rooms")).max(1),
            number(&view.param("room")),
        );
        Html::trusted(event::html(ticks_of(rooms, room as usize, seq(view))))
    });
}

/// A number of an address; nonsense is 0.
fn number(text: &str) -> u32 {
    text.parse().unwrap_or(0)
}

fn value(page: &mut Page) {
    let count = page.signal("count", 0_i64);
    page.action("add", async move |ctx| count.update(ctx, |n| n + 1));
    page.view(move |view| count.text(view));
}

/// Renders of the watched page: what is stale crosses nodes, and no value, so each render has to show another one.
static RENDERS: AtomicU64 = AtomicU64::new(0);

fn watched(page: &mut Page) {
    page.join(|_| scope!("n:{}", nodes::last_room()));
    page.view(|_| Html::trusted(event::html(RENDERS.fetch_add(1, Ordering::Relaxed) + 1)));
}

fn click(page: &mut Page) {
    page.action("tick", async |ctx| {
        ctx.broadcast(scope!("n:{}", nodes::last_room()))
    });
    page.view(|_| Html::text("one room"));
}

fn burst(page: &mut Page) {
    page.action("tick", async |ctx| {
        for room in nodes::rooms() {
            ctx.broadcast(scope!("n:{}", room))?;
        }
        Ok(())
    });
    page.view(|_| Html::text("all rooms"));
}

fn peers(page: &mut Page) {
    page.join(|_| Scope::PEERS);
    page.view(|view| {
        // Each report is to be an event, though its counts may be those of the one before.
        static REPORTS: AtomicU64 = AtomicU64::new(0);
        let peers = view.peers();
        Html::trusted(format!(
            "<p id=\"peers\">connected={} published={} received={} waiting={} gaps={} renders={} report={}</p>",
            u8::from(peers.connected),
            peers.published,
            peers.received,
            peers.waiting,
            peers.gaps,
            RENDERS.load(Ordering::Relaxed),
            REPORTS.fetch_add(1, Ordering::Relaxed),
        ))
    });
}

/// The suite closes this program's stdin when it is done with it, or has died itself.
fn end_with_stdin() {
    std::thread::spawn(|| {
        std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).ok();
        std::process::exit(0);
    });
}
