//! One request of an HTTP/2 connection, from its body to the end of its answer.

use std::future::poll_fn;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};

use super::event_stream::forward;
use super::request::head;
use crate::http::{Answer, Request, Response, Service, http_date};
use crate::wire::head::Method;

type Respond = SendResponse<Bytes>;

/// Answers one request. Who asked may be gone: what was received runs to its end all the same.
pub(super) async fn answer<S: Service>(
    service: Rc<S>,
    request: http::Request<RecvStream>,
    mut respond: Respond,
) {
    let (parts, body) = request.into_parts();
    let mut unread = body;
    let body = match read_body(&*service, &mut unread).await {
        Ok(body) => body,
        Err(Broken::Gone) => return,
        Err(Broken::Refused(response)) => {
            send(&*service, respond, response, false).await;
            return linger(&*service, unread).await;
        }
    };
    let head = match head(&parts, body.len()) {
        Ok(head) => head,
        Err(error) => {
            let response = Response::line(error.status(), error.to_string());
            return send(&*service, respond, response, false).await;
        }
    };
    let head_only = head.method == Method::Head;
    let request = Request {
        head,
        body,
        followed: false,
        shares_connection: true,
    };
    match Rc::clone(&service).answer(request).await {
        Answer::Response(response) => send(&*service, respond, response, head_only).await,
        Answer::Take(take) => {
            if let Err(error) = forward(take, &mut respond).await {
                tracing::debug!(%error, "a stream over HTTP/2 ended");
                respond.send_reset(Reason::INTERNAL_ERROR);
            }
        }
    }
}

enum Broken {
    Gone,
    Refused(Response),
}

async fn read_body<S: Service>(service: &S, body: &mut RecvStream) -> Result<Vec<u8>, Broken> {
    let limits = service.limits();
    let mut all = Vec::new();
    loop {
        let deadline = Instant::now() + limits.header_time;
        let piece = poll_fn(|cx| body.poll_data(cx));
        match service.timers().within(deadline, piece).await {
            Some(Some(Ok(piece))) => {
                if all.len() + piece.len() > limits.body_bytes {
                    let line = format!(
                        "the body is larger than {} bytes (the limit is --body-bytes)",
                        limits.body_bytes
                    );
                    return Err(Broken::Refused(Response::line(413, line)));
                }
                all.extend_from_slice(&piece);
                // A stream that is gone needs no room.
                body.flow_control().release_capacity(piece.len()).ok();
            }
            Some(Some(Err(_))) => return Err(Broken::Gone),
            Some(None) => return Ok(all),
            None => {
                let line = format!(
                    "the request's body stood still for {} s",
                    limits.header_time.as_secs()
                );
                return Err(Broken::Refused(Response::line(408, line)));
            }
        }
    }
}

/// Bytes of a refused body that are read and thrown away: some clients forget the answer when their
/// sending is cut off.
const LINGER_BYTES: usize = 256 * 1024;
const LINGER_TIME: Duration = Duration::from_secs(1);

async fn linger<S: Service>(service: &S, mut body: RecvStream) {
    let drain = async {
        let mut left = LINGER_BYTES;
        while let Some(Ok(piece)) = poll_fn(|cx| body.poll_data(cx)).await {
            body.flow_control().release_capacity(piece.len()).ok();
            left = left.saturating_sub(piece.len());
            if left == 0 {
                return;
            }
        }
    };
    let deadline = Instant::now() + LINGER_TIME;
    service.timers().within(deadline, drain).await.unwrap_or(());
}

/// Sends a whole response; a client that takes none of it for the idle time is given up.
async fn send<S: Service>(service: &S, mut respond: Respond, response: Response, head_only: bool) {
    let response = response.with_hsts(service.hsts());
    let mut head = http::Response::builder()
        .status(response.status)
        .header("date", http_date());
    for (name, value) in &response.headers {
        head = head.header(*name, value);
    }
    if !matches!(response.status, 204 | 304) {
        head = head.header("content-length", response.body.len());
    }
    let Ok(head) = head.body(()) else {
        // A header that would split the response is a mistake of the app; the client gets none of it.
        tracing::error!("a response could not be written");
        respond.send_reset(Reason::INTERNAL_ERROR);
        return;
    };
    let ends = head_only || response.body.is_empty() || matches!(response.status, 204 | 304);
    let Ok(mut stream) = respond.send_response(head, ends) else {
        return;
    };
    if ends {
        return;
    }
    let mut rest = Bytes::from(response.body.into_owned());
    while !rest.is_empty() {
        stream.reserve_capacity(rest.len());
        let deadline = Instant::now() + service.limits().idle_time;
        let room = poll_fn(|cx| stream.poll_capacity(cx));
        match service.timers().within(deadline, room).await {
            Some(Some(Ok(room))) => {
                let piece = rest.split_to(room.min(rest.len()));
                if stream.send_data(piece, rest.is_empty()).is_err() {
                    return;
                }
            }
            Some(_) => return,
            None => return give_up(&mut stream),
        }
    }
}

fn give_up(stream: &mut SendStream<Bytes>) {
    stream.send_reset(Reason::CANCEL);
}
