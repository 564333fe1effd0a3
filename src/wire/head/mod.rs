//! The request head: where it ends, whether it is safe, what it says.
//!
//! Invariant: a head that passes [`scan`] has one reading only. Whatever two HTTP parsers could read
//! differently (two lengths, length and chunked, bare LF, folded lines, white space before a colon, a second
//! `Host`) is refused before `httparse` sees it, since that one lets some of it pass; so no proxy in front
//! can disagree with this server about where a request ends or whom it is for.
//!
//! Rules: RFC 9112 (message syntax), RFC 9110 section 5 (fields) and 7.2 (`Host`).

mod error;
mod parse;
mod scan;
#[cfg(test)]
mod tests;

pub use error::HeadError;
pub use parse::{Head, parse};
pub use scan::scan;

/// Bytes of a whole head, unless configured otherwise; the reader stops there and asks
/// [`HeadError::oversize`] for the answer.
pub const HEAD_MAX_BYTES: usize = 16 * 1024;
/// Bytes of a request target.
pub const TARGET_MAX_BYTES: usize = 8 * 1024;
/// Header lines of one head.
pub const MAX_HEADERS: usize = 64;

/// The methods that this server knows; any other is answered 501.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
    /// `OPTIONS`
    Options,
}

impl Method {
    const ALL: [Self; 7] = [
        Self::Get,
        Self::Head,
        Self::Post,
        Self::Put,
        Self::Patch,
        Self::Delete,
        Self::Options,
    ];

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }
}

/// The protocol versions that this server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

/// How the request's body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    /// No body (also `Content-Length: 0`).
    None,
    /// So many bytes follow; at least one.
    Length(u64),
    /// Chunks follow; read them with [`super::chunked::Decoder`].
    Chunked,
}

/// The length of the head at the start of `buf`, its empty line included; `None` while it is
/// unfinished.
///
/// An empty line that ends in a bare LF counts as well, so that [`scan`] refuses such a head at once
/// instead of the connection running into its time limit.
#[must_use]
pub fn find_end(buf: &[u8]) -> Option<usize> {
    find_end_from(buf, 0)
}

/// [`find_end`] when the first `seen` bytes were looked at before without an end in sight: reading a
/// head that arrives byte by byte then costs no more than reading it once.
#[must_use]
pub fn find_end_from(buf: &[u8], seen: usize) -> Option<usize> {
    // The LF that ends the last header may be up to two bytes back.
    let start = seen.saturating_sub(2).min(buf.len());
    let mut from = start;
    while let Some(at) = buf[from..].iter().position(|&byte| byte == b'\n') {
        let after = from + at + 1;
        match &buf[after..] {
            [b'\n', ..] => return Some(after + 1),
            [b'\r', b'\n', ..] => return Some(after + 2),
            _ => from = after,
        }
    }
    None
}

/// The characters of methods and header names (RFC 9110, section 5.6.2).
pub(super) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}
