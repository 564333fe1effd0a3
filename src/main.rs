//! The command line: the showcase, or `autovia doctor`.

use autovia::{Server, ServerArgs};
use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[path = "../examples/counter.rs"]
mod counter;

#[derive(Parser)]
#[command(
    name = "autovia",
    version,
    about = "A reactive web server, thread-per-core: this binary serves its showcase"
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Checks whether this machine can run the server, and says what to change.
    Doctor,
}

fn main() {
    let cli = Cli::parse();
    if let Some(Command::Doctor) = cli.command {
        std::process::exit(autovia::server::doctor::report());
    }
    Server::from_args(cli.server).run(|app| app.page("/", counter::counter))
}
