//! From a fresh socket to a channel with TLS on it, or to its end.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use futures_lite::future::or;
use rustls::ServerConfig;

use super::connection::refuse;
use super::tls::Session;
use super::{Channel, Service};
use crate::runtime::Socket;

/// The first byte of a TLS connection: a handshake record (RFC 8446, 5.1).
const HANDSHAKE: u8 = 22;

/// Shakes hands within the time that a request's head may take; `None` when that came to nothing.
pub(super) async fn open<S: Service>(
    service: &S,
    socket: Socket,
    config: Arc<ServerConfig>,
) -> Option<Channel> {
    let deadline = Instant::now() + service.limits().header_time;
    let shaken = or(
        async { Some(shake(socket, config).await) },
        // Whoever has asked for nothing yet loses nothing.
        async {
            service.closing().await;
            None
        },
    );
    let failed = |error: &dyn std::fmt::Display| {
        tracing::debug!(%error, "a TLS handshake came to nothing");
        service.count_failed_handshake();
        None
    };
    match service.timers().within(deadline, shaken).await {
        Some(Some(Ok(Shaken::Tls(channel)))) => Some(channel),
        Some(Some(Ok(Shaken::Plain(mut channel)))) => {
            let line = "this port speaks TLS: ask for https://";
            refuse(service, &mut channel, 400, line).await;
            failed(&"the client doesn't speak TLS")
        }
        Some(Some(Ok(Shaken::Nothing)) | None) => None,
        Some(Some(Err(error))) => failed(&error),
        None => failed(&"it took longer than --header-seconds"),
    }
}

enum Shaken {
    Tls(Channel),
    /// It begins as no TLS does.
    Plain(Channel),
    /// It ended before it began.
    Nothing,
}

async fn shake(socket: Socket, config: Arc<ServerConfig>) -> io::Result<Shaken> {
    match socket.peek_byte().await? {
        None => return Ok(Shaken::Nothing),
        Some(HANDSHAKE) => {}
        Some(_) => return Ok(Shaken::Plain(Channel::plain(socket))),
    }
    let session = Session::new(config).map_err(io::Error::other)?;
    let mut channel = Channel::new(socket, Some(Box::new(session)));
    channel.shake_hands().await?;
    Ok(Shaken::Tls(channel))
}
