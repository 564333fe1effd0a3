//! A client of the broker that is no node: it hears what nodes say, and says what it likes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use autovia_testkit::{DEADLINE, NatsPeer};
use serde_json::Value;

use crate::stage::Broker;

pub const CHANNEL: &str = "via:broadcast";
pub const SUBJECT: &str = "via.broadcast";

/// Hears everything on the channel.
pub enum Spy {
    Redis(BufReader<TcpStream>),
    Nats(NatsPeer),
}

impl Spy {
    pub fn listen(broker: &Broker) -> Self {
        match broker {
            Broker::Redis(redis) => {
                let stream = TcpStream::connect(("127.0.0.1", redis.port())).expect("it listens");
                stream
                    .set_read_timeout(Some(DEADLINE))
                    .expect("a deadline can be set");
                let mut stream = BufReader::new(stream);
                let command = format!("SUBSCRIBE {CHANNEL}\r\n");
                stream
                    .get_mut()
                    .write_all(command.as_bytes())
                    .expect("it reads");
                let confirmed = array(&mut stream);
                assert_eq!(confirmed[0], b"subscribe");
                Self::Redis(stream)
            }
            Broker::Nats(_) => {
                let mut peer = NatsPeer::connect(broker.port(), "{}");
                peer.subscribe(SUBJECT);
                Self::Nats(peer)
            }
        }
    }

    /// The next payload.
    pub fn next(&mut self) -> String {
        let payload = match self {
            Self::Redis(stream) => array(stream).pop().expect("a message has a payload"),
            Self::Nats(peer) => peer.receive(),
        };
        String::from_utf8(payload).expect("nodes speak UTF-8")
    }

    /// Reads on until a payload's JSON is as wanted; gives all on the way, that one last.
    pub fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Vec<String> {
        let mut heard = Vec::new();
        loop {
            let payload = self.next();
            let json: Value = serde_json::from_str(&payload).expect("nodes speak JSON");
            heard.push(payload);
            if wanted(&json) {
                return heard;
            }
        }
    }
}

/// An array of texts and numbers, as RESP2 has them.
fn array(stream: &mut BufReader<TcpStream>) -> Vec<Vec<u8>> {
    let count: usize = number(&line(stream), "*");
    (0..count)
        .map(|_| {
            let head = line(stream);
            if head.starts_with(':') {
                return head.into_bytes();
            }
            let mut text = vec![0; number(&head, "$") + 2];
            stream.read_exact(&mut text).expect("a whole text");
            text.truncate(text.len() - 2);
            text
        })
        .collect()
}

fn line(stream: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    stream.read_line(&mut line).expect("the broker talks");
    line.trim_end().to_owned()
}

fn number(line: &str, kind: &str) -> usize {
    let digits = line.strip_prefix(kind);
    digits
        .and_then(|digits| digits.parse().ok())
        .unwrap_or_else(|| panic!("{line:?} is no {kind}"))
}

/// Publishes these bytes as they are.
pub fn publish(broker: &Broker, payload: &str) {
    match broker {
        Broker::Redis(redis) => {
            redis.must(&["PUBLISH", CHANNEL, payload]);
        }
        Broker::Nats(_) => {
            NatsPeer::connect(broker.port(), "{}").publish(SUBJECT, None, payload.as_bytes());
        }
    }
}
