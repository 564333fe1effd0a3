//! A page of a node as one browser has it: loaded, its stream read, its action clicked; blocking, one thing at a time.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use memchr::memmem;

use crate::load::http::{Head, Response};
use crate::load::page::{Session, stream_request, tick_request};

/// An event or answer that is so late is lost.
const PATIENCE: Duration = Duration::from_secs(10);
const READ_BYTES: usize = 16 * 1024;

/// A loaded page. Its one action is called `tick`.
#[derive(Debug)]
pub(super) struct Tab {
    server: SocketAddr,
    session: Session,
    control: TcpStream,
    clicks: u64,
}

impl Tab {
    /// Loads the page at `path`.
    pub fn load(server: SocketAddr, path: &str) -> io::Result<Tab> {
        let mut control = connect(server)?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {server}\r\naccept: text/html\r\n\r\n");
        control.write_all(request.as_bytes())?;
        let (head, body) = answer(&mut control)?;
        let session = Session::from_page(&head, &body).map_err(io::Error::other)?;
        if head.closes {
            control = connect(server)?;
        }
        Ok(Tab {
            server,
            session,
            control,
            clicks: 0,
        })
    }

    /// Opens the page's stream.
    pub fn open(&self) -> io::Result<Stream> {
        let mut socket = connect(self.server)?;
        socket.write_all(stream_request(self.server, Some(&self.session)).as_bytes())?;
        Ok(Stream {
            socket,
            response: Response::default(),
            events: Events::default(),
        })
    }

    /// Clicks, without waiting for the answer: [`Tab::answered`] does.
    pub fn click(&mut self) -> io::Result<()> {
        self.clicks += 1;
        let request = tick_request(self.server, Some(&self.session), self.clicks);
        self.control.write_all(request.as_bytes())
    }

    /// Waits for the answer to the last click.
    pub fn answered(&mut self) -> io::Result<()> {
        let (head, body) = answer(&mut self.control)?;
        if !(200..300).contains(&head.status) {
            let text = String::from_utf8_lossy(&body);
            return Err(io::Error::other(format!(
                "a click was refused with status {}: {text}",
                head.status
            )));
        }
        if head.closes {
            self.control = connect(self.server)?;
        }
        Ok(())
    }
}

fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(server)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

fn answer(from: &mut TcpStream) -> io::Result<(Head, Vec<u8>)> {
    let (mut response, mut body) = (Response::default(), Vec::new());
    let mut buffer = vec![0; READ_BYTES];
    while !response.is_done() {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        response
            .feed(&buffer[..count], &mut |piece| body.extend_from_slice(piece))
            .map_err(io::Error::other)?;
    }
    let head = response.head().ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok((head.clone(), body))
}

/// An open stream.
#[derive(Debug)]
pub(super) struct Stream {
    socket: TcpStream,
    response: Response,
    events: Events,
}

impl Stream {
    /// Waits for the next event.
    pub fn next(&mut self) -> io::Result<String> {
        let mut buffer = [0; READ_BYTES];
        loop {
            if let Some(event) = self.events.whole.pop_front() {
                return Ok(event);
            }
            let count = self.socket.read(&mut buffer)?;
            let events = &mut self.events;
            self.response
                .feed(&buffer[..count], &mut |piece| events.feed(piece))
                .map_err(io::Error::other)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(head) = self.response.head()
                && head.status != 200
            {
                let text = format!("a stream was refused with status {}", head.status);
                return Err(io::Error::other(text));
            }
        }
    }
}

/// Events with data, as texts.
#[derive(Debug, Default)]
struct Events {
    pending: Vec<u8>,
    whole: VecDeque<String>,
}

impl Events {
    fn feed(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        while let Some(end) = memmem::find(&self.pending, b"\n\n") {
            let event: Vec<u8> = self.pending.drain(..end + 2).collect();
            if event
                .split(|&byte| byte == b'\n')
                .any(|line| line.starts_with(b"data:"))
            {
                self.whole
                    .push_back(String::from_utf8_lossy(&event).into_owned());
            }
        }
    }
}

/// The number after the first `name=` in `text`.
pub(super) fn number(text: &str, name: &str) -> io::Result<u64> {
    let found = text.split_once(&format!("{name}=")).and_then(|(_, rest)| {
        let end = rest.find(|c: char| !c.is_ascii_digit());
        rest[..end.unwrap_or(rest.len())].parse().ok()
    });
    found.ok_or_else(|| io::Error::other(format!("no {name}=<number> in {text:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_wherever_they_are_cut() {
        let text = b": hello\n\nid: 1\ndata: elements <p>seq=4 </p>\n\ndata: x=1\n\n".as_slice();
        for size in 1..text.len() {
            let mut events = Events::default();
            for piece in text.chunks(size) {
                events.feed(piece);
            }
            let numbers: Vec<_> = events
                .whole
                .iter()
                .map(|event| number(event, "seq").ok())
                .collect();
            assert_eq!(numbers, [Some(4), None], "pieces of {size}");
        }
    }

    #[test]
    fn a_number_is_found_by_its_name() {
        assert_eq!(
            number("<p>gaps=3 received=17</p>", "received").ok(),
            Some(17)
        );
        assert_eq!(number("gaps=9", "gaps").ok(), Some(9));
        assert!(number("gaps=x", "gaps").is_err());
    }
}
