//! The head of a request, written as HTTP/1.1 has it and read by the server's own parser.

use http::request::Parts;
use http::{Method, header};

use crate::wire::head::{Head, HeadError, parse};

/// What HTTP/1.1 says about a connection or a body's frame: neither means anything here.
fn is_left_out(name: &header::HeaderName) -> bool {
    [
        header::HOST,
        header::COOKIE,
        header::CONTENT_LENGTH,
        header::EXPECT,
        header::TE,
    ]
    .contains(name)
}

/// Reads the head of a request whose body has `body` bytes.
///
/// # Errors
/// What HTTP/1.1 would refuse.
pub(super) fn head(parts: &Parts, body: usize) -> Result<Head, HeadError> {
    let mut text = Vec::with_capacity(512);
    let target = parts.uri.path_and_query().map_or("*", |path| path.as_str());
    let mut line = |name: &str, value: &[u8]| {
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            text.extend_from_slice(part);
        }
    };
    // `:authority` is the host; a client may send both or one (RFC 9113, 8.3.1).
    match parts.uri.authority() {
        Some(authority) => line("Host", authority.as_str().as_bytes()),
        None => {
            for host in parts.headers.get_all(header::HOST) {
                line("Host", host.as_bytes());
            }
        }
    }
    for (name, value) in &parts.headers {
        if !is_left_out(name) {
            line(name.as_str(), value.as_bytes());
        }
    }
    // Cookies may come one by one (RFC 9113, 8.2.3).
    let cookies: Vec<&[u8]> = parts
        .headers
        .get_all(header::COOKIE)
        .iter()
        .map(header::HeaderValue::as_bytes)
        .collect();
    if !cookies.is_empty() {
        line("Cookie", &cookies.join(&b"; "[..]));
    }
    if body > 0 || parts.method == Method::POST {
        line("Content-Length", body.to_string().as_bytes());
    }
    let mut raw = format!("{} {target} HTTP/1.1\r\n", parts.method).into_bytes();
    raw.extend_from_slice(&text);
    raw.extend_from_slice(b"\r\n");
    parse(&raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(request: http::request::Builder, body: usize) -> Result<Head, HeadError> {
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        head(&parts, body)
    }

    #[test]
    fn a_request_is_what_http_1_1_would_have_made_of_it() {
        let request = http::Request::post("https://a.test:8443/x/y?z=1")
            .header("origin", "https://a.test:8443")
            .header("cookie", "a=1")
            .header("cookie", "b=2")
            .header("te", "trailers");
        let head = read(request, 7).expect("a good head");
        assert_eq!((head.path(), head.query()), ("/x/y", Some("z=1")));
        assert_eq!(head.get("host"), Some("a.test:8443"));
        assert_eq!(head.get("cookie"), Some("a=1; b=2"));
        assert_eq!(head.get("content-length"), Some("7"));
        assert_eq!(head.get("te"), None);
    }

    #[test]
    fn what_http_1_1_refuses_is_refused() {
        let both = http::Request::get("https://a.test/").header("transfer-encoding", "chunked");
        let read_both = read(both, 3);
        assert!(read_both.is_err());
        let unknown = http::Request::builder()
            .method("BREW")
            .uri("https://a.test/");
        assert_eq!(read(unknown, 0).map(drop).unwrap_err().status(), 501);
        let nowhere = http::Request::get("/");
        assert!(read(nowhere, 0).is_err(), "a request without a host");
    }
}
