//! A NATS client that has nothing in common with the one that is tested: it says what a test wants.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use crate::deadline::DEADLINE;

/// A connection to a server, without TLS.
pub struct NatsPeer {
    stream: BufReader<TcpStream>,
    /// What came while something else was waited for.
    heard: VecDeque<Vec<u8>>,
}

impl NatsPeer {
    /// Connects and logs in; `connect` is the JSON of the login. Panics when it is refused.
    #[must_use]
    pub fn connect(port: u16, connect: &str) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the server listens");
        stream
            .set_read_timeout(Some(DEADLINE))
            .expect("a deadline can be set");
        let mut peer = Self {
            stream: BufReader::new(stream),
            heard: VecDeque::new(),
        };
        assert!(peer.line().starts_with("INFO "));
        peer.say(&format!("CONNECT {connect}\r\n"));
        peer.settle();
        peer
    }

    /// The bare connection, logged in.
    #[must_use]
    pub fn into_stream(self) -> TcpStream {
        self.stream.into_inner()
    }

    /// Waits until the server has done all that it was told.
    pub fn settle(&mut self) {
        self.say("PING\r\n");
        while !self.take_line() {}
    }

    /// Subscribes.
    pub fn subscribe(&mut self, subject: &str) {
        self.say(&format!("SUB {subject} 1\r\n"));
        self.settle();
    }

    /// Publishes, with a subject for replies if wanted, and waits until the server has it.
    pub fn publish(&mut self, subject: &str, reply: Option<&str>, payload: &[u8]) {
        let reply = reply.map(|reply| format!("{reply} ")).unwrap_or_default();
        self.say(&format!("PUB {subject} {reply}{}\r\n", payload.len()));
        self.write(payload);
        self.say("\r\n");
        self.settle();
    }

    /// Publishes with one header; the login must have said `"headers":true`.
    pub fn publish_with_header(&mut self, subject: &str, payload: &[u8]) {
        let header = "NATS/1.0\r\nA: b\r\n\r\n";
        let total = header.len() + payload.len();
        self.say(&format!(
            "HPUB {subject} {} {total}\r\n{header}",
            header.len()
        ));
        self.write(payload);
        self.say("\r\n");
        self.settle();
    }

    /// The next payload of the subscription.
    pub fn receive(&mut self) -> Vec<u8> {
        loop {
            if let Some(payload) = self.heard.pop_front() {
                return payload;
            }
            self.take_line();
        }
    }

    /// Takes what the server says next; `true` for a `PONG`.
    fn take_line(&mut self) -> bool {
        let line = self.line();
        if let Some(rest) = line.strip_prefix("MSG ") {
            let length = rest.rsplit(' ').next().expect("a length");
            let length: usize = length.parse().expect("the length is a number");
            let mut payload = vec![0; length + 2];
            self.stream
                .read_exact(&mut payload)
                .expect("a whole payload");
            payload.truncate(length);
            self.heard.push_back(payload);
        } else if line == "PING" {
            self.say("PONG\r\n");
        } else {
            let known = line == "PONG" || line == "+OK" || line.starts_with("INFO ");
            assert!(known, "the server said {line:?}");
        }
        line == "PONG"
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("the server talks");
        assert!(line.ends_with("\r\n"), "the server ended after {line:?}");
        line.trim_end().to_owned()
    }

    fn say(&mut self, text: &str) {
        self.write(text.as_bytes());
    }

    fn write(&mut self, bytes: &[u8]) {
        self.stream
            .get_mut()
            .write_all(bytes)
            .expect("the server reads");
    }
}
