//! A stream of events over HTTP/2: the shard of its page writes HTTP/1.1 to one end of a pair of
//! sockets, as to any browser, and what it writes is passed on here with HTTP/2's flow control.
//!
//! Invariant: nothing is read from the pair before the client has room for it. So a slow client is
//! a full socket to the page's shard, which sends it newer states instead of all.

use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::task::Poll;

use bytes::Bytes;
use futures_lite::future::or;
use h2::SendStream;
use h2::server::SendResponse;
use socket2::SockRef;

use crate::http::Channel;
use crate::runtime::Socket;

/// What the pair of sockets holds on the way.
const PAIR_BYTES: usize = 16 * 1024;
/// One piece that is passed on.
const PIECE_BYTES: usize = 16 * 1024;
/// The head of what the page's shard says.
const HEAD_MAX_BYTES: usize = 8 * 1024;

/// Gives `take` a socket and passes on what is written to it, until that ends or the client goes.
pub(super) async fn forward(
    take: Box<dyn FnOnce(Channel)>,
    respond: &mut SendResponse<Bytes>,
) -> io::Result<()> {
    let (given, kept) = UnixStream::pair()?;
    SockRef::from(&given).set_send_buffer_size(PAIR_BYTES)?;
    take(Channel::plain(Socket::adopt(OwnedFd::from(given))?));
    let kept = Socket::adopt(OwnedFd::from(kept))?;
    let mut buffer = Vec::new();
    let head = loop {
        if let Some((head, length)) = read_head(&buffer)? {
            buffer.drain(..length);
            break head;
        }
        if buffer.len() > HEAD_MAX_BYTES || read(&kept, &mut buffer, PIECE_BYTES).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let mut stream = respond
        .send_response(head, false)
        .map_err(io::Error::other)?;
    loop {
        while !buffer.is_empty() {
            stream.reserve_capacity(buffer.len());
            let Some(room) = room(&mut stream).await else {
                return Ok(());
            };
            let piece: Vec<u8> = buffer.drain(..room.min(buffer.len())).collect();
            if stream.send_data(piece.into(), false).is_err() {
                return Ok(());
            }
        }
        stream.reserve_capacity(1);
        if room(&mut stream).await.is_none() {
            return Ok(());
        }
        let gone = async {
            poll_fn(|cx| stream.poll_reset(cx)).await.ok();
            Ok(None)
        };
        let came = async { read(&kept, &mut buffer, PIECE_BYTES).await.map(Some) };
        match or(gone, came).await? {
            None => return Ok(()),
            Some(0) => break,
            Some(_) => {}
        }
    }
    // A client that is gone by now needs no end.
    stream.send_data(Bytes::new(), true).ok();
    Ok(())
}

/// Waits until something may be sent; `None` when the client is gone.
async fn room(stream: &mut SendStream<Bytes>) -> Option<usize> {
    poll_fn(|cx| {
        if stream.capacity() > 0 {
            return Poll::Ready(Some(stream.capacity()));
        }
        match stream.poll_capacity(cx) {
            Poll::Ready(Some(Ok(0))) => Poll::Pending,
            Poll::Ready(Some(Ok(room))) => Poll::Ready(Some(room)),
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Appends what comes; 0 is the end.
async fn read(socket: &Socket, buffer: &mut Vec<u8>, most: usize) -> io::Result<usize> {
    poll_fn(|cx| {
        let start = buffer.len();
        buffer.resize(start + most, 0);
        let read = socket.poll_read(cx, &mut buffer[start..]);
        let count = match &read {
            Poll::Ready(Ok(count)) => *count,
            _ => 0,
        };
        buffer.truncate(start + count);
        if count == 0 {
            // An idle stream holds no buffer.
            buffer.shrink_to_fit();
        }
        read
    })
    .await
}

/// The head without what is about an HTTP/1.1 connection, and its length.
fn read_head(bytes: &[u8]) -> io::Result<Option<(http::Response<()>, usize)>> {
    let mut slots = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut slots);
    let httparse::Status::Complete(length) = head.parse(bytes).map_err(io::Error::other)? else {
        return Ok(None);
    };
    let mut response = http::Response::builder().status(head.code.unwrap_or(500));
    for header in head.headers.iter() {
        if !header.name.eq_ignore_ascii_case("connection") {
            response = response.header(header.name, header.value);
        }
    }
    let response = response.body(()).map_err(io::Error::other)?;
    Ok(Some((response, length)))
}
