//! What HTTP is spoken over: a socket, plain or with TLS on it.
//!
//! Invariant: an idle channel holds no bytes. Encrypted bytes are read into a scratch of the shard
//! and decrypted there; only what is left over (a record that is not whole, decrypted bytes that
//! nobody has asked for yet, what a full socket did not take) stays with the channel.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::task::{Context, Poll, ready};

use super::tls::{HTTP_2, SEAL_MAX_BYTES, Session, TlsError};
use crate::runtime::Socket;

/// What one read of an encrypted channel takes: the largest record and its neighbour's head.
const READ_BYTES: usize = 17 * 1024;

thread_local! {
    static INCOMING: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static OUTGOING: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A connected socket of this shard, plain or with TLS.
pub(crate) struct Channel {
    socket: Socket,
    tls: Option<Box<Session>>,
}

impl Channel {
    pub fn plain(socket: Socket) -> Self {
        Self { socket, tls: None }
    }

    /// A channel whose handshake is still to be made, or one that another shard handed over.
    pub fn new(socket: Socket, tls: Option<Box<Session>>) -> Self {
        Self { socket, tls }
    }

    /// Shakes hands.
    ///
    /// # Errors
    /// What the socket says; [`io::ErrorKind::InvalidData`] for what is no TLS or none that is
    /// spoken here.
    pub async fn shake_hands(&mut self) -> io::Result<()> {
        poll_fn(|cx| {
            loop {
                let flushed = self.poll_flush(cx)?;
                match &self.tls {
                    Some(tls) if tls.is_handshaking() => {}
                    _ => return flushed.map(Ok),
                }
                if ready!(self.poll_fill(cx))? == 0 {
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
            }
        })
        .await
    }

    /// The handshake chose HTTP/2.
    pub fn speaks_http2(&self) -> bool {
        self.tls
            .as_ref()
            .is_some_and(|tls| tls.protocol() == Some(HTTP_2))
    }

    /// TLS is on it.
    pub fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// Bytes were decrypted that nobody has read.
    pub fn has_unread(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.has_unread())
    }

    /// Whether there is something to read, without taking it; records of TLS's own are answered and forgotten.
    pub fn listen(&mut self) -> Heard {
        if self.tls.is_none() {
            return match self.socket.peek() {
                None => Heard::Nothing,
                Some(Ok(1..)) => Heard::Bytes,
                Some(Ok(0) | Err(_)) => Heard::End,
            };
        }
        if self.tls.as_ref().is_some_and(|tls| tls.has_unread()) {
            return Heard::Bytes;
        }
        let heard = self.hear_guarded();
        // The answer that they ask for, or why it has ended.
        self.try_flush().ok();
        heard
    }

    /// Reads what is there; `Ok(0)` is the end.
    ///
    /// # Errors
    /// What the socket says, or [`io::ErrorKind::InvalidData`] for what is no TLS.
    pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read(cx, buffer)).await
    }

    /// As [`Channel::read`].
    ///
    /// # Errors
    /// As [`Channel::read`].
    pub fn poll_read(&mut self, cx: &Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            let Some(tls) = &mut self.tls else {
                return self.socket.poll_read(cx, buffer);
            };
            if let Some(count) = tls.read(buffer) {
                return Poll::Ready(Ok(count));
            }
            // What the peer asks for while it is read, such as new keys.
            let _ = self.poll_flush(cx)?;
            if ready!(self.poll_fill(cx))? == 0 {
                // An end without TLS's own goodbye: a request that lacks something is noticed.
                return Poll::Ready(Ok(0));
            }
        }
    }

    /// Takes what the socket has, and decrypts it; 0 is the end of the socket.
    fn poll_fill(&mut self, cx: &Context<'_>) -> Poll<io::Result<usize>> {
        let (socket, tls) = (&self.socket, self.tls.as_mut().expect("only TLS is filled"));
        INCOMING.with_borrow_mut(|scratch| {
            let kept = tls.partial().len();
            if scratch.len() < kept + READ_BYTES {
                scratch.resize(kept + READ_BYTES, 0);
            }
            scratch[..kept].copy_from_slice(tls.partial());
            let count = ready!(socket.poll_read(cx, &mut scratch[kept..kept + READ_BYTES]))?;
            if count > 0
                && let Err(error) = tls.take_in(&mut scratch[..kept + count])
            {
                // The peer is told why, if it still listens.
                let _ = socket.try_write(tls.unsent());
                return Poll::Ready(Err(invalid(error)));
            }
            Poll::Ready(Ok(count))
        })
    }

    /// Sends what is encrypted already.
    ///
    /// # Errors
    /// What the socket says.
    pub fn poll_flush(&mut self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let Some(tls) = &mut self.tls else {
            return Poll::Ready(Ok(()));
        };
        while !tls.is_sent() {
            match ready!(self.socket.poll_write(cx, tls.unsent()))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => tls.sent(count),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Takes a piece of `bytes`, at least one byte; what is taken is sent, or will be by the next
    /// call.
    ///
    /// # Errors
    /// What the socket says, or that the session is over.
    pub fn poll_write(&mut self, cx: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_flush(cx))?;
        let (socket, Some(tls)) = (&self.socket, &mut self.tls) else {
            return self.socket.poll_write(cx, bytes);
        };
        OUTGOING.with_borrow_mut(|scratch| {
            let piece = &bytes[..bytes.len().min(SEAL_MAX_BYTES)];
            scratch.clear();
            tls.seal(piece, scratch).map_err(invalid)?;
            let count = match socket.poll_write(cx, scratch) {
                Poll::Ready(count) => count?,
                Poll::Pending => 0,
            };
            tls.keep(&scratch[count..]);
            Poll::Ready(Ok(piece.len()))
        })
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// What the socket says, or that the session is over.
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match poll_fn(|cx| self.poll_write(cx, bytes)).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => bytes = &bytes[count..],
            }
        }
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Writes without waiting; what doesn't fit is lost when the channel is dropped.
    ///
    /// # Errors
    /// What the socket says, or that the session is over.
    pub fn try_write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            return self.socket.try_write(bytes).map(drop);
        };
        let mut out = Vec::new();
        tls.seal(bytes, &mut out).map_err(invalid)?;
        tls.keep(&out);
        self.try_flush()
    }

    /// Sends what is encrypted already, as far as it fits.
    fn try_flush(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls
            && !tls.is_sent()
        {
            let count = self.socket.try_write(tls.unsent())?;
            tls.sent(count);
        }
        Ok(())
    }

    /// Tells the peer that nothing more comes, in TLS's words and by the socket.
    pub fn finish_writing(&mut self) {
        self.say_goodbye();
        self.socket.finish_writing();
    }

    /// Tells the peer in TLS's words that nothing more comes, so that it knows that it has all.
    pub fn say_goodbye(&mut self) {
        if let Some(tls) = &mut self.tls {
            // Who can't be told any more is not waited for.
            if tls.say_goodbye().is_ok() {
                self.try_flush().ok();
            }
        }
    }

    /// Reads what an open stream's client sent, to its end. Tells whether it is more than TLS's own
    /// records: bytes, an end, an error.
    pub fn was_spoken_to(&mut self) -> bool {
        if self.tls.is_none() {
            return self.socket.try_read(&mut [0; 16]).is_some();
        }
        !matches!(self.hear_guarded(), Heard::Nothing)
    }

    /// This runs in the shard's turn: whatever a stranger's bytes do to a library ends his connection alone.
    fn hear_guarded(&mut self) -> Heard {
        let heard = std::panic::AssertUnwindSafe(|| self.hear());
        std::panic::catch_unwind(heard).unwrap_or(Heard::End)
    }

    /// Takes what the socket has, and decrypts it.
    fn hear(&mut self) -> Heard {
        loop {
            let Some(tls) = &mut self.tls else {
                return Heard::End;
            };
            let taken = INCOMING.with_borrow_mut(|scratch| {
                let kept = tls.partial().len();
                if scratch.len() < kept + READ_BYTES {
                    scratch.resize(kept + READ_BYTES, 0);
                }
                scratch[..kept].copy_from_slice(tls.partial());
                match self
                    .socket
                    .try_read(&mut scratch[kept..kept + READ_BYTES])?
                {
                    Ok(count @ 1..) => Some(tls.take_in(&mut scratch[..kept + count]).is_ok()),
                    _ => Some(false),
                }
            });
            match taken {
                Some(true) if !tls.has_plain() => {}
                _ if tls.has_unread() => return Heard::Bytes,
                None if tls.partial().len() > IDLE_PARTIAL_MAX_BYTES => return Heard::Bytes,
                None if !tls.has_plain() => return Heard::Nothing,
                _ => return Heard::End,
            }
        }
    }

    /// From now on the readiness of this channel goes to the shard's turn, under `key`.
    pub fn watch(&self, key: u32) {
        self.socket.watch(key);
    }

    /// From now on it goes to the task that reads or writes.
    pub fn unwatch(&self) {
        self.socket.unwatch();
    }

    /// The descriptor's number, for batched sends.
    pub fn raw(&self) -> RawFd {
        self.socket.raw()
    }

    /// The session, where there is one.
    pub fn tls(&self) -> Option<&Session> {
        self.tls.as_deref()
    }

    /// The session, where there is one.
    pub fn tls_mut(&mut self) -> Option<&mut Session> {
        self.tls.as_deref_mut()
    }

    /// Gives the channel away, to another shard.
    pub fn into_parts(self) -> (OwnedFd, Option<Box<Session>>) {
        (self.socket.into_fd(), self.tls)
    }
}

/// What a channel that was quiet has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    Nothing,
    /// Something to read.
    Bytes,
    /// The peer is gone, or is to be let go.
    End,
}

/// What a stream's client may leave unfinished of a record: it has nothing to say but to ask for
/// new keys, or to say goodbye.
const IDLE_PARTIAL_MAX_BYTES: usize = 1024;

fn invalid(error: TlsError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
