//! Clicks: a request, a value that changes, and its way down the tab's own stream.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use crate::load::http::Response;
use crate::load::page::{Session, click_request, stream_request};
use crate::peers::Peer;
use crate::suites::rig::{Rig, each};
use crate::suites::sheet::Options;
use crate::suites::{Figure, Plan, SuiteError};

/// Tabs that click at the same time.
const TABS: u64 = 50;
/// Clicks of each tab.
const CLICKS: u64 = 200;
const WARM_UP_CLICKS: u64 = 10;

/// The plan.
pub const PLAN: Plan = Plan {
    name: "actions",
    title: "Actions: request, run, value on the stream",
    columns: &[
        "CPU µs/action",
        "actions per CPU second",
        "actions/s by the clock",
    ],
    floor: "axum",
    notes: &[
        "Fifty tabs click at once, each waits for its answer and for the new value on its own stream, then all click \
         again. Each value is checked: a click that is lost or counted twice fails the suite.",
        "axum is spoken to by the same request byte for byte but for the path, and answers as Datastar's SDK for it shows: a handler \
         reads the signals from the body, finds the tab's channel, counts, and sends `datastar-patch-signals` on the tab's stream. \
         It checks no origin, session or click number; autovia does.",
        "The target is twice axum's actions per CPU second, so `× axum` of CPU at most 0.50.",
    ],
    peers: &[Peer::Axum, Peer::Autovia],
    round,
};

fn round(rig: &Rig, _: &Options) -> Result<Vec<Figure>, SuiteError> {
    let mut figures = Vec::new();
    for peer in [Peer::Axum, Peer::Autovia] {
        let server = rig.start(peer, &[])?;
        let failed = || SuiteError::system(format!("clicking on {}", peer.name()));
        let mut tabs = (0..TABS)
            .map(|tab| Tab::open(peer, server.address(), tab))
            .collect::<io::Result<Vec<_>>>()
            .map_err(failed())?;
        let click = |tabs: &mut Vec<Tab>, count: u64| -> io::Result<()> {
            for tab in tabs.iter_mut() {
                tab.click(count)?;
            }
            tabs.iter_mut().try_for_each(|tab| tab.wait_for(count))
        };
        for count in 1..=WARM_UP_CLICKS {
            click(&mut tabs, count).map_err(failed())?;
        }
        let (before, start) = (server.usage()?.1, Instant::now());
        for count in WARM_UP_CLICKS + 1..=WARM_UP_CLICKS + CLICKS {
            click(&mut tabs, count).map_err(failed())?;
        }
        let seconds = start.elapsed().as_secs_f64();
        let micros = server.micros_each(before, TABS * CLICKS)?;
        let values = [micros, 1e6 / micros, 1.0 / each(seconds, TABS * CLICKS)];
        figures.push(Figure::new("50 tabs", peer.name(), &values));
    }
    Ok(figures)
}

/// A tab: its stream, and the connection that it clicks on.
struct Tab {
    server: SocketAddr,
    number: u64,
    session: Option<Session>,
    stream: BufReader<TcpStream>,
    clicks: TcpStream,
}

impl Tab {
    fn open(peer: Peer, server: SocketAddr, number: u64) -> io::Result<Tab> {
        let mut clicks = TcpStream::connect(server)?;
        clicks.set_nodelay(true)?;
        let session = match peer {
            Peer::Autovia => {
                clicks.write_all(crate::load::page::page_request(server, "/value").as_bytes())?;
                let (response, body) = answer(&mut clicks)?;
                let head = response.head().ok_or(io::ErrorKind::InvalidData)?;
                Some(Session::from_page(head, &body).map_err(io::Error::other)?)
            }
            _ => None,
        };
        let mut stream = TcpStream::connect(server)?;
        let request = match &session {
            Some(_) => stream_request(server, session.as_ref()),
            None => format!("GET /value/{number} HTTP/1.1\r\nhost: {server}\r\n\r\n"),
        };
        stream.write_all(request.as_bytes())?;
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        // The head's end: from here on the server knows the stream.
        while line != "\r\n" {
            line.clear();
            if stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(Tab {
            server,
            number,
            session,
            stream,
            clicks,
        })
    }

    fn click(&mut self, count: u64) -> io::Result<()> {
        let (server, number) = (self.server, self.number);
        let request = match &self.session {
            Some(session) => click_request(server, session, "/_action/add", count),
            None => {
                let path = format!("/value/{number}/add");
                click_request(server, &Session::of_no_server(), &path, count)
            }
        };
        self.clicks.write_all(request.as_bytes())
    }

    /// The answer, and the value on the stream.
    fn wait_for(&mut self, count: u64) -> io::Result<()> {
        let (response, _) = answer(&mut self.clicks)?;
        let status = response.head().map_or(0, |head| head.status);
        if !(200..300).contains(&status) {
            return Err(io::Error::other(format!(
                "a click was answered with {status}"
            )));
        }
        let mut line = String::new();
        loop {
            line.clear();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match value(&line) {
                Some(seen) if seen == count => return Ok(()),
                // The stream's first event may tell the value of before the first click.
                Some(0) | None => {}
                Some(seen) => {
                    let text = format!("click {count} made the value {seen}");
                    return Err(io::Error::new(io::ErrorKind::InvalidData, text));
                }
            }
        }
    }
}

/// The number after `"count":` in a line of data.
fn value(line: &str) -> Option<u64> {
    let (_, digits) = line.strip_prefix("data:")?.split_once("\"count\":")?;
    let end = digits.find(|digit: char| !digit.is_ascii_digit())?;
    digits[..end].parse().ok()
}

/// One whole answer; what a kept-alive connection sends is one at a time.
fn answer(socket: &mut TcpStream) -> io::Result<(Response, Vec<u8>)> {
    let (mut response, mut body) = (Response::default(), Vec::new());
    let mut buffer = [0; 8192];
    while !response.is_done() {
        let count = socket.read(&mut buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        response
            .feed(&buffer[..count], &mut |piece| body.extend_from_slice(piece))
            .map_err(io::Error::other)?;
    }
    Ok((response, body))
}

#[cfg(test)]
mod tests {
    use super::value;

    #[test]
    fn the_value_is_read_from_data_only() {
        assert_eq!(value("data: signals {\"count\":12}\n"), Some(12));
        assert_eq!(value("data: signals {\"other\":12}\n"), None);
        assert_eq!(value("event: \"count\":12}\n"), None);
    }
}
