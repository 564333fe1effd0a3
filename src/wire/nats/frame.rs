//! Bytes to frames.
//!
//! Holds at most one line or one payload beside what was fed last, so the memory of a [`Decoder`] is
//! bounded by its limits and by the size of the pieces that it is fed. After an error it must not be
//! fed again: where the next frame starts is unknown.

/// The longest line, in bytes, its end not counted: a server's INFO may name many servers.
pub const LINE_MAX_BYTES: usize = 64 * 1024;

/// The longest payload that is kept, and the longest header of one, in bytes.
pub const PAYLOAD_MAX_BYTES: usize = 64 * 1024;

/// The longest message that is left out as it passes, in bytes: a server's `max_payload` can be no
/// larger, so a longer one is no message.
pub const PASSED_MAX_BYTES: u64 = 64 * 1024 * 1024;

const LINE_END: &[u8] = b"\r\n";

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// `INFO`: the JSON.
    Info(Vec<u8>),
    /// `MSG` or `HMSG`.
    Message {
        /// The number of the subscription.
        sid: u64,
        /// Without headers.
        payload: Vec<u8>,
    },
    /// A message that was longer than is kept.
    Passed {
        /// The number of the subscription.
        sid: u64,
        /// Its length with headers, in bytes.
        bytes: u64,
    },
    /// `PING`.
    Ping,
    /// `PONG`.
    Pong,
    /// `+OK`.
    Ok,
    /// `-ERR`: the text without quotes.
    Error(Vec<u8>),
}

/// What was wrong with the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A line that does not end.
    #[error("a line is longer than {LINE_MAX_BYTES} bytes")]
    LineTooLong,
    /// An LF without CR.
    #[error("a line does not end in CR LF")]
    LineEnd,
    /// Something else than the operations that a client may get.
    #[error("an unknown operation")]
    Operation,
    /// An operation with too few, too many or wrong arguments.
    #[error("an operation with wrong arguments")]
    Arguments,
    /// A number that is none, or too large.
    #[error("a length or a number that is out of range")]
    Number,
    /// The bytes after a payload are no line end: its length was wrong.
    #[error("a payload does not end where its length says")]
    PayloadEnd,
    /// What should be message headers is something else.
    #[error("malformed message headers")]
    Headers,
}

enum State {
    Line,
    Message {
        sid: u64,
        headers: usize,
        total: usize,
    },
    Passing {
        sid: u64,
        bytes: u64,
        left: u64,
    },
}

/// Finds frames in a stream of bytes, however it is cut.
pub struct Decoder {
    buffer: Vec<u8>,
    /// The bytes before it are done with.
    start: usize,
    /// No line ends before it.
    searched: usize,
    state: State,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            state: State::Line,
        }
    }
}

impl Decoder {
    /// Takes what came. Call [`Decoder::next_frame`] until it has nothing before the next call.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether nothing waits: no byte of a frame that is yet to be whole.
    #[must_use]
    pub fn is_between_frames(&self) -> bool {
        self.start == self.buffer.len() && matches!(self.state, State::Line)
    }

    /// The bytes that are held, for tests of the bound.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    /// The next whole frame; `None` when more bytes are needed.
    ///
    /// # Errors
    /// When the bytes are no frame.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        loop {
            match self.state {
                State::Line => {
                    let Some(end) = self.line_end()? else {
                        return Ok(None);
                    };
                    let (start, after) = (self.start, end + LINE_END.len());
                    let line = parse_line(&self.buffer[start..end])?;
                    self.advance_to(after);
                    match line {
                        Line::Whole(frame) => return Ok(Some(frame)),
                        Line::Message(state) => self.state = state,
                    }
                }
                State::Message {
                    sid,
                    headers,
                    total,
                } => {
                    let after = self.start + total + LINE_END.len();
                    let Some(bytes) = self.buffer.get(self.start..after) else {
                        return Ok(None);
                    };
                    let (message, end) = bytes.split_at(total);
                    if end != LINE_END {
                        return Err(FrameError::PayloadEnd);
                    }
                    let (header, payload) = message.split_at(headers);
                    check_headers(header)?;
                    let payload = payload.to_vec();
                    self.advance_to(after);
                    self.state = State::Line;
                    return Ok(Some(Frame::Message { sid, payload }));
                }
                State::Passing { sid, bytes, left } if left > 0 => {
                    let here = self.buffer.len() - self.start;
                    if here == 0 {
                        return Ok(None);
                    }
                    let step = usize::try_from(left).map_or(here, |left| left.min(here));
                    self.advance_to(self.start + step);
                    let left = left - step as u64;
                    self.state = State::Passing { sid, bytes, left };
                }
                State::Passing { sid, bytes, .. } => {
                    let after = self.start + LINE_END.len();
                    let Some(end) = self.buffer.get(self.start..after) else {
                        return Ok(None);
                    };
                    if end != LINE_END {
                        return Err(FrameError::PayloadEnd);
                    }
                    self.advance_to(after);
                    self.state = State::Line;
                    return Ok(Some(Frame::Passed { sid, bytes }));
                }
            }
        }
    }

    fn advance_to(&mut self, position: usize) {
        self.start = position;
        self.searched = position;
    }

    /// Where the line that starts here ends, without its CR LF.
    fn line_end(&mut self) -> Result<Option<usize>, FrameError> {
        let unsearched = &self.buffer[self.searched..];
        let Some(found) = unsearched.iter().position(|&byte| byte == b'\n') else {
            self.searched = self.buffer.len();
            // A CR may already be there.
            return if self.searched - self.start > LINE_MAX_BYTES + 1 {
                Err(FrameError::LineTooLong)
            } else {
                Ok(None)
            };
        };
        let line = &self.buffer[self.start..self.searched + found];
        // First its length, as a line that comes in pieces is refused before its end is seen.
        if line.len() > LINE_MAX_BYTES + 1 {
            return Err(FrameError::LineTooLong);
        }
        let line = line.strip_suffix(b"\r").ok_or(FrameError::LineEnd)?;
        Ok(Some(self.start + line.len()))
    }
}

enum Line {
    Whole(Frame),
    Message(State),
}

fn parse_line(line: &[u8]) -> Result<Line, FrameError> {
    let operation_end = line.iter().position(|byte| is_blank(*byte));
    let (operation, rest) = line.split_at(operation_end.unwrap_or(line.len()));
    let frame = match operation.to_ascii_uppercase().as_slice() {
        b"MSG" => return message(rest, false).map(Line::Message),
        b"HMSG" => return message(rest, true).map(Line::Message),
        b"INFO" => Frame::Info(rest.trim_ascii().to_vec()),
        b"-ERR" => Frame::Error(unquoted(rest.trim_ascii()).to_vec()),
        _ if !rest.trim_ascii().is_empty() => return Err(FrameError::Operation),
        b"PING" => Frame::Ping,
        b"PONG" => Frame::Pong,
        b"+OK" => Frame::Ok,
        _ => return Err(FrameError::Operation),
    };
    Ok(Line::Whole(frame))
}

/// `<subject> <sid> [reply-to] <bytes>`; with headers `<subject> <sid> [reply-to] <header bytes> <bytes>`.
fn message(arguments: &[u8], with_headers: bool) -> Result<State, FrameError> {
    let mut split = arguments
        .split(|byte| is_blank(*byte))
        .filter(|argument| !argument.is_empty());
    let mut fields: [&[u8]; 5] = Default::default();
    let mut count = 0;
    for argument in split.by_ref().take(fields.len()) {
        fields[count] = argument;
        count += 1;
    }
    let numbers = if with_headers { 2 } else { 1 };
    // Subject and number, perhaps a subject for replies, and the lengths.
    if split.next().is_some() || !(count == 2 + numbers || count == 3 + numbers) {
        return Err(FrameError::Arguments);
    }
    let sid = number(fields[1])?;
    let total = number(fields[count - 1])?;
    let headers = if with_headers {
        number(fields[count - 2])?
    } else {
        0
    };
    if headers > total || total > PASSED_MAX_BYTES {
        return Err(FrameError::Number);
    }
    let kept = |bytes: u64| {
        usize::try_from(bytes)
            .ok()
            .filter(|bytes| *bytes <= PAYLOAD_MAX_BYTES)
    };
    Ok(match (kept(headers), kept(total - headers)) {
        (Some(headers), Some(payload)) => State::Message {
            sid,
            headers,
            total: headers + payload,
        },
        _ => State::Passing {
            sid,
            bytes: total,
            left: total,
        },
    })
}

fn check_headers(header: &[u8]) -> Result<(), FrameError> {
    let well_formed =
        header.is_empty() || (header.starts_with(b"NATS/1.0") && header.ends_with(b"\r\n\r\n"));
    well_formed.then_some(()).ok_or(FrameError::Headers)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn unquoted(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"'")
        .and_then(|text| text.strip_suffix(b"'"))
        .unwrap_or(text)
}

/// Digits only: no sign, no blank.
fn number(digits: &[u8]) -> Result<u64, FrameError> {
    if digits.is_empty() || digits.len() > 19 {
        return Err(FrameError::Number);
    }
    digits.iter().try_fold(0_u64, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
        Ok(value * 10 + digit.ok_or(FrameError::Number)?)
    })
}
