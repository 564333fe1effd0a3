//! Memory of those who only hold a connection: streams, kept-alive connections, parked pages.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::{TRIO, board};
use crate::cpu;
use crate::load::Board;
use crate::peers::Peer;
use crate::suites::metrics;
use crate::suites::rig::{Rig, Server, each};
use crate::suites::sheet::Options;
use crate::suites::{Figure, Plan, SuiteError};
use crate::table::thousands;

/// Pages that have to be parked by then.
const PARKED_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);

/// The plan.
pub const PLAN: Plan = Plan {
    name: "idle",
    title: "Memory of the quiet",
    columns: &["user bytes each", "kernel bytes each, both ends"],
    floor: "axum",
    notes: &[
        "User bytes are what the server's resident memory grows by, per stream, connection or page; an autovia stream \
         has its context in it. Targets: 2,048 per stream, 1,024 per kept-alive connection, 1,024 per parked page.",
        "Kernel bytes are what the machine's slab and socket buffers grow by, for both ends of a connection, since both are here. \
         Other programs on the machine blur them.",
        "A parked page has lost its stream for longer than `--away-seconds`; what is measured is the memory that is \
         still resident beyond that of the empty server, so what the allocator keeps for the next peak is in it.",
        "The floor of this table is axum, since the epoll floor keeps next to nothing.",
    ],
    peers: &TRIO,
    round,
};

fn round(rig: &Rig, options: &Options) -> Result<Vec<Figure>, SuiteError> {
    let mut figures = Vec::new();
    for streams in [options.streams / 10, options.streams] {
        for peer in TRIO {
            let server = rig.start(peer, &[])?;
            let before = memory(&server)?;
            let load = server.open(board(peer, Board::One), streams)?;
            let values = grown(&server, before, streams)?;
            server.finish(load)?;
            let case = format!("{} streams", thousands(streams.into()));
            figures.push(Figure::new(case, peer.name(), &values));
        }
    }
    let case = format!(
        "{} kept-alive connections",
        thousands(options.streams.into())
    );
    for peer in TRIO {
        let server = rig.start(peer, &[])?;
        let before = memory(&server)?;
        let connections = (0..options.streams)
            .map(|index| kept_alive(server.address(), index))
            .collect::<io::Result<Vec<_>>>()
            .map_err(SuiteError::system("opening connections that stay idle"))?;
        let values = grown(&server, before, options.streams)?;
        drop(connections);
        figures.push(Figure::new(case.as_str(), peer.name(), &values));
    }
    let case = format!("{} parked pages", thousands(options.streams.into()));
    let server = rig.start(Peer::Autovia, &["--shards", "1", "--away-seconds", "1"])?;
    let before = memory(&server)?;
    drop(server.open(board(Peer::Autovia, Board::One), options.streams)?);
    wait_for_parked(&server, options.streams)?;
    let [user, _] = grown(&server, before, options.streams)?;
    figures.push(Figure::new(case, Peer::Autovia.name(), &[user, f64::NAN]));
    Ok(figures)
}

/// Resident memory of the server, and the kernel's of all sockets.
fn memory(server: &Server) -> Result<[u64; 2], SuiteError> {
    let kernel = cpu::socket_bytes().map_err(SuiteError::system("reading the kernel's memory"))?;
    Ok([server.resident()?, kernel])
}

fn grown(server: &Server, before: [u64; 2], count: u32) -> Result<[f64; 2], SuiteError> {
    let now = memory(server)?;
    #[expect(clippy::cast_precision_loss, reason = "memory of one machine")]
    let grown = |index: usize| {
        each(
            now[index].saturating_sub(before[index]) as f64,
            count.into(),
        )
    };
    Ok([grown(0), grown(1)])
}

/// A connection with one answered request behind it.
fn kept_alive(server: SocketAddr, index: u32) -> io::Result<TcpStream> {
    let source = Ipv4Addr::from_bits(Ipv4Addr::new(127, 1, 0, 2).to_bits() + index % 200);
    let mut socket = crate::load::connect_from(source, server)?;
    write!(socket, "GET /nothing HTTP/1.1\r\nhost: {server}\r\n\r\n")?;
    let mut answer = [0; 4096];
    match socket.read(&mut answer)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(socket),
    }
}

fn wait_for_parked(server: &Server, pages: u32) -> Result<(), SuiteError> {
    let start = Instant::now();
    let doing = || SuiteError::system("waiting until all pages are parked");
    loop {
        let parked = metrics::per_shard(server.address(), "autovia_parked_pages")
            .map_err(doing())?
            .iter()
            .sum::<u64>();
        if parked >= u64::from(pages) {
            return Ok(());
        }
        if start.elapsed() > PARKED_LIMIT {
            let text = format!("{parked} of {pages} are after {PARKED_LIMIT:?}");
            return Err(doing()(io::Error::new(io::ErrorKind::TimedOut, text)));
        }
        std::thread::sleep(POLL);
    }
}
