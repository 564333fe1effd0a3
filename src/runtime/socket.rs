//! A non-blocking TCP socket whose readiness comes from the shard's [`Reactor`].

use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::io::Errno;
use socket2::{Domain, Protocol, SockRef, TcpKeepalive, Type};

use super::reactor::{Reactor, Token};

/// A silent connection's peer is asked for a sign of life after this long, and then again and again.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
/// The same where nobody else asks and there are many.
const KEEPALIVE_IDLE_OF_MANY: Duration = Duration::from_secs(120);
/// Short, so that questions which met a full queue are not asked again in step with the next ones.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);

/// Bytes or questions that nobody acknowledges end the connection after this long, counted from the
/// last sign of life.
const USER_TIMEOUT: Duration = Duration::from_secs(25);

/// For so long questions may stay unanswered.
const PATIENCE: Duration = USER_TIMEOUT.saturating_sub(KEEPALIVE_IDLE);

/// How a dead peer of an otherwise idle connection is found (docs/decisions/0054-asking-after-peers.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watchfulness {
    /// The kernel asks after 10 s of silence: found within 25 s.
    Close,
    /// Something is sent now and then: found 25 s after that.
    BySending,
    /// The kernel asks after two minutes: found within 135 s.
    Far,
}

/// Bytes that the kernel may hold unsent per socket, so that newer states can replace older ones.
const NOTSENT_LOWAT_BYTES: u32 = 32 * 1024;

/// A connected socket of this shard.
pub struct Socket {
    stream: Option<TcpStream>,
    token: Token,
}

impl Socket {
    /// Takes over an accepted socket, or one that another shard handed over.
    ///
    /// # Errors
    /// When the kernel refuses an option or the registration.
    pub fn adopt(fd: OwnedFd) -> io::Result<Self> {
        let stream = TcpStream::from(fd);
        stream.set_nonblocking(true)?;
        let token = Reactor::current().register(stream.as_fd())?;
        Ok(Self {
            stream: Some(stream),
            token,
        })
    }

    /// Opens a connection to `address`, without blocking the thread; it waits as long as the kernel
    /// does, so whoever has a deadline drops the future.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        let domain = Domain::for_address(address);
        let kind = Type::STREAM.nonblocking().cloexec();
        let raw = socket2::Socket::new(domain, kind, Some(Protocol::TCP))?;
        match raw.connect(&address.into()) {
            Err(error) if error.raw_os_error() != Some(Errno::INPROGRESS.raw_os_error()) => {
                return Err(error);
            }
            _ => {}
        }
        let socket = Self::adopt(raw.into())?;
        let reactor = Reactor::current();
        loop {
            if let Some(error) = socket.stream().take_error()? {
                return Err(error);
            }
            match socket.stream().peer_addr() {
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                    reactor.clear_writable(socket.token);
                    poll_fn(|cx| reactor.poll_writable(socket.token, cx.waker())).await;
                }
                Err(error) => return Err(error),
                // A port of this machine that nobody listens on can be the very one that the kernel
                // drew for this end; then the socket is connected to itself.
                Ok(peer) if socket.stream().local_addr()? == peer => {
                    return Err(io::ErrorKind::ConnectionRefused.into());
                }
                Ok(_) => return Ok(socket),
            }
        }
    }

    /// Sets what every accepted connection gets: no delay, dead-peer detection, a bound on unsent bytes.
    ///
    /// # Errors
    /// When the kernel refuses an option.
    pub fn tune(&self, watchfulness: Watchfulness) -> io::Result<()> {
        let stream = self.stream();
        stream.set_nodelay(true)?;
        let socket = SockRef::from(stream);
        let (idle, patience) = match watchfulness {
            Watchfulness::Close => (Some(KEEPALIVE_IDLE), USER_TIMEOUT),
            Watchfulness::BySending => (None, USER_TIMEOUT),
            Watchfulness::Far => (
                Some(KEEPALIVE_IDLE_OF_MANY),
                KEEPALIVE_IDLE_OF_MANY + PATIENCE,
            ),
        };
        if let Some(idle) = idle {
            let keepalive = TcpKeepalive::new()
                .with_time(idle)
                .with_interval(KEEPALIVE_INTERVAL);
            socket.set_tcp_keepalive(&keepalive)?;
        }
        socket.set_tcp_user_timeout(Some(patience))?;
        socket.set_tcp_notsent_lowat(NOTSENT_LOWAT_BYTES)?;
        Ok(())
    }

    fn stream(&self) -> &TcpStream {
        self.stream
            .as_ref()
            .expect("a socket is used until it is given away")
    }

    /// Waits until there is something to read, or an end. What was seen readable before may have
    /// been read since, so the kernel is asked, without a buffer.
    pub async fn readable(&self) {
        let reactor = Reactor::current();
        loop {
            poll_fn(|cx| reactor.poll_readable(self.token, cx.waker())).await;
            match self.stream().peek(&mut [0]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    reactor.clear_readable(self.token);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => return,
            }
        }
    }

    /// Waits as [`Socket::readable`] does, but never takes the readiness that an earlier read left
    /// behind for new bytes.
    pub async fn has_bytes(&self) {
        let reactor = Reactor::current();
        loop {
            self.readable().await;
            match self.stream().peek(&mut [0]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    reactor.clear_readable(self.token);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Bytes, an end, or an error, which the next read tells.
                _ => return,
            }
        }
    }

    /// Waits for the first byte and leaves it where it is; `None` is the end.
    ///
    /// # Errors
    /// What the kernel says, but never `WouldBlock`.
    pub async fn peek_byte(&self) -> io::Result<Option<u8>> {
        let mut byte = [0];
        loop {
            self.has_bytes().await;
            match self.stream().peek(&mut byte) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other.map(|count| (count > 0).then_some(byte[0])),
            }
        }
    }

    /// How many bytes can be read, at least, without taking one: 0 is the end; `None` when nothing is there.
    pub fn peek(&self) -> Option<io::Result<usize>> {
        let reactor = Reactor::current();
        if !reactor.is_readable(self.token) {
            return None;
        }
        loop {
            match self.stream().peek(&mut [0]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    reactor.clear_readable(self.token);
                    return None;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return Some(other),
            }
        }
    }

    /// Reads without waiting; `None` when nothing is there.
    pub fn try_read(&self, buffer: &mut [u8]) -> Option<io::Result<usize>> {
        match self.stream().read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Reactor::current().clear_readable(self.token);
                None
            }
            other => Some(other),
        }
    }

    /// Reads what is there; `Ok(0)` is the end.
    ///
    /// # Errors
    /// What the kernel says, but never `WouldBlock`.
    pub fn poll_read(&self, cx: &Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let reactor = Reactor::current();
        loop {
            match self.stream().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    reactor.clear_readable(self.token);
                    ready!(reactor.poll_readable(self.token, cx.waker()));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return Poll::Ready(other),
            }
        }
    }

    /// Writes what fits, at least one byte.
    ///
    /// # Errors
    /// What the kernel says, but never `WouldBlock`.
    pub fn poll_write(&self, cx: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let reactor = Reactor::current();
        loop {
            match self.stream().write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    reactor.clear_writable(self.token);
                    ready!(reactor.poll_writable(self.token, cx.waker()));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return Poll::Ready(other),
            }
        }
    }

    /// Writes what fits without waiting.
    ///
    /// # Errors
    /// What the kernel says; a full socket is `Ok(0)`.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self.stream().write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            other => other,
        }
    }

    /// Tells the peer that nothing more comes, so that it reads the answer before the end.
    pub fn finish_writing(&self) {
        // The peer may be gone already: then there is nobody to tell.
        self.stream().shutdown(std::net::Shutdown::Write).ok();
    }

    /// From now on the readiness of this socket goes to the shard's turn, under `key`.
    pub fn watch(&self, key: u32) {
        Reactor::current().watch(self.token, key);
    }

    /// From now on it wakes the task that waits for it.
    pub fn unwatch(&self) {
        Reactor::current().unwatch(self.token);
    }

    /// The descriptor's number, for batched sends.
    #[must_use]
    pub fn raw(&self) -> RawFd {
        self.stream().as_raw_fd()
    }

    /// Gives the socket away, to another shard.
    #[must_use]
    pub fn into_fd(mut self) -> OwnedFd {
        let stream = self.stream.take().expect("a socket is given away once");
        Reactor::current().forget(stream.as_fd(), self.token);
        stream.into()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Some(stream) = &self.stream {
            Reactor::current().forget(stream.as_fd(), self.token);
        }
    }
}
