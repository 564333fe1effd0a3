//! A parser of event streams, written after the HTML standard alone.
//!
//! It shares nothing with the server's encoder, so what the two agree on is what the wire says:
//! CR, LF and CRLF each end a line, an empty line ends an event.

use serde_json::Value;

/// One thing on an event stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A block of fields.
    Event(Event),
    /// A comment line, without its colon.
    Comment(String),
}

/// One event. A block without data counts too: `retry:` often travels alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Event {
    /// The `event` field; empty when there is none.
    pub name: String,
    /// The `id` field of this block.
    pub id: Option<String>,
    /// The `retry` field, in milliseconds.
    pub retry: Option<u64>,
    /// The `data` lines.
    pub data: Vec<String>,
    /// Lines that are no known field; a correct server sends none.
    pub unknown: Vec<String>,
}

impl Event {
    /// Whether this event patches elements.
    pub fn is_elements(&self) -> bool {
        self.name == "datastar-patch-elements"
    }

    /// Whether this event patches values.
    pub fn is_signals(&self) -> bool {
        self.name == "datastar-patch-signals"
    }

    /// The value of a Datastar argument: all data lines that begin with `name` and a space, joined
    /// by LF as the browser client does.
    pub fn argument(&self, name: &str) -> Option<String> {
        let lines: Vec<&str> = self
            .data
            .iter()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
            .collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// The values that this event patches; panics when it is no such event.
    pub fn signals(&self) -> Value {
        let text = self
            .is_signals()
            .then(|| self.argument("signals"))
            .flatten();
        let text = text.unwrap_or_else(|| panic!("no values in {self:?}"));
        serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("values are no JSON ({error}): {self:?}"))
    }

    /// The HTML that this event patches; panics when it is no such event.
    pub fn elements(&self) -> String {
        let html = self
            .is_elements()
            .then(|| self.argument("elements"))
            .flatten();
        html.unwrap_or_else(|| panic!("no elements in {self:?}"))
    }
}

/// Turns the bytes of a stream into frames, however they are cut.
#[derive(Debug, Default)]
pub struct EventParser {
    line: Vec<u8>,
    after_cr: bool,
    block: Event,
    block_has_fields: bool,
}

impl EventParser {
    /// Takes more bytes and gives the frames that they complete.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Frame> {
        let mut frames = Vec::new();
        for &byte in bytes {
            let second_half_of_crlf = self.after_cr && byte == b'\n';
            self.after_cr = byte == b'\r';
            match byte {
                b'\n' if second_half_of_crlf => {}
                b'\r' | b'\n' => {
                    let line =
                        String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
                    frames.extend(self.end_line(&line));
                }
                other => self.line.push(other),
            }
        }
        frames
    }

    fn end_line(&mut self, line: &str) -> Option<Frame> {
        if line.is_empty() {
            let block = std::mem::take(&mut self.block);
            return std::mem::take(&mut self.block_has_fields).then_some(Frame::Event(block));
        }
        let (field, value) = match line.split_once(':') {
            Some((field, value)) => (field, value.strip_prefix(' ').unwrap_or(value)),
            None => (line, ""),
        };
        if field.is_empty() {
            return Some(Frame::Comment(value.to_owned()));
        }
        self.block_has_fields = true;
        match field {
            "event" => self.block.name = value.to_owned(),
            "data" => self.block.data.push(value.to_owned()),
            "id" => self.block.id = Some(value.to_owned()),
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.block.retry = value.parse().ok()
            }
            _ => self.block.unknown.push(line.to_owned()),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(bytes: &[u8]) -> Vec<Frame> {
        EventParser::default().push(bytes)
    }

    #[test]
    fn every_line_end_ends_a_line_wherever_the_bytes_are_cut() {
        let stream = b"event: a\r\ndata: 1\rdata: 2\ndata: 3\r\n\r\n: beat\n\nretry: 50\r\r";
        let whole = events(stream);
        let mut parser = EventParser::default();
        let by_byte: Vec<Frame> = stream
            .iter()
            .flat_map(|byte| parser.push(&[*byte]))
            .collect();

        let event = Event {
            name: "a".into(),
            data: vec!["1".into(), "2".into(), "3".into()],
            ..Event::default()
        };
        let retry = Event {
            retry: Some(50),
            ..Event::default()
        };
        assert_eq!(
            whole,
            [
                Frame::Event(event),
                Frame::Comment("beat".into()),
                Frame::Event(retry)
            ]
        );
        assert_eq!(by_byte, whole);
    }

    #[test]
    fn a_forged_event_shows_up_as_a_second_event() {
        let frames = events(b"data: elements <p>\revent: x\rdata: y\r\rtail</p>\n\n");
        assert_eq!(frames.len(), 2, "{frames:?}");
        let Frame::Event(tail) = &frames[1] else {
            panic!("{frames:?}")
        };
        assert_eq!(tail.unknown, ["tail</p>"]);
    }

    #[test]
    fn arguments_of_one_name_are_joined_and_others_left_alone() {
        let frames = events(
            b"event: datastar-patch-elements\ndata: selector #a\ndata: elements <p>\ndata: elements </p>\n\n",
        );
        let Frame::Event(event) = &frames[0] else {
            panic!("{frames:?}")
        };
        assert_eq!(event.elements(), "<p>\n</p>");
        assert_eq!(event.argument("selector").as_deref(), Some("#a"));
        assert_eq!(event.argument("mode"), None);
    }
}
