//! One HTTP/1.1 response at a time: bytes in, head and body out, whatever the body's framing.

/// Longest head that is read.
pub const HEAD_MAX_BYTES: usize = 16 * 1024;
const HEADERS_MAX: usize = 64;

/// A response that breaks the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// No head within the limit, or one that httparse refuses.
    #[error("the response has no readable head: {0}")]
    Head(String),
    /// A chunk without its size or end.
    #[error("the response's chunks are broken at byte {0:#04x}")]
    Chunk(u8),
}

/// What a head says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Values of `Set-Cookie`, in order.
    pub cookies: Vec<String>,
    /// Whether the server will close the connection after this response.
    pub closes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    Length(u64),
    /// Inside a chunk's size line; `true` after its digits.
    Size(u64, bool),
    Chunk(u64),
    ChunkEnd,
    /// In the lines after the last chunk; how many bytes the current line has.
    Trailer(usize),
    UntilClose,
    Done,
}

/// Reads one response.
#[derive(Debug)]
pub struct Response {
    state: State,
    buffer: Vec<u8>,
    head: Option<Head>,
}

impl Default for Response {
    fn default() -> Self {
        Response {
            state: State::Head,
            buffer: Vec::new(),
            head: None,
        }
    }
}

impl Response {
    /// The head, once it is complete.
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// Whether the body is complete.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Takes in `bytes`, calls `body` for each piece of the body in them.
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        body: &mut impl FnMut(&[u8]),
    ) -> Result<(), Malformed> {
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Head => self.take_head(bytes)?,
                State::Length(left) => {
                    let (piece, rest) = split(bytes, left);
                    body(piece);
                    let left = left - piece.len() as u64;
                    self.state = if left == 0 {
                        State::Done
                    } else {
                        State::Length(left)
                    };
                    rest
                }
                State::Chunk(left) => {
                    let (piece, rest) = split(bytes, left);
                    body(piece);
                    let left = left - piece.len() as u64;
                    self.state = if left == 0 {
                        State::ChunkEnd
                    } else {
                        State::Chunk(left)
                    };
                    rest
                }
                State::UntilClose => {
                    body(bytes);
                    &[]
                }
                State::Done => return Ok(()),
                State::Size(..) | State::ChunkEnd | State::Trailer(_) => {
                    self.state =
                        between_chunks(self.state, bytes[0]).ok_or(Malformed::Chunk(bytes[0]))?;
                    &bytes[1..]
                }
            };
        }
        Ok(())
    }

    /// Returns what follows the head.
    fn take_head<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Malformed> {
        let before = self.buffer.len();
        self.buffer.extend_from_slice(bytes);
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut parsed = httparse::Response::new(&mut headers);
        let length = match parsed
            .parse(&self.buffer)
            .map_err(|error| Malformed::Head(error.to_string()))?
        {
            httparse::Status::Complete(length) => length,
            httparse::Status::Partial if self.buffer.len() > HEAD_MAX_BYTES => {
                return Err(Malformed::Head(format!(
                    "longer than {HEAD_MAX_BYTES} bytes"
                )));
            }
            httparse::Status::Partial => return Ok(&[]),
        };
        let status = parsed.code.unwrap_or_default();
        let values = |name: &str| -> Vec<String> {
            let named = parsed
                .headers
                .iter()
                .filter(|header| header.name.eq_ignore_ascii_case(name));
            named
                .map(|header| String::from_utf8_lossy(header.value).into_owned())
                .collect()
        };
        let has = |name: &str, word: &str| {
            values(name)
                .iter()
                .any(|value| value.to_ascii_lowercase().contains(word))
        };
        let length_given = values("content-length")
            .first()
            .and_then(|value| value.trim().parse().ok());
        self.state = match length_given {
            _ if status == 204 || status == 304 => State::Done,
            _ if has("transfer-encoding", "chunked") => State::Size(0, false),
            Some(0) => State::Done,
            Some(length) => State::Length(length),
            None => State::UntilClose,
        };
        let closes = has("connection", "close") || self.state == State::UntilClose;
        self.head = Some(Head {
            status,
            cookies: values("set-cookie"),
            closes,
        });
        self.buffer = Vec::new();
        Ok(&bytes[length - before..])
    }
}

fn split(bytes: &[u8], left: u64) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX)))
}

fn between_chunks(state: State, byte: u8) -> Option<State> {
    Some(match (state, byte) {
        (State::Size(0, _), b'\n') => State::Trailer(0),
        (State::Size(size, _), b'\n') => State::Chunk(size),
        (State::Size(size, false), _) if byte.is_ascii_hexdigit() => {
            let digit = char::from(byte).to_digit(16)?;
            State::Size(size.checked_mul(16)?.checked_add(digit.into())?, false)
        }
        (State::Size(size, true), _) | (State::Size(size, _), b';' | b'\r' | b' ') => {
            State::Size(size, true)
        }
        (State::ChunkEnd, b'\r') => State::ChunkEnd,
        (State::ChunkEnd, b'\n') => State::Size(0, false),
        (State::Trailer(0), b'\n') => State::Done,
        (State::Trailer(_), b'\n') => State::Trailer(0),
        (State::Trailer(length), b'\r') => State::Trailer(length),
        (State::Trailer(length), _) => State::Trailer(length + 1),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], piece: usize) -> (Response, Vec<u8>) {
        let (mut response, mut body) = (Response::default(), Vec::new());
        for part in text.chunks(piece) {
            response
                .feed(part, &mut |bytes| body.extend_from_slice(bytes))
                .unwrap();
        }
        (response, body)
    }

    #[test]
    fn bodies_of_every_framing_arrive_whole_however_they_are_cut() {
        let cases: [(&[u8], bool); 3] = [
            (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", true),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=1\r\nllo\r\n0\r\nA: b\r\n\r\n", true),
            (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", false),
        ];
        for (text, done) in cases {
            for piece in 1..=text.len() {
                let (response, body) = read(text, piece);
                assert_eq!(body, b"hello", "pieces of {piece}");
                assert_eq!(response.is_done(), done, "pieces of {piece}");
                assert_eq!(response.head().unwrap().status, 200);
            }
        }
    }

    #[test]
    fn cookies_and_closing_are_seen() {
        let (response, _) = read(
            b"HTTP/1.1 204 No Content\r\nSet-Cookie: a=1; Path=/\r\nset-cookie: b=2\r\n\r\n",
            7,
        );
        let head = response.head().unwrap();
        assert_eq!(head.cookies, ["a=1; Path=/", "b=2"]);
        assert!(!head.closes);
        assert!(response.is_done());
    }

    #[test]
    fn broken_responses_are_refused() {
        let mut response = Response::default();
        assert!(matches!(
            response.feed(b"nonsense\r\n\r\n", &mut |_| {}),
            Err(Malformed::Head(_))
        ));
        let mut response = Response::default();
        let text = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz";
        assert_eq!(
            response.feed(text, &mut |_| {}),
            Err(Malformed::Chunk(b'z'))
        );
    }
}
