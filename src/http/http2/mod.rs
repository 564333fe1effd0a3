//! HTTP/2 on a TLS channel: requests become what HTTP/1.1 would have made of them, and answers go
//! back on their streams. See `docs/decisions/0051-http2-over-h2.md`.
//!
//! Invariant: nothing here decides what a request may be. Its fields are written as a head of
//! HTTP/1.1 and read by the one parser of the server, so both versions refuse the same things.
#![forbid(unsafe_code)]

mod answer;
mod event_stream;
mod io;
mod request;

use std::future::poll_fn;
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use futures_lite::future::or;
use h2::server::{Builder, Connection};

use super::{Channel, Service};
use crate::runtime::spawn;
use io::Io;

/// Streams that a client may have open at once.
const STREAMS_MAX: u32 = 256;

/// Streams that were reset and are still remembered; a client that resets more is cut off.
const RESETS_MAX: usize = 64;

/// What a client may send of a body before it is read.
const WINDOW_BYTES: u32 = 64 * 1024;
/// The same for all bodies of a connection.
const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;

/// What waits to be sent of one stream within h2.
const SEND_BUFFER_BYTES: usize = 32 * 1024;

type Client = Connection<Io, Bytes>;

/// A request, and where its answer goes.
type Asked = (
    http::Request<h2::RecvStream>,
    h2::server::SendResponse<Bytes>,
);

/// What a connection's next moment brings.
enum Next {
    Request(Box<Asked>),
    Ended,
    Leave,
}

/// Serves a connection until one side ends it.
pub(super) async fn serve<S: Service>(service: Rc<S>, channel: Channel) {
    let limits = service.limits();
    let header_bytes = u32::try_from(limits.header_bytes).unwrap_or(u32::MAX);
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(header_bytes)
        .initial_window_size(WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_reset_streams(RESETS_MAX)
        .max_pending_accept_reset_streams(RESETS_MAX)
        .max_send_buffer_size(SEND_BUFFER_BYTES);
    let deadline = Instant::now() + limits.header_time;
    let greeted = builder.handshake(Io(channel));
    let Some(Ok(mut client)) = service.timers().within(deadline, greeted).await else {
        return;
    };
    let mut leaving = false;
    loop {
        match next(&*service, &mut client, leaving).await {
            Next::Request(asked) => {
                let (request, respond) = *asked;
                spawn(answer::answer(Rc::clone(&service), request, respond));
            }
            Next::Ended => return,
            Next::Leave => {
                leaving = true;
                client.graceful_shutdown();
            }
        }
    }
}

async fn next<S: Service>(service: &S, client: &mut Client, leaving: bool) -> Next {
    loop {
        let came = async {
            match poll_fn(|cx| client.poll_accept(cx)).await {
                Some(Ok(asked)) => Next::Request(Box::new(asked)),
                Some(Err(error)) => {
                    tracing::debug!(%error, "an HTTP/2 connection ended");
                    Next::Ended
                }
                None => Next::Ended,
            }
        };
        let told = async {
            if leaving {
                std::future::pending::<()>().await;
            }
            service.closing().await;
            Next::Leave
        };
        let deadline = Instant::now() + service.limits().idle_time;
        match service.timers().within(deadline, or(came, told)).await {
            Some(next) => return next,
            // Nobody asked for anything: streams may be open for long.
            None if client.has_streams() => {}
            None if leaving => return Next::Ended,
            None => return Next::Leave,
        }
    }
}
