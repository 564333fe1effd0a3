//! Bytes in, replies out.

use std::borrow::Cow;

use redis_protocol::resp2;
use redis_protocol::resp2::types::OwnedFrame as Frame2;
use redis_protocol::resp3;
use redis_protocol::resp3::types::OwnedFrame as Frame3;

use super::scan::{Scanned, Scanner};
use super::{Protocol, Refusal, RespError, Value};

/// Decodes the replies of one connection.
#[derive(Debug)]
pub struct Decoder {
    protocol: Protocol,
    /// The bytes that no reply was made of yet.
    buffer: Vec<u8>,
    /// Where the frame begins in it.
    start: usize,
    scanner: Scanner,
    /// Bytes of a long text that are still to be read over.
    over: u64,
    failed: Option<RespError>,
}

impl Decoder {
    /// A decoder that takes this version.
    #[must_use]
    pub fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            buffer: Vec::new(),
            start: 0,
            scanner: Scanner::default(),
            over: 0,
            failed: None,
        }
    }

    /// From the next reply on the server speaks this version.
    pub fn speak(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    /// Takes what was read. Call [`Decoder::next`] until it gives nothing before the next feed: what
    /// is held is then bounded.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        let over = usize::try_from(self.over).map_or(bytes.len(), |over| over.min(bytes.len()));
        self.over -= over as u64;
        self.buffer.extend_from_slice(&bytes[over..]);
    }

    /// How many bytes are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// The next reply that is whole.
    ///
    /// # Errors
    /// [`RespError`], and the same again from then on.
    #[allow(clippy::should_implement_trait, reason = "it goes on after a `None`")]
    pub fn next(&mut self) -> Result<Option<Value>, RespError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let next = self.try_next();
        self.failed = next.as_ref().err().copied();
        next
    }

    fn try_next(&mut self) -> Result<Option<Value>, RespError> {
        loop {
            if self.over > 0 {
                return Ok(None);
            }
            let frame = &self.buffer[self.start..];
            match self.scanner.look(frame, self.protocol)? {
                Scanned::Short => return Ok(None),
                Scanned::Whole(length) => {
                    let value = if self.scanner.is_incomplete() {
                        Value::TooLong
                    } else {
                        decode(&frame[..length], self.protocol)?
                    };
                    self.start += length;
                    self.scanner = Scanner::default();
                    return Ok(Some(value));
                }
                Scanned::Long(at, length) => {
                    let here = (frame.len() - at) as u64;
                    self.over = length.saturating_sub(here);
                    self.start += at + usize::try_from(length.min(here)).expect("it is held");
                    self.scanner.dropped();
                }
            }
        }
    }
}

fn decode(frame: &[u8], protocol: Protocol) -> Result<Value, RespError> {
    match protocol {
        Protocol::Two => match resp2::decode::decode(frame) {
            Ok(Some((value, used))) if used == frame.len() => Ok(of_two(value)),
            _ => Err(RespError::Content),
        },
        Protocol::Three => match resp3::decode::complete::decode(&flat(frame)) {
            Ok(Some((value, _))) => Ok(of_three(value)),
            _ => Err(RespError::Content),
        },
    }
}

/// A map as the array of its keys and values: the decoder's own maps keep neither the order nor all of the
/// keys. Maps inside of others stay, and nobody looks at them.
fn flat(frame: &[u8]) -> Cow<'_, [u8]> {
    let Some(rest) = frame.strip_prefix(b"%") else {
        return Cow::Borrowed(frame);
    };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (count, rest) = rest.split_at(digits);
    // The scan has seen a short number.
    let count = count
        .iter()
        .fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    let mut array = format!("*{}", 2 * count).into_bytes();
    array.extend_from_slice(rest);
    Cow::Owned(array)
}

fn of_two(frame: Frame2) -> Value {
    match frame {
        Frame2::SimpleString(text) | Frame2::BulkString(text) => Value::Text(text),
        Frame2::Error(text) => Value::Error(Refusal::new(text)),
        Frame2::Integer(number) => Value::Number(number),
        Frame2::Array(list) => Value::List(list.into_iter().map(of_two).collect()),
        Frame2::Null => Value::Null,
    }
}

fn of_three(frame: Frame3) -> Value {
    let list = |frames: Vec<Frame3>| frames.into_iter().map(of_three).collect();
    match frame {
        Frame3::SimpleString { data, .. }
        | Frame3::BlobString { data, .. }
        | Frame3::VerbatimString { data, .. } => Value::Text(data),
        Frame3::SimpleError { data, .. } => Value::Error(Refusal::new(data)),
        Frame3::BlobError { data, .. } => {
            Value::Error(Refusal::new(String::from_utf8_lossy(&data)))
        }
        Frame3::Number { data, .. } => Value::Number(data),
        Frame3::Null => Value::Null,
        Frame3::Array { data, .. } => Value::List(list(data)),
        Frame3::Push { data, .. } => Value::Push(list(data)),
        _ => Value::Other,
    }
}

#[cfg(test)]
mod tests;
