//! One connection, from its first byte until it has nothing more to say: read a request, answer, again.
//!
//! The head has `header_time` from its first byte, the body the same per read. Who waits for a next request does so
//! elsewhere, without a task. What the scan of the raw head refuses closes the connection.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ServerConfig;

use super::response::HSTS;
use super::secure::open;
use super::{Answer, Channel, Request, Response, http_date, http2};
use crate::runtime::Socket;
use crate::runtime::timer::Timers;
use crate::wire::chunked::Decoder;
use crate::wire::head::{self, Body, HeadError, Method};
use crate::wire::response::{CONTINUE, write_line};

/// Bounds of one connection.
#[derive(Clone)]
pub(crate) struct Limits {
    pub header_bytes: usize,
    pub body_bytes: usize,
    pub header_time: Duration,
    pub idle_time: Duration,
}

/// What answers requests.
pub(crate) trait Service: 'static {
    /// Answers one request.
    fn answer(self: Rc<Self>, request: Request) -> impl Future<Output = Answer>;
    fn timers(&self) -> &Timers;
    fn limits(&self) -> &Limits;
    /// How handshakes are made, where this server speaks TLS.
    fn tls(&self) -> Option<&Arc<ServerConfig>>;
    /// The value of `Strict-Transport-Security`, where it is sent.
    fn hsts(&self) -> Option<&str>;
    /// A handshake came to nothing.
    fn count_failed_handshake(&self);
    /// No further request is taken on an open connection.
    fn is_closing(&self) -> bool;
    /// Waits until [`Service::is_closing`].
    fn closing(&self) -> impl Future<Output = ()>;
}

/// Shakes hands with a fresh connection of a server that speaks TLS. None where that came to nothing, or where the
/// connection spoke HTTP/2 and has ended.
pub(crate) async fn welcome<S: Service>(service: Rc<S>, socket: Socket) -> Option<Channel> {
    let Some(config) = service.tls().map(Arc::clone) else {
        return Some(Channel::plain(socket));
    };
    // A handshake's future is large, and soon over.
    let channel = Box::pin(open(&*service, socket, config)).await?;
    if channel.speaks_http2() {
        Box::pin(http2::serve(service, channel)).await;
        return None;
    }
    Some(channel)
}

/// Answers what `channel` has to say, request by request, and gives it back when it has nothing more to say. None
/// where one side has closed it, or a stream has taken it.
pub(crate) async fn serve<S: Service>(service: Rc<S>, mut channel: Channel) -> Option<Channel> {
    let mut rest = Vec::new();
    loop {
        (channel, rest) = one_request(Rc::clone(&service), channel, rest).await?;
        if service.is_closing() {
            channel.say_goodbye();
            return None;
        }
        if rest.is_empty() {
            return Some(channel);
        }
    }
}

/// Why a request got no further than the connection.
enum Broken {
    /// The peer left, or has nothing more to say.
    Closed,
    /// It is told why, and the connection is closed.
    Refused(u16, String),
}

async fn one_request<S: Service>(
    service: Rc<S>,
    mut channel: Channel,
    mut buffer: Vec<u8>,
) -> Option<(Channel, Vec<u8>)> {
    let request = match read_request(&*service, &mut channel, &mut buffer).await {
        Ok(request) => request,
        Err(Broken::Closed) => return None,
        Err(Broken::Refused(status, line)) => {
            refuse(&*service, &mut channel, status, &line).await;
            return None;
        }
    };
    let head_only = request.head.method == Method::Head;
    let keep_alive = request.head.keep_alive;
    let response = match Rc::clone(&service).answer(request).await {
        Answer::Response(response) => response.with_hsts(service.hsts()),
        Answer::Take(take) => {
            take(channel);
            return None;
        }
    };
    let close = !keep_alive || service.is_closing();
    write(&*service, &mut channel, &response, head_only, close)
        .await
        .then_some(())?;
    if close {
        linger(&*service, &mut channel).await;
        return None;
    }
    Some((channel, buffer))
}

async fn write<S: Service>(
    service: &S,
    channel: &mut Channel,
    response: &Response,
    head_only: bool,
    close: bool,
) -> bool {
    let mut out = Vec::with_capacity(512 + response.body.len());
    response.encode(head_only, close, &mut out);
    let deadline = Instant::now() + service.limits().idle_time;
    matches!(
        service
            .timers()
            .within(deadline, channel.write_all(&out))
            .await,
        Some(Ok(()))
    )
}

pub(super) async fn refuse<S: Service>(
    service: &S,
    channel: &mut Channel,
    status: u16,
    line: &str,
) {
    let mut out = Vec::new();
    let hsts = service.hsts().filter(|_| channel.is_secure());
    let hsts: Vec<_> = hsts.map(|value| (HSTS, value)).into_iter().collect();
    write_line(&mut out, status, &http_date(), line, true, &hsts)
        .expect("a plain line is a valid response");
    let deadline = Instant::now() + service.limits().header_time;
    if let Some(Ok(())) = service
        .timers()
        .within(deadline, channel.write_all(&out))
        .await
    {
        linger(service, channel).await;
    }
}

/// Bytes that are read and thrown away after an answer, so that the peer's own sending does not
/// reset the connection before it has read the answer.
const LINGER_BYTES: usize = 256 * 1024;
const LINGER_TIME: Duration = Duration::from_secs(1);

async fn linger<S: Service>(service: &S, channel: &mut Channel) {
    channel.finish_writing();
    let drain = async {
        let mut scratch = vec![0; 8192];
        let mut left = LINGER_BYTES;
        while let Ok(count @ 1..) = channel.read(&mut scratch).await {
            left = left.saturating_sub(count);
            if left == 0 {
                return;
            }
        }
    };
    // A peer that goes on sending is cut.
    service
        .timers()
        .within(Instant::now() + LINGER_TIME, drain)
        .await
        .unwrap_or(());
}

async fn read_request<S: Service>(
    service: &S,
    channel: &mut Channel,
    buffer: &mut Vec<u8>,
) -> Result<Request, Broken> {
    let limits = service.limits();
    let deadline = Instant::now() + limits.header_time;
    let mut seen = 0;
    let end = loop {
        // Empty lines before a request are allowed (RFC 9112, 2.2).
        while buffer.starts_with(b"\r\n") {
            buffer.drain(..2);
            seen = 0;
        }
        if let Some(end) = head::find_end_from(buffer, seen) {
            break end;
        }
        if buffer.len() > limits.header_bytes {
            return Err(head_error(&HeadError::oversize(buffer), limits));
        }
        seen = buffer.len();
        let read = service
            .timers()
            .within(deadline, read_more(channel, buffer))
            .await;
        match read {
            Some(true) => {}
            Some(false) => return Err(Broken::Closed),
            None if buffer.is_empty() => return Err(Broken::Closed),
            None => {
                let line = format!(
                    "the request's head took longer than {} s",
                    limits.header_time.as_secs()
                );
                return Err(Broken::Refused(408, line));
            }
        }
    };
    if end > limits.header_bytes {
        return Err(head_error(&HeadError::oversize(buffer), limits));
    }
    let head = head::parse(&buffer[..end]).map_err(|error| head_error(&error, limits))?;
    buffer.drain(..end);
    let body = match head.body {
        Body::None => Vec::new(),
        Body::Length(length) => {
            if length > limits.body_bytes as u64 {
                return Err(too_large(limits));
            }
            greet(channel, head.expect_continue, buffer).await?;
            let length = usize::try_from(length).map_err(|_| too_large(limits))?;
            while buffer.len() < length {
                body_bytes(service, channel, buffer).await?;
            }
            let after = buffer.split_off(length);
            std::mem::replace(buffer, after)
        }
        Body::Chunked => {
            greet(channel, head.expect_continue, buffer).await?;
            chunked(service, channel, buffer).await?
        }
    };
    Ok(Request {
        head,
        body,
        followed: !buffer.is_empty() || channel.has_unread(),
        shares_connection: false,
    })
}

async fn greet(channel: &mut Channel, expected: bool, buffer: &[u8]) -> Result<(), Broken> {
    if expected && buffer.is_empty() {
        channel
            .write_all(CONTINUE)
            .await
            .map_err(|_| Broken::Closed)?;
    }
    Ok(())
}

async fn chunked<S: Service>(
    service: &S,
    channel: &mut Channel,
    buffer: &mut Vec<u8>,
) -> Result<Vec<u8>, Broken> {
    let mut decoder = Decoder::new(service.limits().body_bytes as u64);
    let mut body = Vec::new();
    loop {
        let progress = decoder
            .decode(buffer, &mut body)
            .map_err(|error| Broken::Refused(error.status(), error.to_string()))?;
        buffer.drain(..progress.consumed);
        if progress.done {
            return Ok(body);
        }
        body_bytes(service, channel, buffer).await?;
    }
}

async fn body_bytes<S: Service>(
    service: &S,
    channel: &mut Channel,
    buffer: &mut Vec<u8>,
) -> Result<(), Broken> {
    let time = service.limits().header_time;
    match service
        .timers()
        .within(Instant::now() + time, read_more(channel, buffer))
        .await
    {
        Some(true) => Ok(()),
        Some(false) => Err(Broken::Closed),
        None => Err(Broken::Refused(
            408,
            format!("the request's body stood still for {} s", time.as_secs()),
        )),
    }
}

/// How much one read asks for.
const READ_BYTES: usize = 4096;

/// Appends what comes; `false` at the end, or when the peer is gone.
async fn read_more(channel: &mut Channel, buffer: &mut Vec<u8>) -> bool {
    let start = buffer.len();
    buffer.resize(start + READ_BYTES, 0);
    let read = channel.read(&mut buffer[start..]).await;
    let count = read.unwrap_or(0);
    buffer.truncate(start + count);
    count > 0
}

fn head_error(error: &HeadError, limits: &Limits) -> Broken {
    let status = error.status();
    let line = if status == 431 {
        format!(
            "{error} (the limit is --header-bytes {})",
            limits.header_bytes
        )
    } else {
        error.to_string()
    };
    Broken::Refused(status, line)
}

fn too_large(limits: &Limits) -> Broken {
    Broken::Refused(
        413,
        format!(
            "the body is larger than {} bytes (the limit is --body-bytes)",
            limits.body_bytes
        ),
    )
}
