//! One simulated tab: connects, gets its page (where there is one), opens its stream, books its events.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpStream};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};

use super::LoadError;
use super::http::Response;
use super::page::{Dialect, Session, page_request, stream_request};
use super::sse::Events;
use super::tally::Account;

/// How far a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The handshake is under way.
    Connecting,
    /// The page was asked for.
    Page,
    /// The stream was asked for.
    Opening,
    /// The stream is open.
    Live,
    /// The tab is hidden and has no stream.
    Hidden,
    /// The stream has ended.
    Ended,
}

/// A tab.
#[derive(Debug)]
pub(super) struct Client {
    pub socket: TcpStream,
    source: Ipv4Addr,
    pub phase: Phase,
    pub session: Option<Session>,
    pub account: Account,
    /// Nothing is read from the socket.
    pub frozen: bool,
    /// Events without a sequence number.
    pub unnumbered: u64,
    response: Response,
    page: Vec<u8>,
    events: Events,
}

impl Client {
    /// Begins to connect from `source` as client number `index`.
    pub fn dial(server: SocketAddr, source: Ipv4Addr, index: usize) -> Result<Client, LoadError> {
        let failed = |source| LoadError::Connect { index, source };
        Ok(Client {
            socket: dial(server, source).map_err(failed)?,
            source,
            phase: Phase::Connecting,
            session: None,
            account: Account::default(),
            frozen: false,
            unnumbered: 0,
            response: Response::default(),
            page: Vec::new(),
            events: Events::default(),
        })
    }

    /// The socket is writable: asks for the page, or for the stream once the page is known.
    pub fn ask(&mut self, server: SocketAddr, dialect: Dialect, index: usize) -> io::Result<()> {
        if let Some(error) = self.socket.take_error()? {
            return Err(error);
        }
        let (request, phase) = match dialect {
            Dialect::Autovia(board) if self.session.is_none() => {
                (page_request(server, &board.path(index)), Phase::Page)
            }
            _ => (
                stream_request(server, self.session.as_ref()),
                Phase::Opening,
            ),
        };
        // A fresh socket takes a few hundred bytes whole.
        self.socket.write_all(request.as_bytes())?;
        self.response = Response::default();
        self.phase = phase;
        Ok(())
    }

    /// Reads once. `None` where nothing was there; 0 where the server has closed.
    pub fn read<'a>(&mut self, buffer: &'a mut [u8]) -> io::Result<Option<&'a [u8]>> {
        match self.socket.read(buffer) {
            Ok(count) => Ok(Some(&buffer[..count])),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes in what arrived while the page was loading. True once the page is complete and the session known.
    pub fn take_page(&mut self, bytes: &[u8]) -> Result<bool, LoadError> {
        let page = &mut self.page;
        self.response
            .feed(bytes, &mut |piece| page.extend_from_slice(piece))?;
        if !self.response.is_done() {
            return Ok(false);
        }
        if let Some(head) = self.response.head() {
            self.session = Some(Session::from_page(head, &self.page)?);
        }
        self.page = Vec::new();
        Ok(true)
    }

    /// Whether the connection can't be used for another request.
    pub fn is_closing(&self) -> bool {
        self.response.head().is_some_and(|head| head.closes)
    }

    /// Replaces a connection that the server closes after the page.
    pub fn redial(&mut self, server: SocketAddr, index: usize) -> Result<(), LoadError> {
        let failed = |source| LoadError::Connect { index, source };
        self.socket = dial(server, self.source).map_err(failed)?;
        self.phase = Phase::Connecting;
        Ok(())
    }

    /// Ends the stream, as a browser does with a hidden tab's; what it misses until it comes back is no loss.
    pub fn hide(&mut self) -> io::Result<()> {
        self.phase = Phase::Hidden;
        self.socket.shutdown(Shutdown::Both)
    }

    /// Comes back to the same page, where `newest` is the event that it may begin with.
    pub fn show(&mut self, server: SocketAddr, index: usize, newest: u64) -> Result<(), LoadError> {
        self.account.excuse(newest);
        self.events = Events::default();
        self.response = Response::default();
        self.redial(server, index)
    }

    /// Takes in what arrived on the stream; `asked` is the number of the latest tick.
    pub fn take_events(&mut self, bytes: &[u8], asked: u64) -> Result<(), LoadError> {
        let (events, account, unnumbered) =
            (&mut self.events, &mut self.account, &mut self.unnumbered);
        self.response.feed(bytes, &mut |body| {
            events.feed(body, &mut |seq| match seq {
                Some(seq) => account.book(seq, asked),
                None => *unnumbered += 1,
            });
        })?;
        if self.phase == Phase::Opening
            && let Some(head) = self.response.head()
        {
            if head.status != 200 {
                return Err(LoadError::StreamRefused {
                    status: head.status,
                });
            }
            self.phase = Phase::Live;
        }
        Ok(())
    }
}

/// Connects from one of this machine's own addresses and waits for it.
pub fn connect_from(source: Ipv4Addr, server: SocketAddr) -> io::Result<TcpStream> {
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    bind(&socket, &SocketAddrV4::new(source, 0))?;
    connect(&socket, &server)?;
    Ok(TcpStream::from(socket))
}

fn dial(server: SocketAddr, source: Ipv4Addr) -> io::Result<TcpStream> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    bind(&socket, &SocketAddrV4::new(source, 0))?;
    match connect(&socket, &server) {
        Ok(()) | Err(Errno::INPROGRESS) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(TcpStream::from(socket))
}
