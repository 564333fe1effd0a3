//! What a broker up to no good costs the whole process: an error, another attempt, and no memory.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use autovia_testkit::{NatsPeer, Running};

use crate::common::{probe, wait_noted};
use crate::random_faults::number;
use crate::spy::{CHANNEL, SUBJECT};
use crate::stage::{Broker, Group, KINDS, Kind, Node, on_each};

/// What a hostile broker may cost a process.
const MEMORY_MAX_BYTES: u64 = 1024 * 1024;

/// What a broker tries to send on one connection: a node that reads on takes it all.
const FLOOD_BYTES: usize = 64 * 1024 * 1024;

/// A beginning, and what follows it for ever.
struct Flood {
    kind: Kind,
    begins: &'static [u8],
    goes_on: &'static [u8],
}

const FLOODS: [Flood; 8] = [
    // A text of two gigabytes, that really comes.
    Flood {
        kind: Kind::Redis,
        begins: b"$2147483647\r\n",
        goes_on: b"aaaaaaaa",
    },
    // Lists in lists.
    Flood {
        kind: Kind::Redis,
        begins: b"",
        goes_on: b"*1\r\n",
    },
    // A list of a billion.
    Flood {
        kind: Kind::Redis,
        begins: b"*1000000000\r\n",
        goes_on: b":1\r\n",
    },
    // A line without an end.
    Flood {
        kind: Kind::Redis,
        begins: b"+",
        goes_on: b"aaaaaaaa",
    },
    Flood {
        kind: Kind::Nats,
        begins: b"",
        goes_on: b"aaaaaaaa",
    },
    Flood {
        kind: Kind::Nats,
        begins: b"INFO {\"server_name\":\"",
        goes_on: b"aaaaaaaa",
    },
    Flood {
        kind: Kind::Nats,
        begins: b"INFO {\"a\":",
        goes_on: b"[[[[[[[[",
    },
    // A message of two gigabytes, on a link that was taken for a good one.
    Flood {
        kind: Kind::Nats,
        begins: b"INFO {}\r\nPONG\r\nMSG via.broadcast 1 2147483647\r\n",
        goes_on: b"aaaaaaaa",
    },
];

/// Sends until the node has had enough; how much it took is up to the kernel's buffers.
fn flood(mut stream: TcpStream, flood: &Flood) {
    let part = flood.goes_on.repeat(64 * 1024 / flood.goes_on.len());
    let mut left = FLOOD_BYTES;
    // A node that has had enough resets the connection.
    let mut sent = stream.write_all(flood.begins);
    while sent.is_ok() && left > 0 {
        sent = stream.write_all(&part);
        left = left.saturating_sub(part.len());
    }
    assert!(sent.is_err(), "the node takes whatever comes");
}

fn start(kind: Kind, port: u16) -> Running {
    let scheme = match kind {
        Kind::Redis => "redis",
        Kind::Nats => "nats",
    };
    let url = format!("{scheme}://127.0.0.1:{port}");
    probe().shards(2).args(["--broker-url", &url]).start()
}

#[test]
fn floods_cost_no_memory() {
    std::thread::scope(|scope| {
        for each in &FLOODS {
            scope.spawn(move || {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
                let server = start(
                    each.kind,
                    listener.local_addr().expect("it is bound").port(),
                );
                // The first link ends at once: what the node needs for links and errors is there then.
                drop(listener.accept().expect("the node connects"));
                wait_noted(&server, "broker error", 1);
                let before = server.resident_bytes().max(server.peak_resident_bytes());
                let (stream, _) = listener.accept().expect("the node connects again");
                flood(stream, each);
                // It has given up this link, and goes on.
                let (mut next, _) = listener.accept().expect("the node connects a third time");
                wait_noted(&server, "broker error", 2);
                let grown = server.peak_resident_bytes() - before;
                let begins = String::from_utf8_lossy(each.begins);
                println!("{begins:?}: {} KiB", grown / 1024);
                assert!(grown <= MEMORY_MAX_BYTES, "{begins:?}: {grown} bytes more");
                assert_eq!(server.client().get("/").status, 200);
                drop(server);
                // Until its end it has said no more than a greeting.
                let mut said = Vec::new();
                next.read_to_end(&mut said).unwrap_or(0);
                assert!(said.len() < 1024, "{} bytes", said.len());
            });
        }
    });
}

/// Names that no page has joined; `AUTOVIA_NEW_NAMES` says how many instead.
const NAMES: u64 = 100_000;
const AT_ONCE: u64 = 20_000;

/// Says so many names that never were, as fast as the node hears them: a broker cuts off who falls behind.
fn say_names(broker: &Broker, node: &Node) {
    let start = node.count("received");
    let payload =
        |number: u64| format!("{{\"scope\":\"room:{number}\",\"nodeId\":\"00000000000000aa\"}}");
    let publish = |number: u64| {
        let payload = payload(number);
        let length = payload.len();
        match broker {
            Broker::Redis(_) => format!(
                "*3\r\n$7\r\nPUBLISH\r\n${}\r\n{CHANNEL}\r\n${length}\r\n{payload}\r\n",
                CHANNEL.len()
            ),
            Broker::Nats(_) => format!("PUB {SUBJECT} {length}\r\n{payload}\r\n"),
        }
    };
    let mut stream = match broker {
        Broker::Redis(_) => {
            TcpStream::connect((Ipv4Addr::LOCALHOST, broker.port())).expect("the broker listens")
        }
        Broker::Nats(_) => NatsPeer::connect(broker.port(), "{\"verbose\":false}").into_stream(),
    };
    let mut answers = stream.try_clone().expect("it has two ends");
    let reading = std::thread::spawn(move || std::io::copy(&mut answers, &mut std::io::sink()));
    for first in (0..number("AUTOVIA_NEW_NAMES", NAMES)).step_by(20_000) {
        let batch: String = (first..first + AT_ONCE).map(publish).collect();
        stream
            .write_all(batch.as_bytes())
            .expect("the broker listens");
        node.wait_count_at_least("received", start + first + AT_ONCE);
    }
    stream
        .shutdown(std::net::Shutdown::Write)
        .expect("it is open");
    // Redis answers each and hangs up then; NATS hangs up.
    reading.join().expect("it reads").unwrap_or(0);
}

#[test]
fn new_names_cost_no_memory() {
    on_each(&KINDS, |kind| {
        let group = Group::start(kind, 1);
        let node = &group.nodes[0];
        // Once, so that buffers have the size that they need for a flood of good messages.
        say_names(&group.broker, node);
        let before = node.server.peak_resident_bytes();
        say_names(&group.broker, node);
        let grown = node.server.peak_resident_bytes() - before;
        println!("{kind:?}: {} KiB", grown / 1024);
        assert!(grown <= MEMORY_MAX_BYTES, "{kind:?}: {grown} bytes more");
        node.wait_connected();
    });
}
