//! Finds the end of a frame before any decoder sees a byte of it.
//!
//! Invariant: each byte is looked at once, except those of an unfinished line, which is short. A frame that
//! passes has well-formed lengths, a CR LF where one belongs, and stays within the bounds.

use super::{Protocol, RespError};

/// How deep replies may be nested.
pub const DEPTH_MAX: usize = 8;

/// Elements of one frame, all levels together.
pub const ELEMENTS_MAX: usize = 1024;

/// The longest line: a length, a number, a status or an error.
pub const LINE_MAX_BYTES: usize = 1024;

/// The longest text; a longer one is read over, not kept.
pub const BULK_MAX_BYTES: usize = 64 * 1024;

/// The longest frame: a text and what is around it.
pub const FRAME_MAX_BYTES: usize = BULK_MAX_BYTES + 4 * 1024;

/// A longer text than any Redis sends (512 MB) is no length but garbage.
const BULK_CLAIM_MAX: u64 = 512 * 1024 * 1024;

/// What a look at the bytes of a frame has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scanned {
    /// More bytes are needed.
    Short,
    /// The frame is whole and ends here.
    Whole(usize),
    /// At this place a text of so many bytes begins that is too long to keep. Whoever scans drops
    /// everything up to its end, tells [`Scanner::dropped`], and goes on with the CR LF behind it.
    Long(usize, u64),
}

/// The state between two looks at the same frame.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    /// Looked at so far, from the frame's start.
    at: usize,
    /// What is still to come at each level.
    open: Vec<u32>,
    elements: usize,
    /// A CR LF comes next, behind a text that was dropped.
    after_dropped: bool,
    /// Something was dropped.
    incomplete: bool,
}

impl Scanner {
    /// Everything up to the end of a long text is gone: the frame starts anew behind it.
    pub(super) fn dropped(&mut self) {
        self.at = 0;
        self.after_dropped = true;
        self.incomplete = true;
    }

    /// Whether something of this frame was dropped.
    pub(super) fn is_incomplete(&self) -> bool {
        self.incomplete
    }

    /// Goes on where the last look stopped; `frame` begins where it began then.
    pub(super) fn look(&mut self, frame: &[u8], protocol: Protocol) -> Result<Scanned, RespError> {
        if self.after_dropped {
            if !has_line_end(&frame[self.at..])? {
                return Ok(Scanned::Short);
            }
            self.at += 2;
            self.after_dropped = false;
            if self.close() {
                return Ok(Scanned::Whole(self.at));
            }
        }
        loop {
            let scanned = self.element(frame, protocol)?;
            if self.at > FRAME_MAX_BYTES {
                return Err(RespError::TooLong);
            }
            match scanned {
                None => return Ok(Scanned::Short),
                Some(Step::Long(length)) => return Ok(Scanned::Long(self.at, length)),
                Some(Step::Opened) => {}
                Some(Step::Closed) => {
                    if self.close() {
                        return Ok(Scanned::Whole(self.at));
                    }
                }
            }
        }
    }

    /// An element is complete; whether the frame is too.
    fn close(&mut self) -> bool {
        while let Some(left) = self.open.last_mut() {
            *left -= 1;
            if *left > 0 {
                return false;
            }
            self.open.pop();
        }
        true
    }

    fn element(&mut self, frame: &[u8], protocol: Protocol) -> Result<Option<Step>, RespError> {
        let rest = &frame[self.at..];
        let Some(&kind) = rest.first() else {
            return Ok(None);
        };
        let two = b"+-:$*".contains(&kind);
        if !(two || protocol == Protocol::Three && b"_#,(!=>%".contains(&kind)) {
            return Err(RespError::Kind);
        }
        let Some(line) = line(&rest[1..])? else {
            return Ok(None);
        };
        let header = 1 + line.len() + 2;
        let step = match kind {
            b'$' | b'!' | b'=' => match length(line, protocol)? {
                None => Step::Closed,
                Some(length) if length > BULK_CLAIM_MAX => return Err(RespError::Number),
                Some(length) if length > BULK_MAX_BYTES as u64 => {
                    self.count()?;
                    self.at += header;
                    return Ok(Some(Step::Long(length)));
                }
                Some(length) => {
                    let end = header + usize::try_from(length).map_err(|_| RespError::Number)?;
                    if self.at + end > FRAME_MAX_BYTES {
                        return Err(RespError::TooLong);
                    }
                    let Some(behind) = rest.get(end..) else {
                        return Ok(None);
                    };
                    if !has_line_end(behind)? {
                        return Ok(None);
                    }
                    self.count()?;
                    self.at += end + 2;
                    return Ok(Some(Step::Closed));
                }
            },
            b'*' | b'>' | b'%' => match length(line, protocol)? {
                None | Some(0) => Step::Closed,
                Some(count) => {
                    if self.open.len() == DEPTH_MAX {
                        return Err(RespError::TooDeep);
                    }
                    let of_each = if kind == b'%' { 2 } else { 1 };
                    let count = u32::try_from(count)
                        .ok()
                        .and_then(|count| count.checked_mul(of_each))
                        .filter(|&count| count as usize <= ELEMENTS_MAX)
                        .ok_or(RespError::TooMany)?;
                    self.open.push(count);
                    Step::Opened
                }
            },
            b':' => {
                integer(line)?;
                Step::Closed
            }
            b'_' if !line.is_empty() => return Err(RespError::Content),
            b'#' if !matches!(line, b"t" | b"f") => return Err(RespError::Content),
            _ => Step::Closed,
        };
        self.count()?;
        self.at += header;
        Ok(Some(step))
    }

    fn count(&mut self) -> Result<(), RespError> {
        self.elements += 1;
        if self.elements > ELEMENTS_MAX {
            return Err(RespError::TooMany);
        }
        Ok(())
    }
}

enum Step {
    Opened,
    Closed,
    Long(u64),
}

/// The line at the start of `bytes`, without its end; `None` when the end has not come.
fn line(bytes: &[u8]) -> Result<Option<&[u8]>, RespError> {
    let window = &bytes[..bytes.len().min(LINE_MAX_BYTES + 1)];
    let Some(end) = window.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
        if window.len() > LINE_MAX_BYTES {
            return Err(RespError::LineTooLong);
        }
        return Ok(None);
    };
    Ok(has_line_end(&bytes[end..])?.then_some(&bytes[..end]))
}

/// Whether `bytes` begin with CR LF; `false` when they may still become so.
fn has_line_end(bytes: &[u8]) -> Result<bool, RespError> {
    match bytes {
        [b'\r', b'\n', ..] => Ok(true),
        [] | [b'\r'] => Ok(false),
        _ => Err(RespError::LineEnd),
    }
}

/// A length; `None` is RESP2's null.
fn length(line: &[u8], protocol: Protocol) -> Result<Option<u64>, RespError> {
    if line == b"-1" && protocol == Protocol::Two {
        return Ok(None);
    }
    let plain = match line {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => rest.len() < 10 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !plain {
        return Err(RespError::Number);
    }
    let digits = line.iter().map(|digit| u64::from(digit - b'0'));
    Ok(Some(digits.fold(0, |sum, digit| sum * 10 + digit)))
}

fn integer(line: &[u8]) -> Result<i64, RespError> {
    std::str::from_utf8(line)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(RespError::Number)
}
