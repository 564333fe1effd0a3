//! One TCP connection that speaks HTTP/1.1 as raw as a test likes.
//!
//! Invariant: `received` holds bytes that came from the peer and that no response has taken yet,
//! so pipelined answers and bytes behind an answer are never lost.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use socket2::{Domain, SockRef, Socket, Type};

use crate::deadline::{DEADLINE, Deadline};
use crate::http::Response;

const READ_BYTES: usize = 16 * 1024;

/// An open connection to a server on loopback.
pub struct Connection {
    socket: Wire,
    received: Vec<u8>,
    patience: Duration,
}

/// The bytes' way.
enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// How the end of a body is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

impl Connection {
    /// Connects to `port` on 127.0.0.1.
    pub fn open(port: u16) -> io::Result<Self> {
        Self::open_with(port, None)
    }

    /// Connects with a receive buffer of about `receive_buffer` bytes: with a small one a reader
    /// that doesn't read is soon felt by the server.
    pub fn open_with(port: u16, receive_buffer: Option<usize>) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        socket.connect_timeout(&address.into(), Deadline::start().left()?)?;
        socket.set_tcp_nodelay(true)?;
        Ok(Self {
            socket: Wire::Plain(socket.into()),
            received: Vec::new(),
            patience: DEADLINE,
        })
    }

    /// Shakes hands: from now on all goes by TLS. The server is `127.0.0.1` to its certificate.
    pub fn secure(mut self, config: Arc<ClientConfig>) -> io::Result<Self> {
        let name = ServerName::from(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
        let deadline = Deadline::after(self.patience).left()?;
        let Wire::Plain(socket) = self.socket else {
            return Err(invalid("TLS is spoken already".to_owned()));
        };
        socket.set_read_timeout(Some(deadline))?;
        socket.set_write_timeout(Some(deadline))?;
        let mut stream = StreamOwned::new(tls, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        self.socket = Wire::Tls(Box::new(stream));
        Ok(self)
    }

    /// The TLS session, for tests that do with it what no client does. Panics on a plain one.
    pub fn tls(&mut self) -> &mut StreamOwned<ClientConnection, TcpStream> {
        match &mut self.socket {
            Wire::Tls(stream) => stream,
            Wire::Plain(_) => panic!("this connection is plain"),
        }
    }

    /// The socket below, past TLS.
    pub fn socket(&self) -> &TcpStream {
        match &self.socket {
            Wire::Plain(socket) => socket,
            Wire::Tls(stream) => &stream.sock,
        }
    }

    /// Sends bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket()
            .set_write_timeout(Some(Deadline::start().left()?))?;
        match &mut self.socket {
            Wire::Plain(socket) => socket.write_all(bytes),
            Wire::Tls(stream) => {
                stream.write_all(bytes)?;
                stream.flush()
            }
        }
    }

    /// Waits up to `patience` instead of [`DEADLINE`] for each answer.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Says that nothing more will be sent (FIN), and goes on reading.
    pub fn finish_writing(&self) -> io::Result<()> {
        self.socket().shutdown(Shutdown::Write)
    }

    /// Ends the connection at once with a reset instead of an orderly close.
    pub fn reset(self) {
        // A socket whose peer is gone already refuses the option, and then there is nothing to reset.
        let _ = SockRef::from(self.socket()).set_linger(Some(Duration::ZERO));
    }

    /// Reads one whole response. `head_only` for the answer to HEAD, which has no body whatever
    /// its headers say.
    pub fn response(&mut self, head_only: bool) -> io::Result<Response> {
        let mut response = self.response_head()?;
        if head_only {
            return Ok(response);
        }
        let framing = response.framing()?;
        while let Some(bytes) = self.body_part(framing, response.body.len())? {
            response.body.extend_from_slice(&bytes);
        }
        Ok(response)
    }

    /// Everything that the peer sends until it closes; the deadline is an error that shows what came.
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        let deadline = Deadline::after(self.patience);
        loop {
            match self.fill(deadline) {
                Ok(0) => return Ok(std::mem::take(&mut self.received)),
                Ok(_) => {}
                // A peer that closes with unread input resets; what it sent before is here.
                Err(error) if is_reset(&error) => return Ok(std::mem::take(&mut self.received)),
                Err(error) => {
                    let shown = String::from_utf8_lossy(&self.received);
                    return Err(io::Error::new(
                        error.kind(),
                        format!("the peer didn't close ({error}); it sent {shown:?}"),
                    ));
                }
            }
        }
    }

    /// What has come since the last call, at least one byte; an end is an error.
    pub fn some(&mut self) -> io::Result<Vec<u8>> {
        if self.received.is_empty() && self.fill(Deadline::after(self.patience))? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(std::mem::take(&mut self.received))
    }

    /// Whether the peer still answers on this connection, found out by asking for `/_health`.
    ///
    /// Waiting for a close that may never come would need a guess at a time; a request doesn't.
    pub fn still_answers(&mut self) -> bool {
        self.write(b"GET /_health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            .is_ok()
            && self.response(false).is_ok()
    }

    /// Whether the peer has closed already, as far as it is known here now.
    pub(crate) fn is_stale(&self) -> bool {
        let mut byte = [0];
        let _ = self.socket().set_nonblocking(true);
        let peeked = self.socket().peek(&mut byte);
        let _ = self.socket().set_nonblocking(false);
        match peeked {
            // With TLS these may be tickets; an end is seen by the next write.
            Ok(count) => count == 0 || matches!(self.socket, Wire::Plain(_)),
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }

    /// Reads the head of a response and leaves its body: a stream's never ends.
    pub fn response_head(&mut self) -> io::Result<Response> {
        let deadline = Deadline::after(self.patience);
        loop {
            if let Some(end) = find(&self.received, b"\r\n\r\n") {
                let head: Vec<u8> = self.received.drain(..end + 4).collect();
                let response = Response::parse_head(&head)?;
                // An interim answer (100, 103) is followed by the real one.
                if (100..200).contains(&response.status) {
                    continue;
                }
                return Ok(response);
            }
            self.fill_or(deadline, "a response head")?;
        }
    }

    /// The next piece of a body of which `so_far` bytes are known; `None` at its end.
    pub(crate) fn body_part(
        &mut self,
        framing: Framing,
        so_far: usize,
    ) -> io::Result<Option<Vec<u8>>> {
        let deadline = Deadline::after(self.patience);
        match framing {
            Framing::Length(length) if so_far >= length => Ok(None),
            Framing::Length(length) => {
                if self.received.is_empty() {
                    self.fill_or(deadline, "the rest of a body")?;
                }
                let take = self.received.len().min(length - so_far);
                Ok(Some(self.received.drain(..take).collect()))
            }
            Framing::UntilClose => {
                if self.received.is_empty() && self.fill(deadline)? == 0 {
                    return Ok(None);
                }
                Ok(Some(std::mem::take(&mut self.received)))
            }
            Framing::Chunked => self.chunk(deadline),
        }
    }

    fn chunk(&mut self, deadline: Deadline) -> io::Result<Option<Vec<u8>>> {
        let size_line = self.line(deadline)?;
        let digits = size_line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(digits, 16)
            .map_err(|_| invalid(format!("{size_line:?} is no chunk size")))?;
        if size == 0 {
            while !self.line(deadline)?.is_empty() {}
            return Ok(None);
        }
        while self.received.len() < size + 2 {
            self.fill_or(deadline, "the rest of a chunk")?;
        }
        let chunk = self.received.drain(..size).collect();
        let end: Vec<u8> = self.received.drain(..2).collect();
        if end != b"\r\n" {
            return Err(invalid(format!(
                "a chunk of {size} bytes ends with {end:?} instead of CRLF"
            )));
        }
        Ok(Some(chunk))
    }

    fn line(&mut self, deadline: Deadline) -> io::Result<String> {
        loop {
            if let Some(end) = find(&self.received, b"\r\n") {
                let line: Vec<u8> = self.received.drain(..end + 2).take(end).collect();
                return String::from_utf8(line)
                    .map_err(|_| invalid("a line is not UTF-8".to_owned()));
            }
            self.fill_or(deadline, "the end of a line")?;
        }
    }

    fn fill_or(&mut self, deadline: Deadline, wanted: &str) -> io::Result<()> {
        match self.fill(deadline) {
            Ok(0) => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!(
                    "the peer closed before {wanted}; unread: {:?}",
                    self.shown()
                ),
            )),
            Ok(_) => Ok(()),
            Err(error) => Err(io::Error::new(
                error.kind(),
                format!("waiting for {wanted}: {error}; unread: {:?}", self.shown()),
            )),
        }
    }

    fn fill(&mut self, deadline: Deadline) -> io::Result<usize> {
        let mut buffer = [0; READ_BYTES];
        loop {
            self.socket().set_read_timeout(Some(deadline.left()?))?;
            let read = match &mut self.socket {
                Wire::Plain(socket) => socket.read(&mut buffer),
                Wire::Tls(stream) => stream.read(&mut buffer),
            };
            match read {
                Ok(count) => {
                    self.received.extend_from_slice(&buffer[..count]);
                    return Ok(count);
                }
                // The loop asks the deadline again, which has the better words.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.received).into_owned()
    }
}

pub(crate) fn is_reset(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}

pub(crate) fn invalid(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}
