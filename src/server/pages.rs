//! A page's first HTML: a new context, its loads, its view.

use std::rc::Rc;

use super::counters::CONTEXTS;
use super::parcel::PageRequest;
use super::shard::Shard;
use crate::http::Response;
use crate::page::context::dirty;
use crate::page::{Html, NewContext, plain_page};
use crate::runtime::random;
use crate::wire::id::ContextId;

impl Shard {
    /// Renders a page for a new context of this shard.
    pub async fn render_page(self: Rc<Self>, request: PageRequest) -> Response {
        if let Err(refusal) = self.admit(request.session) {
            return refusal;
        }
        let page = self.engine.page(request.page);
        let span = tracing::error_span!("page", page = %page.pattern, shard = self.id);
        let id = ContextId {
            node: self.engine.node,
            shard: u16::try_from(self.id).expect("shards fit 16 bits"),
            random: random::bytes(),
        };
        let new = NewContext {
            page: request.page,
            id,
            session_hash: request.session,
            path: request.path.into(),
            params: request
                .params
                .into_iter()
                .map(String::into_boxed_str)
                .collect(),
        };
        let context = match self.engine.create(new) {
            Ok(context) => context,
            Err(reason) => {
                span.in_scope(|| tracing::error!(reason, "a page could not be made"));
                return self.error_response(
                    500,
                    "This page could not be shown: the server had a problem with it.",
                );
            }
        };
        self.count(CONTEXTS, 1);
        if let Err(failure) = self.first_loads(&context).await {
            span.in_scope(|| failure.log());
            self.end(&context);
            return self.error_response(
                500,
                "This page could not be shown: its data could not be loaded.",
            );
        }
        let heartbeat = self
            .config()
            .heartbeat_time
            .map_or(0, |time| u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
        match self.engine.document(&context, heartbeat, request.theme) {
            Ok(html) => {
                // All values and views that were changed on the way here are in the page.
                if !context.has(dirty::SCRIPT | dirty::ERROR) {
                    context.be_told();
                }
                self.rendered(&context);
                let response = Response::text(200, "text/html; charset=utf-8", html);
                match request.set_cookie {
                    Some(cookie) => response.with("Set-Cookie", cookie),
                    None => response,
                }
            }
            Err(reason) => {
                span.in_scope(|| tracing::error!(reason, "a page could not be rendered"));
                self.end(&context);
                self.error_response(
                    500,
                    "This page could not be shown: the server had a problem with it.",
                )
            }
        }
    }

    /// Room for one more context: over all, and of this session.
    fn admit(self: &Rc<Self>, session: [u8; 16]) -> Result<(), Response> {
        let config = self.config();
        let all = self.common.board.sum(super::counters::CONTEXTS);
        if all >= config.contexts_max as u64 {
            return Err(self
                .error_response(
                    503,
                    &format!(
                        "{all} pages are open, no more are allowed (the limit is --contexts-max)"
                    ),
                )
                .with("Retry-After", "5"));
        }
        let open = self
            .engine
            .members_of(&crate::Scope::session(session))
            .len();
        if open >= config.contexts_per_session && !self.make_room_in_session(session) {
            return Err(self.error_response(429, &format!(
                "this browser has {} pages open, no more are allowed (the limit is --contexts-per-session)",
                config.contexts_per_session
            )).with("Retry-After", "5"));
        }
        Ok(())
    }

    /// An answer without a page, in the site's dress.
    pub fn error_response(&self, status: u16, text: &str) -> Response {
        let custom = self.engine.with_extras(|extras| extras.error_page.clone());
        let html = match custom {
            Some(page) => page(status, text),
            None => {
                let text = Html::text(text);
                Html::trusted(format!(
                    "<main><h1>{status}</h1><p>{}</p><p><a href=\"/\">Home</a></p></main>",
                    text.as_str()
                ))
            }
        };
        Response::text(
            status,
            "text/html; charset=utf-8",
            plain_page(&format!("{status}"), &html),
        )
    }
}
