//! The command line: the showcase, or `autovia doctor`.

use std::path::PathBuf;

use autovia::{Server, ServerArgs};
use clap::{Parser, Subcommand};

mod showcase;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(
    name = "autovia",
    version,
    about = "A reactive web server, thread-per-core: this binary serves its showcase"
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// File of the chat's messages
    #[arg(long, value_name = "FILE", env = "CHAT_DB", default_value_os_t = showcase::chat_file())]
    chat_db: PathBuf,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Checks whether this machine can run the server, and says what to change.
    Doctor {
        /// Says what so many open streams need here, and what to change
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
        streams: Option<u64>,
    },
}

fn main() {
    let cli = Cli::parse();
    if let Some(Command::Doctor { streams }) = cli.command {
        let code = match streams {
            None => autovia::server::doctor::report_for(cli.server),
            Some(streams) => autovia::server::doctor::report_streams(streams),
        };
        std::process::exit(code);
    }
    let site = showcase::site(&cli.chat_db).unwrap_or_else(|error| {
        eprintln!("autovia: {error}");
        std::process::exit(1)
    });
    Server::from_args(cli.server).run(site)
}
