//! The pages of the suites on autovia: for the fan-out one view in GLOBAL scope that shows a sequence number, for
//! the nodes one that shows how often it was rendered, those that make it stale, and what a node counts.

use std::sync::atomic::{AtomicU64, Ordering};

use autovia::prelude::*;
use autovia_bench::event;
use autovia_bench::suites::nodes;
use clap::Parser;

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
        app.page("/watched", watched);
        app.page("/click", click);
        app.page("/burst", burst);
        app.page("/peers", peers);
    });
}

fn bench(page: &mut Page) {
    page.action("tick", async |ctx| {
        ctx.global().increment("seq", 1).await?;
        ctx.broadcast(Scope::GLOBAL)
    });
    page.view(|view| {
        let seq: Option<u64> = view.global("seq").unwrap_or(None);
        Html::trusted(event::html(seq.unwrap_or(0)))
    });
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
