//! HTTP/2 in its plainest words: frames (RFC 9113, 4.1) and fields (RFC 7541) that a test writes and reads by itself.

use std::collections::HashMap;

use autovia_testkit::{Connection, Page};

use crate::Stage;

/// What a client says first.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;

/// DATA or HEADERS: the last of its stream.
const END_STREAM: u8 = 1;
/// SETTINGS or PING: an answer.
const ACK: u8 = 1;
/// HEADERS: no continuation follows.
const END_HEADERS: u8 = 4;

/// `:status: 200`, as a field of the static table.
const STATUS_200: u8 = 0x88;

/// A frame: length, type, flags, stream, content.
pub fn frame(kind: u8, flags: u8, stream: u32, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("short").to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(content);
    bytes
}

/// `GET /_live`.
pub fn get() -> Vec<u8> {
    request("/_live", "127.0.0.1", &[])
}

/// A GET by https.
fn request(path: &str, authority: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = vec![0x82, 0x87];
    text(&mut bytes, 0x44, path);
    text(&mut bytes, 0x41, authority);
    for (name, value) in fields {
        text(&mut bytes, 0x00, name);
        text_after(&mut bytes, value);
    }
    bytes
}

/// What kind of field comes, and its name or value.
fn text(bytes: &mut Vec<u8>, kind: u8, value: &str) {
    bytes.push(kind);
    text_after(bytes, value);
}

/// A text without Huffman's code: its length, seven bits of it first, and its bytes.
fn text_after(bytes: &mut Vec<u8>, value: &str) {
    let length = u8::try_from(value.len()).expect("short");
    match length.checked_sub(127) {
        None => bytes.push(length),
        Some(rest @ 0..128) => bytes.extend([127, rest]),
        Some(rest) => bytes.extend([127, 0x80 | (rest & 0x7f), rest >> 7]),
    }
    bytes.extend_from_slice(value.as_bytes());
}

/// An open connection, and what came on each of its streams.
pub struct Session {
    connection: Connection,
    received: Vec<u8>,
    next_stream: u32,
    bodies: HashMap<u32, Vec<u8>>,
}

impl Session {
    pub fn open(stage: &Stage) -> Self {
        let mut connection = stage.connect(&["h2"]);
        let hello = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
        connection.write(&hello).expect("the server reads");
        Self {
            connection,
            received: Vec::new(),
            next_stream: 1,
            bodies: HashMap::new(),
        }
    }

    /// Opens the stream of `page`, and gives its number once it was answered with 200.
    pub fn stream(&mut self, page: &Page) -> u32 {
        let session = page.client.cookie("__Host-via_session_id");
        let cookie = format!(
            "__Host-via_session_id={}",
            session.expect("the page has a session")
        );
        let fields = [("accept", "text/event-stream"), ("cookie", &cookie)];
        let request = request(&page.stream_path(), &page.client.host(), &fields);
        let stream = self.next_stream;
        self.next_stream += 2;
        self.write(&frame(HEADERS, END_STREAM | END_HEADERS, stream, &request));
        while !self.bodies.contains_key(&stream) {
            self.take_frame();
        }
        stream
    }

    /// Reads on until this stream has brought `text`, and forgets what it brought.
    pub fn wait(&mut self, stream: u32, text: &str) {
        loop {
            let body = self.bodies.get_mut(&stream).expect("it is open");
            if String::from_utf8_lossy(body).contains(text) {
                *body = Vec::new();
                return;
            }
            self.take_frame();
        }
    }

    fn take_frame(&mut self) {
        let (kind, flags, stream, content) = self.next_frame();
        match kind {
            SETTINGS | PING if flags & ACK == 0 => {
                let answer = if kind == PING { content } else { Vec::new() };
                self.write(&frame(kind, ACK, 0, &answer));
            }
            HEADERS => {
                assert_eq!(content.first(), Some(&STATUS_200), "{content:?}");
                self.bodies.insert(stream, Vec::new());
            }
            DATA => {
                let body = self.bodies.get_mut(&stream).expect("its head came first");
                body.extend(content);
                assert_eq!(flags & END_STREAM, 0, "stream {stream} has ended");
            }
            _ => {}
        }
    }

    fn next_frame(&mut self) -> (u8, u8, u32, Vec<u8>) {
        self.fill(9);
        let head: Vec<u8> = self.received.drain(..9).collect();
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0, |all, &byte| all << 8 | u32::from(byte))
        };
        let length = usize::try_from(number(&head[..3])).expect("three bytes");
        self.fill(length);
        let content = self.received.drain(..length).collect();
        (head[3], head[4], number(&head[5..]), content)
    }

    fn fill(&mut self, bytes: usize) {
        while self.received.len() < bytes {
            let more = self.connection.some().expect("the server goes on");
            self.received.extend(more);
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.connection.write(bytes).expect("the server reads");
    }
}
