//! Writes response heads.
//!
//! Invariant: one call writes one whole head, or nothing at all: a header name that is no token or
//! a value with a control character is refused, so no value can begin another header or a body.

/// The interim answer to `Expect: 100-continue`.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Why a head was not written. Nothing was appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// The header's name is empty or holds a character that no name may hold.
    #[error("{name:?} is no header name; a name is made of letters, digits and !#$%&'*+-.^_`|~")]
    Name {
        /// The name that was refused.
        name: String,
    },
    /// The value holds CR, LF, NUL or another control character.
    #[error(
        "the value of the header {name} holds a line break or another control character; remove it"
    )]
    Value {
        /// Whose value was refused.
        name: String,
    },
    /// The status has no three digits.
    #[error("{status} is no HTTP status; it has three digits, 100 to 999")]
    Status {
        /// The number that was refused.
        status: u16,
    },
}

/// Appends the status line, `Date` and `headers`, and the empty line. `date` is an IMF-fixdate such
/// as `Sun, 06 Nov 1994 08:49:37 GMT`; lengths and `Connection` are the caller's.
///
/// # Errors
/// [`ResponseError`]; `out` is then as it was.
pub fn write_head(
    out: &mut Vec<u8>,
    status: u16,
    date: &str,
    headers: &[(&str, &str)],
) -> Result<(), ResponseError> {
    if !(100..=999).contains(&status) {
        return Err(ResponseError::Status { status });
    }
    check("Date", date)?;
    headers
        .iter()
        .try_for_each(|(name, value)| check(name, value))?;
    out.extend_from_slice(format!("HTTP/1.1 {status} {}\r\n", reason(status)).as_bytes());
    for (name, value) in std::iter::once(&("Date", date)).chain(headers) {
        for part in [name, ": ", value, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// Appends a whole answer of one plain line that is not to be stored: the answer to a request that
/// was refused. `headers` are further ones, such as `Allow`. With `close`, `Connection: close` is
/// said.
///
/// # Errors
/// [`ResponseError`]; `out` is then as it was.
pub fn write_line(
    out: &mut Vec<u8>,
    status: u16,
    date: &str,
    line: &str,
    close: bool,
    headers: &[(&str, &str)],
) -> Result<(), ResponseError> {
    let length = (line.len() + 1).to_string();
    let mut all = vec![
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", length.as_str()),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
    ];
    if close {
        all.push(("Connection", "close"));
    }
    all.extend_from_slice(headers);
    write_head(out, status, date, &all)?;
    out.extend_from_slice(line.as_bytes());
    out.push(b'\n');
    Ok(())
}

fn check(name: &str, value: &str) -> Result<(), ResponseError> {
    if name.is_empty() || !name.bytes().all(super::head::is_token_byte) {
        return Err(ResponseError::Name {
            name: name.to_owned(),
        });
    }
    if value
        .bytes()
        .any(|byte| byte.is_ascii_control() && byte != b'\t')
    {
        return Err(ResponseError::Value {
            name: name.to_owned(),
        });
    }
    Ok(())
}

/// The reason phrase of a status; empty for one without a name here.
#[must_use]
pub const fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    #[test]
    fn a_head() {
        let mut out = b"before".to_vec();
        write_head(
            &mut out,
            200,
            DATE,
            &[("Content-Length", "0"), ("X-Text", "ä\tb")],
        )
        .unwrap();
        let text = "beforeHTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\nX-Text: ä\tb\r\n\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }

    #[test]
    fn a_line() {
        let mut out = Vec::new();
        write_line(
            &mut out,
            405,
            DATE,
            "Method Not Allowed",
            true,
            &[("Allow", "POST")],
        )
        .unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"),
            "{text}"
        );
        assert!(text.contains("\r\nContent-Length: 19\r\n"), "{text}");
        assert!(
            text.contains("\r\nConnection: close\r\nAllow: POST\r\n"),
            "{text}"
        );
        assert!(text.ends_with("\r\n\r\nMethod Not Allowed\n"), "{text}");
    }

    #[test]
    fn nothing_is_written_of_a_bad_head() {
        for (name, value) in [
            ("X", "a\r\nSet-Cookie: b"),
            ("X", "a\nb"),
            ("X", "a\rb"),
            ("X", "a\0b"),
            ("X", "a\u{7f}b"),
            ("X Y", "a"),
            ("X:", "a"),
            ("X\r\n", "a"),
            ("", "a"),
            ("Ä", "a"),
        ] {
            let mut out = b"before".to_vec();
            let result = write_head(&mut out, 200, DATE, &[("A", "b"), (name, value)]);
            assert!(result.is_err(), "{name:?}: {value:?}");
            assert_eq!(out, b"before");
            assert!(!result.unwrap_err().to_string().contains(['\r', '\n', '\0']));
        }
        let mut out = Vec::new();
        assert!(write_head(&mut out, 99, DATE, &[]).is_err());
        assert!(write_head(&mut out, 1000, DATE, &[]).is_err());
        assert!(write_head(&mut out, 200, "x\r\n", &[]).is_err());
        assert!(out.is_empty());
    }

    proptest! {
        #[test]
        fn another_parser_reads_the_same_headers(
            headers in proptest::collection::vec(("[!#-'*+.^_`|~a-zA-Z0-9-]{1,12}", "[!-~]([ -~]{0,20}[!-~])?"), 0..9),
        ) {
            let pairs: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let mut out = Vec::new();
            write_head(&mut out, 204, DATE, &pairs).unwrap();
            let mut slots = [httparse::EMPTY_HEADER; 16];
            let mut response = httparse::Response::new(&mut slots);
            prop_assert_eq!(response.parse(&out).unwrap(), httparse::Status::Complete(out.len()));
            let read: Vec<(&str, &str)> = response.headers[1..]
                .iter()
                .map(|header| (header.name, std::str::from_utf8(header.value).unwrap()))
                .collect();
            prop_assert_eq!(read, pairs);
        }

        #[test]
        fn any_value_is_one_header_or_refused(value: String) {
            let mut out = Vec::new();
            if write_head(&mut out, 200, DATE, &[("X", &value)]).is_ok() {
                prop_assert_eq!(out.iter().filter(|&&byte| byte == b'\n').count(), 4);
                prop_assert_eq!(out.iter().filter(|&&byte| byte == b'\r').count(), 4);
            } else {
                prop_assert!(out.is_empty());
            }
        }
    }
}
