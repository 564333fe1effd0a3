//! The floor server: sends events and does nothing else. Ends when its standard input is closed.

use std::io;
use std::net::TcpListener;

use autovia_bench::peers::floor::{self, Fanout, OneByOne};
use autovia_bench::peers::process::announce;
use autovia_bench::peers::sabotage::{Faults, Sabotage};
use autovia_bench::peers::uring::Batched;
use clap::{Parser, ValueEnum};

#[derive(Parser)]
struct Options {
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// How events reach the sockets.
    #[arg(long, value_enum, default_value_t = By::Epoll)]
    by: By,
    #[command(flatten)]
    faults: Faults,
}

#[derive(Clone, Copy, ValueEnum)]
enum By {
    /// One `send(2)` per stream.
    Epoll,
    /// Batches of io_uring sends.
    Uring,
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    let listener = TcpListener::bind(("127.0.0.1", options.port))?;
    let mut fanout: Box<dyn Fanout> = match (Sabotage::new(options.faults), options.by) {
        (Some(sabotage), _) => Box::new(sabotage),
        (None, By::Epoll) => Box::new(OneByOne),
        (None, By::Uring) => Box::new(Batched::new()?),
    };
    announce(listener.local_addr()?)?;
    floor::serve(listener, io::stdin(), fanout.as_mut())
}
