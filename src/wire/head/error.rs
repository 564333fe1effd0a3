//! Why a request head is refused. After any of these the connection is closed.

use super::{HEAD_MAX_BYTES, MAX_HEADERS, TARGET_MAX_BYTES};

/// The reason for refusing a head; its text is the line that the client gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum HeadError {
    /// The bytes are no whole head.
    #[error("the request head does not end in an empty line")]
    Unfinished,
    /// An LF without CR.
    #[error("a line of the request head ends in a bare LF; lines end in CR LF")]
    BareLf,
    /// A CR without LF.
    #[error("the request head holds a bare CR; lines end in CR LF")]
    BareCr,
    /// A NUL or another control character.
    #[error("the request head holds a control character")]
    Control,
    /// The first line is not `METHOD target HTTP/x.y`.
    #[error("the request line is not of the form: METHOD target HTTP/1.1, with single spaces")]
    RequestLine,
    /// The target has none of the forms allowed for this method.
    #[error("the request target is neither a path nor an http or https address")]
    Target,
    /// The target is too long.
    #[error("the address is longer than {TARGET_MAX_BYTES} bytes; send large values in the body")]
    TargetTooLong,
    /// A method that this server doesn't know.
    #[error(
        "the method is unknown here; GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS are known"
    )]
    Method,
    /// A version other than 1.0 and 1.1.
    #[error("only HTTP/1.1 and HTTP/1.0 are spoken here")]
    Version,
    /// A header line that starts with white space.
    #[error("a header line starts with white space; folded headers are not allowed")]
    Folded,
    /// A header name that is no token, white space before the colon included.
    #[error("a header name is malformed; nothing but a name may stand before the colon")]
    Name,
    /// Too many header lines.
    #[error("the request has more than {MAX_HEADERS} headers; send fewer")]
    TooManyHeaders,
    /// The head is too long.
    #[error(
        "the request head is too long (by default at most {HEAD_MAX_BYTES} bytes); send fewer or shorter headers"
    )]
    TooLong,
    /// HTTP/1.1 without `Host`.
    #[error("the Host header is missing; HTTP/1.1 requires it")]
    NoHost,
    /// `Host` is no host with an optional port.
    #[error("the Host header is malformed; it is a host name or address and an optional port")]
    BadHost,
    /// The target's host is not the one in `Host`.
    #[error("the host in the address is not the one in the Host header; they must be equal")]
    HostMismatch,
    /// A header that may occur once occurs again.
    #[error(
        "a header that may occur only once (such as Host, Content-Length, Origin) occurs twice"
    )]
    Repeated,
    /// `Content-Length` is no plain number.
    #[error("the Content-Length is no plain decimal number")]
    Length,
    /// `Content-Length` beside `Transfer-Encoding`.
    #[error("the request has both a Content-Length and a Transfer-Encoding; send one of them")]
    LengthAndChunked,
    /// A transfer coding other than `chunked`.
    #[error("the transfer coding is unknown here; chunked is the only one")]
    Coding,
    /// `Transfer-Encoding` in HTTP/1.0.
    #[error("HTTP/1.0 has no Transfer-Encoding; send a Content-Length")]
    ChunkedInHttp10,
    /// An expectation other than `100-continue`.
    #[error("the expectation is unknown here; 100-continue is the only one")]
    Expectation,
    /// The second parser refused what the scan let pass.
    #[error("the request head is malformed")]
    Malformed,
}

impl HeadError {
    /// The HTTP status to answer with.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::TargetTooLong => 414,
            Self::Expectation => 417,
            Self::TooManyHeaders | Self::TooLong => 431,
            Self::Method | Self::Coding => 501,
            Self::Version => 505,
            _ => 400,
        }
    }

    /// The reason to give when the reader's buffer is full and holds no whole head: the address was
    /// too long when the first line alone is longer than any address may be, else the headers were.
    #[must_use]
    pub fn oversize(buf: &[u8]) -> Self {
        match buf.iter().position(|&byte| byte == b'\n') {
            Some(end) if end <= TARGET_MAX_BYTES => Self::TooLong,
            _ => Self::TargetTooLong,
        }
    }
}
