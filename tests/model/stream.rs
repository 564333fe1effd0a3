//! A page's stream, read without waiting when the test comes by, and what a browser would show.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use autovia_testkit::{Client, DEADLINE, Event, EventParser, Frame, element_text};
use serde_json::Value;
use socket2::SockRef;

use crate::marks::{self, Owner};

/// Values by name, and texts by the id of their element.
pub type Shown = BTreeMap<String, String>;

/// The elements whose texts are compared.
const TEXTS: [&str; 4] = ["own", "of-session", "posts", "others"];

/// Takes over what a piece of HTML shows.
pub fn show_html(shown: &mut Shown, html: &str) {
    for id in TEXTS {
        if let Some(text) = element_text(html, id) {
            shown.insert(id.to_owned(), text);
        }
    }
}

/// Takes over what an object of values says.
pub fn show_values(shown: &mut Shown, values: &Value) {
    let values = values.as_object().expect("values are an object");
    for (name, value) in values {
        let text = value.as_str().map(str::to_owned);
        shown.insert(name.clone(), text.unwrap_or_else(|| value.to_string()));
    }
}

/// An open stream.
pub struct Live {
    socket: TcpStream,
    parser: EventParser,
    pub shown: Shown,
    /// The id of the newest event, as a browser would send it.
    pub last_id: Option<String>,
    /// How many events came.
    pub events: usize,
}

impl Live {
    /// Opens the stream of a page that shows `shown`; gives the status of a refusal.
    pub fn open(
        client: &Client,
        path: &str,
        last_id: Option<&str>,
        shown: Shown,
        owner: &Owner,
    ) -> Result<Self, u16> {
        let mut headers = vec![
            ("Accept", "text/event-stream"),
            ("Datastar-Request", "true"),
        ];
        headers.extend(last_id.map(|id| ("last-event-id", id)));
        let request = client.encode("GET", path, &headers, b"");
        let mut socket =
            TcpStream::connect((Ipv4Addr::LOCALHOST, client.port())).expect("the server accepts");
        socket
            .set_read_timeout(Some(DEADLINE))
            .expect("it is a socket");
        socket.write_all(&request).expect("the server reads");
        let (head, rest) = read_head(&mut socket);
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        match status.expect("a status line") {
            200 => {}
            other => return Err(other),
        }
        socket.set_nonblocking(true).expect("it is a socket");
        let mut live = Self {
            socket,
            parser: EventParser::default(),
            shown,
            last_id: last_id.map(str::to_owned),
            events: 0,
        };
        live.take(&rest, owner);
        Ok(live)
    }

    /// Reads what has come. Panics when something came that is not for `owner`, or when the server
    /// has ended the stream.
    pub fn read(&mut self, owner: &Owner) {
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => panic!("the server ended a stream of {owner:?}"),
                Ok(count) => self.take(&buffer[..count], owner),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("a stream of {owner:?} broke: {error}"),
            }
        }
    }

    /// Ends it: in an orderly way, or by a reset with what was not read yet.
    pub fn close(self, orderly: bool) -> (Shown, Option<String>) {
        if !orderly {
            // A peer that has gone already refuses the option, and then there is nothing to reset.
            let _ = SockRef::from(&self.socket).set_linger(Some(Duration::ZERO));
        }
        (self.shown, self.last_id)
    }

    fn take(&mut self, bytes: &[u8], owner: &Owner) {
        for frame in self.parser.push(bytes) {
            if let Frame::Event(event) = frame {
                self.show(&event, owner);
            }
        }
    }

    fn show(&mut self, event: &Event, owner: &Owner) {
        assert!(event.unknown.is_empty(), "{event:?} for {owner:?}");
        self.events += 1;
        if let Some(id) = &event.id {
            self.last_id = Some(id.clone());
        }
        let text = event.data.join("\n");
        if let Err(fault) = marks::check(&text, owner) {
            panic!("{fault}");
        }
        if event.is_signals() {
            let values = event.signals();
            self.never_back(&values, owner);
            show_values(&mut self.shown, &values);
        } else if event.is_elements() {
            show_html(&mut self.shown, &event.elements());
        }
    }

    /// A count that only grows is never shown smaller than before.
    fn never_back(&self, values: &Value, owner: &Owner) {
        let before = self.shown.get("count").and_then(|text| text.parse().ok());
        let now = values.get("count").and_then(Value::as_u64);
        if let (Some(before), Some(now)) = (before, now) {
            assert!(now >= before, "{owner:?} counted {now} after {before}");
        }
    }
}

fn read_head(socket: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        let count = socket.read(&mut buffer).expect("the server answers");
        assert!(count > 0, "the server closed instead of answering");
        bytes.extend_from_slice(&buffer[..count]);
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let rest = bytes.split_off(end + 4);
            return (String::from_utf8(bytes).expect("a head is text"), rest);
        }
    }
}
