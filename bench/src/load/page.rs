//! What a browser would say to the server, and what it takes from a page to say it.

use std::fmt::Write;
use std::net::SocketAddr;

use memchr::memmem;

use super::http::Head;

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `GET /sse` is the stream, `POST /tick` makes an event.
    Plain,
    /// The same, but the event is made by the publisher and comes with `POST /tick`.
    Nchan,
    /// A page with a context, which has a stream and the action `tick`.
    Autovia(Board),
}

/// Which of the bench's pages the tabs open; every tick of one client is for all of its board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Board {
    /// One scope, one rendering for all.
    One,
    /// One scope, each viewer has a rendering of its own, made by `format!`.
    Own,
    /// The same, made by maud.
    OwnByMaud,
    /// The same, made by a template.
    OwnByTemplate,
    /// So many scopes, client i watches scope i modulo their number; a tick makes all of them stale.
    Rooms(u32),
    /// The same, a tick makes one of them stale, in turn.
    Sparse(u32),
    /// One scope; a rendering of [`crate::event::LARGE_BYTES`].
    Large,
}

impl Board {
    /// The page of client number `index`.
    pub fn path(self, index: usize) -> String {
        match self {
            Board::One => "/bench".to_owned(),
            Board::Own => "/own".to_owned(),
            Board::OwnByMaud => "/own-by-maud".to_owned(),
            Board::OwnByTemplate => "/own-by-template".to_owned(),
            Board::Rooms(rooms) => format!("/rooms/{rooms}/{}", index % rooms as usize),
            Board::Sparse(rooms) => format!("/sparse/{rooms}/{}", index % rooms as usize),
            Board::Large => "/large".to_owned(),
        }
    }
}

impl Dialect {
    /// The number of the newest event that client `index` is to have after `tick` ticks.
    pub fn newest(self, index: usize, tick: u64) -> u64 {
        match self {
            Dialect::Autovia(Board::Sparse(rooms)) => ticks_of(rooms, index, tick),
            _ => tick,
        }
    }
}

/// How many of the first `tick` ticks were for the scope of client `index`, where each is for the next of `rooms`.
///
/// ```
/// use autovia_bench::load::page::ticks_of;
/// assert_eq!([0, 1, 2].map(|index| ticks_of(3, index, 4)), [1, 2, 1]);
/// ```
pub fn ticks_of(rooms: u32, index: usize, tick: u64) -> u64 {
    let (rooms, room) = (u64::from(rooms), index as u64 % u64::from(rooms));
    // Tick k is for room k modulo rooms: room 0 waits for the last of the first turn.
    let first = if room == 0 { rooms } else { room };
    if tick < first {
        0
    } else {
        (tick - first) / rooms + 1
    }
}

/// What a page gave to its browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    context: String,
    cookie: String,
}

/// A page without what a browser needs to go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// Not 200.
    #[error("the page was answered with status {0} instead of 200")]
    Status(u16),
    /// No context.
    #[error("the page has no data-signals attribute with a JSON object that holds via_ctx: {0}")]
    Context(String),
    /// No session.
    #[error("the page sets no cookie via_session_id (or __Host-via_session_id)")]
    Cookie,
}

impl Session {
    /// One as long as those that autovia makes, for servers that make none.
    pub fn of_no_server() -> Session {
        Session {
            context: "x".repeat(26),
            cookie: format!("via_session={}", "0".repeat(32)),
        }
    }

    /// Takes context and session from a page.
    pub fn from_page(head: &Head, body: &[u8]) -> Result<Session, PageError> {
        if head.status != 200 {
            return Err(PageError::Status(head.status));
        }
        let start =
            |text: &[u8]| String::from_utf8_lossy(&text[..text.len().min(200)]).into_owned();
        let signals =
            attribute(body, b"data-signals=").ok_or_else(|| PageError::Context(start(body)))?;
        let signals = unescape(&String::from_utf8_lossy(signals));
        let context = serde_json::from_str::<serde_json::Value>(&signals)
            .ok()
            .and_then(|signals| Some(signals.get("via_ctx")?.as_str()?.to_owned()))
            .ok_or_else(|| PageError::Context(start(signals.as_bytes())))?;
        let pairs = head
            .cookies
            .iter()
            .filter_map(|cookie| cookie.split(';').next());
        let cookie = pairs.into_iter().find(|pair| {
            pair.trim_start_matches("__Host-")
                .starts_with("via_session_id=")
        });
        Ok(Session {
            context,
            cookie: cookie.ok_or(PageError::Cookie)?.to_owned(),
        })
    }
}

/// The request for a page.
pub fn page_request(server: SocketAddr, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: {server}\r\naccept: text/html\r\n\r\n")
}

/// The request for a stream.
pub fn stream_request(server: SocketAddr, session: Option<&Session>) -> String {
    let (target, cookie) = match session {
        None => ("/sse".to_owned(), String::new()),
        Some(Session { context, cookie }) => {
            let signals = serde_json::json!({ "via_ctx": context }).to_string();
            (
                format!("/_sse?datastar={}", percent_encode(&signals)),
                format!("cookie: {cookie}\r\n"),
            )
        }
    };
    format!(
        "GET {target} HTTP/1.1\r\nhost: {server}\r\naccept: text/event-stream\r\n{cookie}datastar-request: true\r\n\r\n"
    )
}

/// The request that makes tick number `tick`.
pub fn tick_request(server: SocketAddr, session: Option<&Session>, tick: u64) -> String {
    match session {
        None => format!("POST /tick HTTP/1.1\r\nhost: {server}\r\ncontent-length: 0\r\n\r\n"),
        Some(session) => action_request(server, session, "tick", tick),
    }
}

/// The request that publishes event number `tick`.
pub fn publish_request(server: SocketAddr, tick: u64) -> String {
    let body = format!("elements {}", crate::event::html(tick));
    format!(
        "POST /tick HTTP/1.1\r\nhost: {server}\r\nx-eventsource-event: datastar-patch-elements\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The request of click number `click` for `action`.
pub fn action_request(server: SocketAddr, session: &Session, action: &str, click: u64) -> String {
    click_request(server, session, &format!("/_action/{action}"), click)
}

/// The same to any path: what Datastar sends for a click.
pub fn click_request(server: SocketAddr, session: &Session, path: &str, click: u64) -> String {
    let Session { context, cookie } = session;
    let body = serde_json::json!({ "via_ctx": context, "_args": [] }).to_string();
    format!(
        "POST {path} HTTP/1.1\r\nhost: {server}\r\norigin: http://{server}\r\ncookie: {cookie}\r\n\
         idempotency-key: {click}\r\ndatastar-request: true\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The value of the first attribute that starts with `name` (its `=` included), as it stands in the HTML.
fn attribute<'a>(html: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let value = &html[memmem::find(html, name)? + name.len()..];
    let quote = *value
        .first()
        .filter(|quote| matches!(quote, b'"' | b'\''))?;
    let value = &value[1..];
    Some(&value[..memchr::memchr(quote, value)?])
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        plain.push_str(&rest[..start]);
        rest = &rest[start..];
        let entity = rest
            .find(';')
            .and_then(|end| Some((entity(&rest[1..end])?, end + 1)));
        let (character, length) = entity.unwrap_or(('&', 1));
        plain.push(character);
        rest = &rest[length..];
    }
    plain + rest
}

fn entity(name: &str) -> Option<char> {
    match name {
        "quot" => Some('"'),
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

fn percent_encode(text: &str) -> String {
    text.bytes().fold(
        String::with_capacity(text.len() * 2),
        |mut encoded, byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                encoded.push(byte.into());
            } else {
                write!(encoded, "%{byte:02X}").expect("a String takes everything");
            }
            encoded
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(cookies: &[&str]) -> Head {
        Head {
            status: 200,
            cookies: cookies.iter().map(|&cookie| cookie.to_owned()).collect(),
            closes: false,
        }
    }

    #[test]
    fn context_and_session_are_taken_from_the_page() {
        let page = br#"<body data-signals="{&quot;n&quot;:&#34;a&amp;b&#x22;,&quot;via_ctx&quot;:&quot;AbC-_1&quot;}">"#;
        let session =
            Session::from_page(&head(&["x=1", "via_session_id=f00; HttpOnly"]), page).unwrap();
        assert_eq!(
            session,
            Session {
                context: "AbC-_1".into(),
                cookie: "via_session_id=f00".into()
            }
        );
    }

    #[test]
    fn a_page_without_them_is_refused() {
        let whole = head(&["via_session_id=1"]);
        assert_eq!(
            Session::from_page(
                &Head {
                    status: 500,
                    ..whole.clone()
                },
                b""
            ),
            Err(PageError::Status(500))
        );
        let without = Session::from_page(&whole, b"<body data-signals=\"{}\">");
        assert!(matches!(without, Err(PageError::Context(_))), "{without:?}");
        let page = b"<body data-signals='{\"via_ctx\":\"a\"}'>";
        assert_eq!(
            Session::from_page(&head(&["other=1"]), page),
            Err(PageError::Cookie)
        );
    }

    #[test]
    fn only_the_context_travels_in_the_stream_s_address() {
        let session = Session {
            context: "a b".into(),
            cookie: "via_session_id=1".into(),
        };
        let request = stream_request(([127, 0, 0, 1], 80).into(), Some(&session));
        assert!(
            request
                .starts_with("GET /_sse?datastar=%7B%22via_ctx%22%3A%22a%20b%22%7D HTTP/1.1\r\n"),
            "{request}"
        );
    }
}
