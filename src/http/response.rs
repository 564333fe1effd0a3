//! An answer: whole, or a channel that becomes a stream.

use std::borrow::Cow;
use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Channel;
use crate::wire::response::{write_head, write_line};

/// The header that keeps browsers to https (RFC 6797).
pub(crate) const HSTS: &str = "Strict-Transport-Security";

/// What a service makes of a request.
pub(crate) enum Answer {
    /// A whole response; the connection goes on.
    Response(Response),
    /// The channel is taken; the function gets it.
    Take(Box<dyn FnOnce(Channel)>),
}

/// A whole response, fit to cross shards.
pub(crate) struct Response {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Cow<'static, [u8]>,
}

impl Response {
    /// One plain line.
    pub fn line(status: u16, line: impl Into<String>) -> Self {
        let mut line = line.into();
        line.push('\n');
        Self::text(status, "text/plain; charset=utf-8", line)
    }

    /// A body that is not to be stored.
    pub fn text(status: u16, content_type: &str, body: String) -> Self {
        Self {
            status,
            headers: vec![
                ("Content-Type", content_type.to_owned()),
                ("Cache-Control", "no-store".to_owned()),
                ("X-Content-Type-Options", "nosniff".to_owned()),
            ],
            body: Cow::Owned(body.into_bytes()),
        }
    }

    /// No body.
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            headers: vec![("Cache-Control", "no-store".to_owned())],
            body: Cow::Borrowed(b""),
        }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With the line that keeps browsers to https, where it is sent.
    pub fn with_hsts(self, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(HSTS, value),
            None => self,
        }
    }

    /// The bytes of head and body; a HEAD request gets the head alone.
    pub fn encode(&self, head_only: bool, close: bool, out: &mut Vec<u8>) {
        let length = self.body.len().to_string();
        let mut headers: Vec<(&str, &str)> = self
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        if !matches!(self.status, 204 | 304) {
            headers.push(("Content-Length", &length));
        }
        if close {
            headers.push(("Connection", "close"));
        }
        if let Err(error) = write_head(out, self.status, &http_date(), &headers) {
            // A header that would split the response is a mistake of the app; the client gets none of it.
            tracing::error!(%error, "a response could not be written");
            write_line(
                out,
                500,
                &http_date(),
                "the response had a broken header",
                close,
                &[],
            )
            .expect("a plain line is a valid response");
            return;
        }
        if !head_only {
            out.extend_from_slice(&self.body);
        }
    }
}

thread_local! {
    static DATE: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
}

/// The time as headers have it; formatted once per second and shard.
pub(crate) fn http_date() -> String {
    let now = SystemTime::now();
    let second = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    DATE.with_borrow_mut(|(at, text)| {
        if *at != second {
            *at = second;
            *text = httpdate::fmt_http_date(now);
        }
        text.clone()
    })
}
