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
    /// `GET /bench` is a page with a context, which has a stream and the action `tick`.
    Autovia,
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
pub fn page_request(server: SocketAddr) -> String {
    format!("GET /bench HTTP/1.1\r\nhost: {server}\r\naccept: text/html\r\n\r\n")
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
        Some(Session { context, cookie }) => {
            let body = serde_json::json!({ "via_ctx": context, "_args": [] }).to_string();
            format!(
                "POST /_action/tick HTTP/1.1\r\nhost: {server}\r\norigin: http://{server}\r\ncookie: {cookie}\r\n\
                 idempotency-key: {tick}\r\ndatastar-request: true\r\ncontent-type: application/json\r\n\
                 content-length: {}\r\n\r\n{body}",
                body.len()
            )
        }
    }
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
