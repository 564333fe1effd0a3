//! The floor: publications on one blocking socket, their messages on another, of the same server.
//!
//! The payload has the form and size of what a node says, the channel is one that no node hears.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::broker::Broker;
use super::{BURST, Kind, Measured, Options, own_thread_time, thread_time};

const CHANNEL: &str = "bench.bare";
const PAYLOAD: &str = r#"{"scope":"n:0000","nodeId":"0123456789abcdef","epoch":1,"seq":10000}"#;
/// No message of this loop is longer.
const FRAME_MAX_BYTES: usize = 160;
/// A message that is so late is lost.
const PATIENCE: Duration = Duration::from_secs(10);

/// Two connections to one server.
#[derive(Debug)]
pub(super) struct Bare {
    kind: Kind,
    /// What each message looks like.
    frame: Vec<u8>,
    publisher: BufReader<TcpStream>,
    subscriber: BufReader<TcpStream>,
}

impl Bare {
    /// Connects both and subscribes.
    pub fn connect(kind: Kind, port: u16) -> io::Result<Bare> {
        let mut bare = Bare {
            kind,
            frame: frame(kind),
            publisher: connect(kind, port)?,
            subscriber: connect(kind, port)?,
        };
        let subscriber = &mut bare.subscriber;
        match kind {
            Kind::Redis => {
                let text = format!("SUBSCRIBE {CHANNEL}\r\n");
                subscriber.get_mut().write_all(text.as_bytes())?;
                // `subscribe`, the channel, the count: six lines.
                for _ in 0..6 {
                    line(subscriber)?;
                }
            }
            Kind::Nats => {
                // The PONG comes after the subscription has been taken.
                let text = format!("SUB {CHANNEL} 1\r\nPING\r\n");
                subscriber.get_mut().write_all(text.as_bytes())?;
                while line(subscriber)? != "PONG" {}
            }
        }
        Ok(bare)
    }

    /// One round.
    pub fn measure(&mut self, broker: &Broker, options: &Options) -> io::Result<Measured> {
        let mut measured = Measured::default();
        let one = publications(self.kind, 1);
        for _ in 0..options.clicks {
            let start = Instant::now();
            self.publisher.get_mut().write_all(&one)?;
            message(&self.frame, &mut self.subscriber)?;
            measured.latencies.push(start.elapsed());
            acknowledged(self.kind, &mut self.publisher, 1)?;
        }
        let many = publications(self.kind, BURST);
        for _ in 0..options.bursts {
            self.burst(broker, &many, &mut measured)?;
        }
        Ok(measured)
    }

    fn burst(
        &mut self,
        broker: &Broker,
        publications: &[u8],
        measured: &mut Measured,
    ) -> io::Result<()> {
        let (kind, publisher, subscriber) = (self.kind, &mut self.publisher, &mut self.subscriber);
        let broker_before = thread_time(broker.pid())?;
        let before = own_thread_time()?;
        let start = Instant::now();
        let published = thread::scope(|scope| {
            let publishing = scope.spawn(move || -> io::Result<Duration> {
                publisher.get_mut().write_all(publications)?;
                acknowledged(kind, publisher, BURST)?;
                own_thread_time()
            });
            for _ in 0..BURST {
                message(&self.frame, subscriber)?;
            }
            measured.elapsed += start.elapsed();
            measured.subscriber += own_thread_time()?.saturating_sub(before);
            publishing
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("the publishing thread panicked")))
        })?;
        measured.publisher += published;
        measured.broker += thread_time(broker.pid())?.saturating_sub(broker_before);
        measured.messages += BURST as u64;
        Ok(())
    }
}

fn connect(kind: Kind, port: u16) -> io::Result<BufReader<TcpStream>> {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    if kind == Kind::Nats {
        socket.write_all(b"CONNECT {\"verbose\":false,\"pedantic\":false}\r\n")?;
    }
    Ok(BufReader::new(socket))
}

/// The bytes of `count` publications.
fn publications(kind: Kind, count: usize) -> Vec<u8> {
    let length = PAYLOAD.len();
    let one = match kind {
        Kind::Redis => format!(
            "*3\r\n$7\r\nPUBLISH\r\n${}\r\n{CHANNEL}\r\n${length}\r\n{PAYLOAD}\r\n",
            CHANNEL.len()
        ),
        Kind::Nats => format!("PUB {CHANNEL} {length}\r\n{PAYLOAD}\r\n"),
    };
    one.repeat(count).into_bytes()
}

/// The bytes of one message.
fn frame(kind: Kind) -> Vec<u8> {
    let length = PAYLOAD.len();
    let text = match kind {
        Kind::Redis => format!(
            "*3\r\n$7\r\nmessage\r\n${}\r\n{CHANNEL}\r\n${length}\r\n{PAYLOAD}\r\n",
            CHANNEL.len()
        ),
        Kind::Nats => format!("MSG {CHANNEL} 1 {length}\r\n{PAYLOAD}\r\n"),
    };
    text.into_bytes()
}

/// Reads one message, which looks like `frame`. NATS' own questions are answered on the way.
fn message(frame: &[u8], from: &mut BufReader<TcpStream>) -> io::Result<()> {
    while from.fill_buf()?.first() != frame.first() {
        let text = line(from)?;
        if text == "PING" {
            from.get_mut().write_all(b"PONG\r\n")?;
        } else {
            expect(text.starts_with("INFO "), &text)?;
        }
    }
    let mut got = [0; FRAME_MAX_BYTES];
    let got = &mut got[..frame.len()];
    from.read_exact(got)?;
    expect(got == frame, &String::from_utf8_lossy(got))
}

/// Reads what Redis says to each publication; NATS says nothing.
fn acknowledged(kind: Kind, from: &mut BufReader<TcpStream>, count: usize) -> io::Result<()> {
    if kind == Kind::Redis {
        for _ in 0..count {
            let text = line(from)?;
            expect(text == ":1", &text)?;
        }
    }
    Ok(())
}

fn line(from: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut text = String::new();
    if from.read_line(&mut text)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    text.truncate(text.trim_end().len());
    Ok(text)
}

fn expect(is_right: bool, got: &str) -> io::Result<()> {
    if is_right {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "the server sent something unexpected: {got}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publications_carry_their_lengths() {
        let text = |kind, count| String::from_utf8(publications(kind, count)).unwrap();
        let length = PAYLOAD.len();
        assert!(text(Kind::Redis, 1).contains(&format!("${length}\r\n{PAYLOAD}\r\n")));
        assert!(text(Kind::Nats, 1).contains(&format!("PUB bench.bare {length}\r\n{PAYLOAD}\r\n")));
        assert_eq!(text(Kind::Nats, 3), text(Kind::Nats, 1).repeat(3));
    }

    #[test]
    fn a_message_is_found_behind_what_the_server_says_besides() {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut server = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut client = BufReader::new(listener.accept().unwrap().0);
        let frame = frame(Kind::Nats);
        assert!(
            frame.len() <= FRAME_MAX_BYTES && self::frame(Kind::Redis).len() <= FRAME_MAX_BYTES
        );
        server.write_all(b"INFO {}\r\nPING\r\n").unwrap();
        server.write_all(&frame).unwrap();
        server.write_all(b"MSG bench.other 1 1\r\n").unwrap();
        server.write_all(&frame).unwrap();
        message(&frame, &mut client).unwrap();
        let mut answer = [0; 6];
        server.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"PONG\r\n");
        assert!(message(&frame, &mut client).is_err());
    }
}
