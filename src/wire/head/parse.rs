//! The head as an owned value that can be carried to another shard.

use std::fmt;
use std::ops::Range;

use super::scan::{examine, trim};
use super::{Body, HeadError, MAX_HEADERS, Method, Version};

/// One request head. Two allocations, however many headers.
#[derive(Clone)]
pub struct Head {
    /// The method.
    pub method: Method,
    /// The version.
    pub version: Version,
    /// Whether the client wants the connection kept open after the answer.
    pub keep_alive: bool,
    /// How the body is framed.
    pub body: Body,
    /// The client waits for [`CONTINUE`](crate::wire::response::CONTINUE) before it sends the body.
    pub expect_continue: bool,
    /// Path, query, names and values, one after another.
    text: String,
    path_end: usize,
    query: Option<Range<usize>>,
    fields: Vec<Field>,
}

/// Where a header's name and value stand within the text.
#[derive(Clone, Copy)]
struct Field {
    start: usize,
    name_end: usize,
    value_end: usize,
}

/// Reads the whole head that [`find_end`](super::find_end) measured; runs [`scan`](super::scan) first.
///
/// # Errors
/// [`HeadError`]
pub fn parse(raw: &[u8]) -> Result<Head, HeadError> {
    let facts = examine(raw)?;
    let mut slots = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut slots);
    if request.parse(raw) != Ok(httparse::Status::Complete(raw.len())) {
        return Err(HeadError::Malformed);
    }
    let mut text = String::with_capacity(raw.len());
    text.push_str(facts.path);
    let path_end = text.len();
    let query = facts.query.map(|query| {
        text.push_str(query);
        path_end..text.len()
    });
    let mut fields = Vec::with_capacity(request.headers.len());
    for header in request.headers.iter() {
        let start = text.len();
        text.push_str(header.name);
        text[start..].make_ascii_lowercase();
        let name_end = text.len();
        text.push_str(&String::from_utf8_lossy(trim(header.value)));
        fields.push(Field {
            start,
            name_end,
            value_end: text.len(),
        });
    }
    Ok(Head {
        method: facts.method,
        version: facts.version,
        keep_alive: facts.keep_alive,
        body: facts.body,
        expect_continue: facts.expect_continue,
        text,
        path_end,
        query,
        fields,
    })
}

impl Head {
    /// The path as sent, percent-encoded; `*` for `OPTIONS *`. Not yet checked by
    /// [`path::check`](crate::wire::path::check).
    #[must_use]
    pub fn path(&self) -> &str {
        &self.text[..self.path_end]
    }

    /// The query as sent, without `?`; `None` when the target holds no `?`.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.query.clone().map(|range| &self.text[range])
    }

    /// The first value of a header; `name` in lower case. Values that are not UTF-8 hold U+FFFD in
    /// place of the bad bytes. `host`, `origin`, `content-type`, `idempotency-key`, `last-event-id`
    /// and `authorization` occur at most once.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers()
            .find_map(|(key, value)| (key == name).then_some(value))
    }

    /// Every header as (lower-case name, value), in order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|field| {
            (
                &self.text[field.start..field.name_end],
                &self.text[field.name_end..field.value_end],
            )
        })
    }
}

/// Header values may be secrets (cookies, tokens), and so may a query; only names are shown.
impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("method", &self.method)
            .field("path", &self.path())
            .field("version", &self.version)
            .field("keep_alive", &self.keep_alive)
            .field("body", &self.body)
            .field(
                "headers",
                &self.headers().map(|(name, _)| name).collect::<Vec<_>>(),
            )
            .finish_non_exhaustive()
    }
}
