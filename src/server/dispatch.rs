//! From a request to who answers it: a file, this shard, or the shard of its context.

use std::rc::Rc;
use std::sync::Arc;

use rustls::ServerConfig;

use super::counters::{HANDSHAKES_FAILED, REQUESTS};
use super::parcel::{
    ActionRequest, HandedSocket, HandedStream, PageRequest, Parcel, StreamTarget, Work,
};
use super::shard::Shard;
use crate::http::{Answer, Channel, Coding, Limits, Request, Response, Service, compress};
use crate::runtime::timer::Timers;
use crate::runtime::{local, random};
use crate::wire::body::{ActionBody, MAX_DEPTH, stream_query};
use crate::wire::head::Method;
use crate::wire::id::ContextId;
use crate::wire::session::SessionId;
use crate::wire::{cookie, path, percent};

impl Service for Shard {
    async fn answer(self: Rc<Self>, request: Request) -> Answer {
        self.count(REQUESTS, 1);
        if request.head.path() == "/_sse" {
            return self.stream(&request);
        }
        let mut response = self.respond(&request).await;
        if self.config().compress_pages {
            compress(&mut response, &request.head);
        }
        Answer::Response(response)
    }

    fn timers(&self) -> &Timers {
        &self.timers
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn tls(&self) -> Option<&Arc<ServerConfig>> {
        self.common.tls.as_ref()
    }

    fn hsts(&self) -> Option<&str> {
        self.common.hsts.as_deref()
    }

    fn count_failed_handshake(&self) {
        self.count(HANDSHAKES_FAILED, 1);
    }

    fn is_closing(&self) -> bool {
        self.closing.get()
    }

    async fn closing(&self) {
        self.closing_waiters.until(|| self.closing.get()).await;
    }
}

impl Shard {
    async fn respond(self: &Rc<Self>, request: &Request) -> Response {
        if let Err(error) = path::check(request.head.path()) {
            return Response::line(error.status(), error.to_string());
        }
        let reads = matches!(request.head.method, Method::Get | Method::Head);
        let path = request.head.path();
        if let Some(response) = self.assets.find(request) {
            if reads {
                return response;
            }
            return Response::line(405, "a file is asked for by GET").with("Allow", "GET, HEAD");
        }
        if let Some(name) = path.strip_prefix("/_action/") {
            let name = name.to_owned();
            return self.action(request, name).await;
        }
        if path == "/_session/close" {
            return self.close(request).await;
        }
        if let Some(response) = self.watched(path) {
            if reads {
                return response;
            }
            return Response::line(405, "health is asked for by GET").with("Allow", "GET, HEAD");
        }
        self.page(request).await
    }

    /// `GET /_sse`: the socket goes to the context's shard and stays there.
    fn stream(self: Rc<Self>, request: &Request) -> Answer {
        match self.stream_target(request) {
            Err(response) => Answer::Response(response),
            Ok(target) => {
                Answer::Take(Box::new(move |socket: Channel| {
                    let to = usize::from(target.id.shard);
                    if to == self.id {
                        self.open_stream(socket, target);
                        return;
                    }
                    let (socket, tls) = socket.into_parts();
                    let handed = HandedStream {
                        socket: HandedSocket::Own(socket),
                        target,
                    };
                    let parcel = Parcel::Stream(Box::new(handed), tls);
                    if let Err(parcel) = self.send(to, parcel) {
                        // Nothing was written yet: the browser sees a lost connection and comes back.
                        tracing::warn!(
                            shard = self.id,
                            to,
                            "a stream could not be handed over: the lane is full"
                        );
                        drop(parcel);
                    }
                }))
            }
        }
    }

    fn stream_target(&self, request: &Request) -> Result<StreamTarget, Response> {
        if request.head.method != Method::Get {
            return Err(Response::line(405, "a stream is opened by GET").with("Allow", "GET"));
        }
        self.origins
            .check(&request.head, false)
            .map_err(|error| Response::line(403, error.to_string()))?;
        if request.followed || !request.body.is_empty() {
            return Err(Response::line(
                400,
                "nothing may follow the request for a stream on its connection",
            ));
        }
        let query = request.head.query().unwrap_or("");
        let context = stream_query(query, self.config().signals_bytes)
            .map_err(|error| Response::line(error.status(), error.to_string()))?;
        let id = self.context_id(&context)?;
        let last_event = request
            .head
            .get("last-event-id")
            .and_then(|id| id.parse().ok());
        Ok(StreamTarget {
            id,
            session: self.session(request).map(|session| session.scope_hash()),
            last_event,
            gzip: self.config().compress_streams && Coding::Gzip.is_taken(&request.head),
            direct: !request.shares_connection && !came_by_proxy(request),
        })
    }

    /// Reads a context id; one of another node, or of a shard that this one doesn't have, is gone.
    fn context_id(&self, text: &str) -> Result<ContextId, Response> {
        let id = ContextId::decode(text).map_err(|error| Response::line(400, error.to_string()))?;
        if id.node != self.engine.node || usize::from(id.shard) >= self.config().shards {
            if id.node != self.engine.node {
                self.met_foreign_page();
            }
            return Err(Response::line(410, "this page is gone: load it again"));
        }
        Ok(id)
    }

    /// The session of a request, if this server made it.
    fn session(&self, request: &Request) -> Option<SessionId> {
        let secure = self.config().secure_cookie;
        request
            .head
            .headers()
            .filter(|(name, _)| *name == "cookie")
            .find_map(|(_, value)| {
                cookie::session_values(value, secure).find_map(|text| self.common.keys.verify(text))
            })
    }

    async fn action(self: &Rc<Self>, request: &Request, name: String) -> Response {
        if request.head.method != Method::Post {
            return Response::line(405, "an action is asked for by POST").with("Allow", "POST");
        }
        if let Err(error) = self.origins.check(&request.head, true) {
            return Response::line(403, error.to_string());
        }
        let limit = self.config().signals_bytes;
        if request.body.len() > limit {
            return Response::line(
                413,
                format!(
                    "the action's JSON is larger than {limit} bytes (the limit is --signals-bytes)"
                ),
            );
        }
        let body = match ActionBody::parse(&request.body, MAX_DEPTH, limit) {
            Ok(body) => body,
            Err(error) => return Response::line(error.status(), error.to_string()),
        };
        let id = match self.context_id(&body.context) {
            Ok(id) => id,
            Err(response) => return response,
        };
        let key = match request
            .head
            .get("idempotency-key")
            .map(|key| key.parse::<u64>().ok().filter(|_| !key.starts_with('+')))
        {
            None => None,
            Some(Some(key)) => Some(key),
            Some(None) => {
                return Response::line(
                    400,
                    "Idempotency-Key is no number: it counts the clicks of the page",
                );
            }
        };
        let session = self.session(request).map(|session| session.scope_hash());
        let work = Work::Action(ActionRequest {
            id,
            session,
            name,
            key,
            arguments: body.args,
            inputs: body.inputs,
        });
        self.carry(usize::from(id.shard), work).await
    }

    /// The beacon of a browser that leaves a page. The answer tells nothing.
    async fn close(self: &Rc<Self>, request: &Request) -> Response {
        if request.head.method != Method::Post {
            return Response::line(405, "a page is closed by POST").with("Allow", "POST");
        }
        if let Err(error) = self.origins.check(&request.head, true) {
            return Response::line(403, error.to_string());
        }
        let id = std::str::from_utf8(&request.body)
            .ok()
            .and_then(|text| self.context_id(text.trim()).ok());
        if let Some(id) = id {
            let session = self.session(request).map(|session| session.scope_hash());
            self.carry(usize::from(id.shard), Work::Close { id, session })
                .await;
        }
        Response::empty(200)
    }

    async fn page(self: &Rc<Self>, request: &Request) -> Response {
        let path = request.head.path();
        let Ok(found) = self.router.at(path) else {
            return self.error_response(404, "There is no page here.");
        };
        match request.head.method {
            Method::Head => {
                return Response {
                    status: 200,
                    headers: vec![
                        ("Content-Type", "text/html; charset=utf-8".to_owned()),
                        ("Cache-Control", "no-store".to_owned()),
                    ],
                    body: std::borrow::Cow::Borrowed(b""),
                };
            }
            Method::Get => {}
            _ => {
                return Response::line(405, "a page is asked for by GET")
                    .with("Allow", "GET, HEAD");
            }
        }
        if self.origins.check(&request.head, false).is_err() {
            return Response::line(
                403,
                "forbidden: this origin is not trusted here (see --trusted-origin)",
            );
        }
        let mut params = Vec::new();
        for (_, value) in found.params.iter() {
            match percent::decode_segment(value) {
                Ok(value) => params.push(value.into_owned()),
                Err(error) => return Response::line(error.status(), error.to_string()),
            }
        }
        let config = self.config();
        let known = self.session(request);
        // Each visit renews it: 30 days from then, and signed by the newest key. A step within the
        // site does not: a page that sets a cookie throws those before it out of the browser's
        // back/forward cache.
        let renew = known.is_none() || !comes_from_here(request);
        // All pages of a session live on one shard, so that they can be counted.
        let shards = config.shards;
        let session = known.unwrap_or_else(|| {
            let home = self.place();
            self.common.keys.sign_at(home, shards, random::bytes())
        });
        let set_cookie = renew.then(|| cookie::set_session(&session, config.secure_cookie));
        let theme = request
            .head
            .headers()
            .filter(|(name, _)| *name == "cookie")
            .find_map(|(_, value)| cookie::find(value, "via_theme"))
            .map_or("", |theme| match theme {
                "light" => "light",
                "dark" => "dark",
                _ => "",
            });
        let work = PageRequest {
            page: *found.value,
            path: path.to_owned(),
            params,
            session: session.scope_hash(),
            set_cookie,
            theme,
        };
        self.carry(session.home(shards), Work::Page(work)).await
    }

    /// Has `work` done on the shard `to`.
    async fn carry(self: &Rc<Self>, to: usize, work: Work) -> Response {
        if to == self.id {
            return Rc::clone(self).perform(work).await;
        }
        let (sender, receiver) = local::oneshot();
        let reply = self.replies.borrow_mut().insert(sender);
        if self
            .send(
                to,
                Parcel::Request {
                    reply,
                    work: Box::new(work),
                },
            )
            .is_err()
        {
            drop(self.replies.borrow_mut().remove(reply));
            return Response::line(503, "this server is overloaded: try again in a moment")
                .with("Retry-After", "1");
        }
        receiver
            .receive()
            .await
            .unwrap_or_else(|| Response::line(503, "this server is leaving: try again"))
    }

    /// Does `work` on this shard.
    pub async fn perform(self: Rc<Self>, work: Work) -> Response {
        match work {
            Work::Page(request) => self.render_page(request).await,
            Work::Action(request) => self.act(request).await,
            Work::Close { id, session } => {
                let context = self
                    .engine
                    .find(&id)
                    .filter(|context| Some(context.session_hash()) == session);
                if let Some(context) = context {
                    self.tab_closed(&context);
                }
                Response::empty(200)
            }
        }
    }
}

/// A proxy says so of itself; browsers then share its connections, or have others than ours.
fn came_by_proxy(request: &Request) -> bool {
    let told = ["via", "forwarded", "x-forwarded-for"];
    told.iter().any(|name| request.head.get(name).is_some())
}

/// The page was asked for by a link on another page of this site.
fn comes_from_here(request: &Request) -> bool {
    let from = request.head.get("referer").and_then(|from| {
        let (_, rest) = from.split_once("://")?;
        rest.split(['/', '?', '#']).next()
    });
    from.is_some() && from == request.head.get("host")
}
