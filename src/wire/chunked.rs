//! Decodes a chunked request body as its bytes arrive (RFC 9112, section 7.1).
//!
//! Invariant: whatever arrives, at most `max_body_bytes` of body are kept and at most
//! [`OVERHEAD_MAX_BYTES`] of extensions and trailers are read over the whole body; both are
//! checked and dropped. Line ends are CRLF and nothing else, so no other reader of the same bytes
//! can see the body end elsewhere.

use super::head::is_token_byte;

/// Hex digits of one chunk size.
const SIZE_MAX_DIGITS: u32 = 16;
/// Bytes of all chunk extensions and trailers of one body together.
pub const OVERHEAD_MAX_BYTES: usize = 8 * 1024;

/// Why a body is refused; the connection can't be used any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkedError {
    /// The chunk size is missing, too long or no hex number.
    #[error("a chunk size is no hexadecimal number of 1 to 16 digits")]
    Size,
    /// A line does not end in CRLF, or a chunk is longer than its size says.
    #[error("a chunk or its size line does not end in CR LF")]
    LineEnd,
    /// A control character inside an extension or a trailer, or a trailer that is no header.
    #[error("a chunk extension or trailer is malformed")]
    Extra,
    /// Extensions and trailers are longer than allowed.
    #[error(
        "the chunk extensions and trailers are longer than {OVERHEAD_MAX_BYTES} bytes; leave them out"
    )]
    TooMuchExtra,
    /// The body is longer than allowed.
    #[error("the request body is longer than {max} bytes; send less or raise the server's limit")]
    TooLarge {
        /// The limit in bytes.
        max: u64,
    },
}

impl ChunkedError {
    /// The HTTP status to answer with.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::TooLarge { .. } => 413,
            _ => 400,
        }
    }
}

/// What one call of [`Decoder::decode`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the input that were read; less than all of them only when `done`.
    pub consumed: usize,
    /// The body is complete; what follows in the input belongs to the next request.
    pub done: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size { digits: u32 },
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    EndLf,
    Done,
}

/// The state between two reads. After an error the decoder must not be used again.
#[derive(Clone, Debug)]
pub struct Decoder {
    state: State,
    /// Of the size line: the size so far; within the data: the bytes still to come.
    chunk_left: u64,
    body_left: u64,
    max_body_bytes: u64,
    overhead_left: usize,
}

impl Decoder {
    /// A decoder for one body of at most `max_body_bytes`.
    #[must_use]
    pub const fn new(max_body_bytes: u64) -> Self {
        Self {
            state: State::Size { digits: 0 },
            chunk_left: 0,
            body_left: max_body_bytes,
            max_body_bytes,
            overhead_left: OVERHEAD_MAX_BYTES,
        }
    }

    /// Reads `input` and appends the body's bytes to `out`. A size beyond the limit is refused
    /// before its data arrives.
    ///
    /// # Errors
    /// [`ChunkedError`]; what `out` holds is then of no use.
    pub fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<Progress, ChunkedError> {
        let mut consumed = 0;
        while self.state != State::Done && consumed < input.len() {
            if self.state == State::Data {
                let rest = &input[consumed..];
                let take = usize::try_from(self.chunk_left)
                    .map_or(rest.len(), |left| left.min(rest.len()));
                out.extend_from_slice(&rest[..take]);
                consumed += take;
                self.chunk_left -= take as u64;
                if self.chunk_left == 0 {
                    self.state = State::DataCr;
                }
            } else {
                self.state = self.step(input[consumed])?;
                consumed += 1;
            }
        }
        Ok(Progress {
            consumed,
            done: self.state == State::Done,
        })
    }

    fn step(&mut self, byte: u8) -> Result<State, ChunkedError> {
        Ok(match (self.state, byte) {
            (State::Size { digits: 1.. } | State::Extension, b'\r') => State::SizeLf,
            (State::Size { digits: 1.. }, b';') | (State::Extension, _) => {
                self.extra(byte, State::Extension)?
            }
            (State::Size { digits }, _) => {
                let digit = char::from(byte).to_digit(16).ok_or(ChunkedError::Size)?;
                if digits == SIZE_MAX_DIGITS {
                    return Err(ChunkedError::Size);
                }
                self.chunk_left = self.chunk_left << 4 | u64::from(digit);
                State::Size { digits: digits + 1 }
            }
            (State::SizeLf, b'\n') => self.start_chunk()?,
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size { digits: 0 },
            (State::TrailerStart, b'\r') => State::EndLf,
            (State::TrailerName, b':') => self.extra(byte, State::TrailerValue)?,
            (State::TrailerStart | State::TrailerName, _) if is_token_byte(byte) => {
                self.extra(byte, State::TrailerName)?
            }
            (State::TrailerStart | State::TrailerName, _) => return Err(ChunkedError::Extra),
            (State::TrailerValue, b'\r') => State::TrailerLf,
            (State::TrailerValue, _) => self.extra(byte, State::TrailerValue)?,
            (State::TrailerLf, b'\n') => State::TrailerStart,
            (State::EndLf, b'\n') => State::Done,
            _ => return Err(ChunkedError::LineEnd),
        })
    }

    fn start_chunk(&mut self) -> Result<State, ChunkedError> {
        self.body_left =
            self.body_left
                .checked_sub(self.chunk_left)
                .ok_or(ChunkedError::TooLarge {
                    max: self.max_body_bytes,
                })?;
        Ok(if self.chunk_left == 0 {
            State::TrailerStart
        } else {
            State::Data
        })
    }

    /// Counts one byte that is checked and dropped.
    fn extra(&mut self, byte: u8, next: State) -> Result<State, ChunkedError> {
        if byte.is_ascii_control() && byte != b'\t' {
            return Err(if byte == b'\n' {
                ChunkedError::LineEnd
            } else {
                ChunkedError::Extra
            });
        }
        self.overhead_left = self
            .overhead_left
            .checked_sub(1)
            .ok_or(ChunkedError::TooMuchExtra)?;
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(input: &[u8], max: u64) -> Result<(Vec<u8>, Progress), ChunkedError> {
        let mut out = Vec::new();
        let progress = Decoder::new(max).decode(input, &mut out)?;
        Ok((out, progress))
    }

    #[test]
    fn bodies() {
        for (input, body, rest) in [
            ("0\r\n\r\n", "", ""),
            ("3\r\nabc\r\n0\r\n\r\n", "abc", ""),
            (
                "3\r\nabc\r\n00002\r\nde\r\n0\r\n\r\nGET /",
                "abcde",
                "GET /",
            ),
            ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789", ""),
            ("3;a=b;c=\"d\"\r\nabc\r\n0;x\r\n\r\n", "abc", ""),
            ("3\r\na\r\n\r\n0\r\n\r\n", "a\r\n", ""),
            ("3\r\nabc\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\nrest", "abc", "rest"),
            ("0000000000000003\r\nabc\r\n0\r\n\r\n", "abc", ""),
        ] {
            let (out, progress) = decode(input.as_bytes(), 100).unwrap();
            assert_eq!(out, body.as_bytes(), "{input:?}");
            assert!(progress.done, "{input:?}");
            assert_eq!(&input[progress.consumed..], rest, "{input:?}");
        }
    }

    #[test]
    fn refusals() {
        let large = ChunkedError::TooLarge { max: 10 };
        for (input, error) in [
            ("\r\n", ChunkedError::Size),
            ("x\r\n", ChunkedError::Size),
            ("-1\r\n", ChunkedError::Size),
            ("+1\r\n", ChunkedError::Size),
            ("0x1\r\n", ChunkedError::Size),
            (" 1\r\n", ChunkedError::Size),
            ("1 \r\n", ChunkedError::Size),
            ("1\t;a\r\n", ChunkedError::Size),
            (";a\r\n", ChunkedError::Size),
            ("00000000000000001\r\n", ChunkedError::Size),
            ("1\na\r\n", ChunkedError::Size),
            ("1\rXa\r\n", ChunkedError::LineEnd),
            ("1;a\na\r\n", ChunkedError::LineEnd),
            ("1;a\r\r\n", ChunkedError::LineEnd),
            ("1;\0\r\n", ChunkedError::Extra),
            ("1\r\nab", ChunkedError::LineEnd),
            ("1\r\na\n", ChunkedError::LineEnd),
            ("1\r\na\rb", ChunkedError::LineEnd),
            ("0\r\n\n", ChunkedError::Extra),
            ("0\r\n\rx", ChunkedError::LineEnd),
            ("0\r\nno header\r\n\r\n", ChunkedError::Extra),
            ("0\r\n folded: a\r\n\r\n", ChunkedError::Extra),
            ("0\r\n:a\r\n\r\n", ChunkedError::Extra),
            ("0\r\nGET / HTTP/1.1\r\n\r\n", ChunkedError::Extra),
            ("0\r\na: b\nc: d\r\n\r\n", ChunkedError::LineEnd),
            ("0\r\na: \x01\r\n\r\n", ChunkedError::Extra),
            ("b\r\n", large),
            ("a\r\n0123456789\r\n1\r\n", large),
            ("ffffffffffffffff\r\n", large),
        ] {
            assert_eq!(
                decode(input.as_bytes(), 10).unwrap_err(),
                error,
                "{input:?}"
            );
        }
        assert_eq!(large.status(), 413);
        assert_eq!(ChunkedError::Size.status(), 400);
    }

    #[test]
    fn extensions_and_trailers_share_one_bound() {
        let part = "1;x\r\na\r\n";
        let fits = OVERHEAD_MAX_BYTES / 2;
        assert!(decode(part.repeat(fits).as_bytes(), u64::MAX).is_ok());
        assert_eq!(
            decode(part.repeat(fits + 1).as_bytes(), u64::MAX).unwrap_err(),
            ChunkedError::TooMuchExtra
        );
        let trailers = format!("0\r\n{}", "a:b\r\n".repeat(OVERHEAD_MAX_BYTES / 3 + 1));
        assert_eq!(
            decode(trailers.as_bytes(), 9).unwrap_err(),
            ChunkedError::TooMuchExtra
        );
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_body(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..8),
            cut in 1usize..20,
        ) {
            let mut input = Vec::new();
            for chunk in &chunks {
                input.extend_from_slice(format!("{:x};e=1\r\n", chunk.len()).as_bytes());
                input.extend_from_slice(chunk);
                input.extend_from_slice(b"\r\n");
            }
            input.extend_from_slice(b"0\r\nT: x\r\n\r\nnext");
            let mut decoder = Decoder::new(1000);
            let mut out = Vec::new();
            let mut consumed = 0;
            for piece in input.chunks(cut) {
                let progress = decoder.decode(piece, &mut out).unwrap();
                consumed += progress.consumed;
                if progress.done {
                    break;
                }
                prop_assert_eq!(progress.consumed, piece.len());
            }
            prop_assert_eq!(&input[consumed..], b"next");
            prop_assert_eq!(out, chunks.concat());
        }

        #[test]
        fn any_bytes_stay_within_the_limit(input: Vec<u8>, max in 0u64..64) {
            let mut out = Vec::new();
            let result = Decoder::new(max).decode(&input, &mut out);
            prop_assert!(out.len() as u64 <= max);
            if let Ok(progress) = result {
                prop_assert!(progress.consumed <= input.len());
                prop_assert!(progress.done || progress.consumed == input.len());
            }
        }
    }
}
