//! The head of a request as a loop of our own would read it: a scan of the raw bytes for
//! what httparse forgives, httparse itself, then the rules of framing (RFC 9112 §6.3, strict).

use httparse::{EMPTY_HEADER, Request, Status};

/// What the rest of the spike needs of a request.
pub struct Head<'a> {
    /// The request target.
    pub path: &'a str,
    /// How the body is framed.
    pub body: Framing,
}

/// How long the body is.
#[derive(Debug, PartialEq)]
pub enum Framing {
    /// This many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
}

/// The head at the start of `bytes`: none while it is not whole, or why it is refused.
pub fn read(bytes: &[u8]) -> Result<Option<Head<'_>>, &'static str> {
    scan(bytes)?;
    let mut headers = [EMPTY_HEADER; 64];
    let mut request = Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(Status::Complete(_)) => {}
        Ok(Status::Partial) => return Ok(None),
        Err(_) => return Err("malformed"),
    }
    let body = framing(&request)?;
    Ok(Some(Head {
        path: request.path.unwrap_or_default(),
        body,
    }))
}

/// Refuses line ends that are not CRLF, up to the empty line. httparse forgives a bare
/// LF and empty lines in front, and refuses the rest by itself: folded lines, a space before the
/// colon, a bare CR, control bytes.
fn scan(bytes: &[u8]) -> Result<(), &'static str> {
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', bytes) {
        match &bytes[start..end] {
            [b'\r'] if start == 0 => return Err("an empty line before the request"),
            [b'\r'] => return Ok(()),
            [.., b'\r'] => start = end + 1,
            _ => return Err("a line must end in CRLF"),
        }
    }
    Ok(())
}

fn framing(request: &Request<'_, '_>) -> Result<Framing, &'static str> {
    let (mut length, mut chunked, mut hosts) = (None, false, 0);
    for header in request.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            if length.is_some() {
                return Err("two Content-Length");
            }
            let digits = !header.value.is_empty() && header.value.iter().all(u8::is_ascii_digit);
            let text = std::str::from_utf8(header.value).unwrap_or_default();
            length = Some(
                text.parse::<u64>()
                    .ok()
                    .filter(|_| digits)
                    .ok_or("Content-Length is not a number")?,
            );
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            if chunked || !header.value.eq_ignore_ascii_case(b"chunked") {
                return Err("Transfer-Encoding other than one chunked");
            }
            chunked = true;
        } else if header.name.eq_ignore_ascii_case("host") {
            hosts += 1;
        }
    }
    match (chunked, length) {
        _ if hosts != 1 && request.version == Some(1) => Err("not exactly one Host"),
        (true, _) if request.version == Some(0) => Err("chunked in HTTP/1.0"),
        (true, Some(_)) => Err("Content-Length and Transfer-Encoding"),
        (true, None) => Ok(Framing::Chunked),
        (false, length) => Ok(Framing::Length(length.unwrap_or(0))),
    }
}

/// Appends a whole answer.
pub fn answer(to: &mut Vec<u8>, status: u16, body: &[u8]) {
    use std::io::Write;
    // Writing to a Vec cannot fail.
    let _ = write!(
        to,
        "HTTP/1.1 {status} OK\r\nContent-Type: text/html\r\nCache-Control: no-store\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    to.extend_from_slice(body);
}
