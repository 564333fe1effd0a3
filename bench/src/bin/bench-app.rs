//! The page of the fan-out suite on autovia: one view in GLOBAL scope that shows a sequence number.

use autovia::prelude::*;
use autovia_bench::event;
use clap::Parser;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    server: ServerArgs,
}

fn main() {
    let cli = Cli::parse();
    end_with_stdin();
    Server::from_args(cli.server).run(|app| app.page("/bench", bench));
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

/// The suite closes this program's stdin when it is done with it, or has died itself.
fn end_with_stdin() {
    std::thread::spawn(|| {
        std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).ok();
        std::process::exit(0);
    });
}
