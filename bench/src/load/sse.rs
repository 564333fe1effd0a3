//! Server-sent events: bytes in, one sequence number per event out.
//!
//! Lines may end in CR, LF or CRLF and may be cut anywhere. An event counts when its empty line has come.

use memchr::{memchr2, memmem};

/// Reads one stream.
#[derive(Debug, Default)]
pub struct Events {
    /// The start of a line whose end has not come.
    pending: Vec<u8>,
    after_cr: bool,
    has_data: bool,
    seq: Option<u64>,
}

impl Events {
    /// Takes in `bytes`; calls `event` for each event that ends in them, with the number in its `seq=<n>`, if any.
    pub fn feed(&mut self, mut bytes: &[u8], event: &mut impl FnMut(Option<u64>)) {
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(end) = memchr2(b'\n', b'\r', bytes) {
            if self.pending.is_empty() {
                self.line(&bytes[..end], event);
            } else {
                let mut line = std::mem::take(&mut self.pending);
                line.extend_from_slice(&bytes[..end]);
                self.line(&line, event);
            }
            let is_cr = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            if is_cr {
                self.after_cr = bytes.is_empty();
                bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
            }
        }
        self.pending.extend_from_slice(bytes);
    }

    fn line(&mut self, line: &[u8], event: &mut impl FnMut(Option<u64>)) {
        if line.is_empty() {
            if self.has_data {
                event(self.seq);
            }
            self.has_data = false;
            self.seq = None;
        } else if let Some(data) = line.strip_prefix(b"data:") {
            self.has_data = true;
            self.seq = self.seq.or_else(|| sequence(data));
        }
    }
}

/// The number after the first `seq=`.
pub fn sequence(text: &[u8]) -> Option<u64> {
    let digits = &text[memmem::find(text, b"seq=")? + 4..];
    let end = digits
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(digits.len());
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parts: &[&[u8]]) -> Vec<Option<u64>> {
        let (mut events, mut seen) = (Events::default(), Vec::new());
        for part in parts {
            events.feed(part, &mut |seq| seen.push(seq));
        }
        seen
    }

    #[test]
    fn an_event_is_read_wherever_it_is_cut() {
        let text = crate::event::encode(42).repeat(2);
        for cut in 0..text.len() {
            let (head, tail) = text.split_at(cut);
            assert_eq!(read(&[head, tail]), [Some(42), Some(42)], "cut at {cut}");
        }
        let single: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(read(&single), [Some(42), Some(42)]);
    }

    #[test]
    fn every_line_ending_ends_a_line() {
        for ending in ["\n", "\r", "\r\n"] {
            let text = format!(
                ": hello{ending}{ending}id: 1{ending}data: seq=5 x{ending}{ending}data: y{ending}{ending}"
            );
            let single: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            assert_eq!(
                read(&[text.as_bytes()]),
                [Some(5), None],
                "{ending:?} whole"
            );
            assert_eq!(read(&single), [Some(5), None], "{ending:?} byte by byte");
        }
    }

    #[test]
    fn comments_ids_and_unfinished_events_do_not_count() {
        assert_eq!(read(&[b": seq=1\n\nid: seq=2\n\ndata: seq=3\n"]), []);
    }

    #[test]
    fn the_number_may_be_on_a_later_line_of_data() {
        assert_eq!(
            read(&[b"data: elements <p>\ndata: elements seq=9</p>\n\n"]),
            [Some(9)]
        );
    }
}
