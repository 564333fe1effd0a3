//! Listening sockets: one per shard on the same port.
//!
//! The first is bound without `SO_REUSEPORT`, so a port that anybody else holds (another autovia
//! too) is an error; only then the option is set and the others join.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};

use socket2::{Domain, Protocol, SockAddr, Socket as RawSocket, Type};

use super::headroom::Headroom;
use super::reactor::{Reactor, Token};

const BACKLOG: i32 = 4096;

/// Binds `count` listeners to `address`; port 0 is a free port, the same for all.
///
/// # Errors
/// What the kernel said of the first that failed.
pub fn bind(address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    let first = open(address)?;
    first.bind(&SockAddr::from(address))?;
    first.set_reuse_port(true)?;
    first.listen(BACKLOG)?;
    let bound = first
        .local_addr()?
        .as_socket()
        .ok_or(io::ErrorKind::AddrNotAvailable)?;
    let mut listeners = vec![TcpListener::from(first)];
    for _ in 1..count {
        let next = open(address)?;
        next.set_reuse_port(true)?;
        next.bind(&SockAddr::from(bound))?;
        next.listen(BACKLOG)?;
        listeners.push(TcpListener::from(next));
    }
    Ok(listeners)
}

fn open(address: SocketAddr) -> io::Result<RawSocket> {
    let socket = RawSocket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Connections that were turned away and are kept until they have read why.
const LINGERING_MAX: usize = 16;

const NO_DESCRIPTOR: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";

/// What an attempt to accept gave.
pub enum Accepted {
    /// A connection.
    Connection(OwnedFd),
    /// The descriptor table is full but for what is kept free; one connection was answered 503.
    TurnedAway,
    /// Not one descriptor was left, but for the spare one; at most one connection was answered 503.
    NoDescriptors,
}

/// A listener of this shard.
pub struct Listener {
    listener: TcpListener,
    token: Token,
    headroom: Headroom,
    spare: Option<OwnedFd>,
    /// A socket that is closed before its request was read resets the connection, and the answer with it.
    lingering: VecDeque<TcpStream>,
}

impl Listener {
    /// Registers a bound listener with this shard.
    ///
    /// # Errors
    /// When the kernel refuses the registration.
    pub fn new(listener: TcpListener) -> io::Result<Self> {
        let token = Reactor::current().register(listener.as_fd())?;
        Ok(Self {
            listener,
            token,
            headroom: Headroom::of_this_process(),
            spare: spare(),
            lingering: VecDeque::new(),
        })
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// What the kernel says, but never that nobody is there.
    pub async fn accept(&mut self) -> io::Result<Accepted> {
        let reactor = Reactor::current();
        loop {
            match self.listener.accept() {
                Ok((stream, _)) if self.headroom.is_too_many(&stream) => {
                    self.turn_away(stream);
                    return Ok(Accepted::TurnedAway);
                }
                Ok((stream, _)) => {
                    self.lingering.clear();
                    return Ok(Accepted::Connection(stream.into()));
                }
                Err(error) => match error.raw_os_error() {
                    Some(libc::EAGAIN) => {
                        reactor.clear_readable(self.token);
                        poll_fn(|cx| reactor.poll_readable(self.token, cx.waker())).await;
                    }
                    Some(libc::EMFILE | libc::ENFILE) => {
                        self.lingering.clear();
                        drop(self.spare.take());
                        if let Ok((stream, _)) = self.listener.accept() {
                            answer(&stream);
                        }
                        self.spare = spare();
                        return Ok(Accepted::NoDescriptors);
                    }
                    // The peer left before it was accepted.
                    Some(libc::ECONNABORTED | libc::EINTR | libc::EPROTO) => {}
                    _ => return Err(error),
                },
            }
        }
    }

    fn turn_away(&mut self, stream: TcpStream) {
        answer(&stream);
        if self.lingering.len() >= LINGERING_MAX {
            self.lingering.pop_front();
        }
        self.lingering.push_back(stream);
    }
}

/// Whoever is turned away may be gone: nothing is owed then.
fn answer(mut stream: &TcpStream) {
    stream.set_nonblocking(true).ok();
    stream.write_all(NO_DESCRIPTOR).ok();
    stream.shutdown(Shutdown::Write).ok();
}

impl Drop for Listener {
    fn drop(&mut self) {
        Reactor::current().forget(self.listener.as_fd(), self.token);
    }
}

fn spare() -> Option<OwnedFd> {
    std::fs::File::open("/dev/null").ok().map(OwnedFd::from)
}
