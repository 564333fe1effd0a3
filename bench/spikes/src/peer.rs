//! The other end of a connection, in memory, as hyper's IO traits want it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use hyper::rt::{Read, ReadBufCursor, Write};

/// A peer in memory: gives its bytes, then stays quiet; keeps or counts what is written.
pub struct Peer {
    input: Vec<u8>,
    at: usize,
    repeat: usize,
    keep: bool,
    /// What was written to it, if it keeps that.
    pub output: Vec<u8>,
}

impl Peer {
    /// Gives `input` this many times; keeps what is written, or not.
    pub fn new(input: &[u8], repeat: usize, keep: bool) -> Self {
        Self {
            input: input.to_vec(),
            at: 0,
            repeat,
            keep,
            output: Vec::new(),
        }
    }

    fn next(&mut self, room: usize) -> &[u8] {
        if self.at == self.input.len() && self.repeat > 1 {
            self.repeat -= 1;
            self.at = 0;
        }
        let from = self.at;
        self.at = (from + room).min(self.input.len());
        &self.input[from..self.at]
    }
}

impl Read for &mut Peer {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut to: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let bytes = self.next(to.remaining());
        if bytes.is_empty() {
            return Poll::Pending;
        }
        to.put_slice(bytes);
        Poll::Ready(Ok(()))
    }
}

impl Write for &mut Peer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.keep {
            self.output.extend_from_slice(bytes);
        }
        Poll::Ready(Ok(bytes.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
