//! Reads an event stream the way the browser does: for tests, the load generator and fuzzing.
//!
//! Shares nothing with the encoder, so that one checks the other: this file follows the parsing
//! rules of the HTML standard (server-sent events, "interpreting an event stream") byte by byte, then Datastar's
//! rule that each data line is `<name> <value>` and equal names are joined with LF.

/// One dispatched event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The `event:` field; empty when there was none.
    pub kind: String,
    /// The last event id as of this event; empty when there was none yet.
    pub id: String,
    /// The data lines joined with LF.
    pub data: String,
}

impl Event {
    /// The values of the Datastar argument `name`, joined with LF; `None` when no line names it.
    #[must_use]
    pub fn argument(&self, name: &str) -> Option<String> {
        let values: Vec<&str> = self
            .arguments()
            .filter_map(|(key, value)| (key == name).then_some(value))
            .collect();
        (!values.is_empty()).then(|| values.join("\n"))
    }

    /// Every data line as (name, value), in order.
    pub fn arguments(&self) -> impl Iterator<Item = (&str, &str)> {
        self.data
            .split('\n')
            .map(|line| line.split_once(' ').unwrap_or((line, "")))
    }
}

/// The decoder's state between two reads from the stream.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    line: Vec<u8>,
    started: bool,
    after_cr: bool,
    kind: String,
    data: String,
    has_data: bool,
    id_buffer: String,
    last_id: String,
    retry_ms: Option<u64>,
    comments: Vec<String>,
}

impl Decoder {
    /// A decoder at the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the stream and gives the events that they complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for &byte in bytes {
            let follows_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
            match byte {
                b'\n' if follows_cr => {}
                b'\n' | b'\r' => events.extend(self.end_line()),
                _ => self.line.push(byte),
            }
        }
        events
    }

    /// What the browser would send as `Last-Event-ID`.
    #[must_use]
    pub fn last_id(&self) -> &str {
        &self.last_id
    }

    /// The reconnect delay that the stream asked for, in milliseconds.
    #[must_use]
    pub const fn retry_ms(&self) -> Option<u64> {
        self.retry_ms
    }

    /// Takes the comments seen since the last call.
    pub fn take_comments(&mut self) -> Vec<String> {
        std::mem::take(&mut self.comments)
    }

    /// True when no half line and no half event is waiting.
    #[must_use]
    pub fn is_between_events(&self) -> bool {
        self.line.is_empty() && !self.has_data && self.kind.is_empty()
    }

    fn end_line(&mut self) -> Option<Event> {
        let bytes = std::mem::take(&mut self.line);
        let mut line = String::from_utf8_lossy(&bytes).into_owned();
        if !std::mem::replace(&mut self.started, true) && line.starts_with('\u{feff}') {
            line.remove(0);
        }
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => self.comments.push(value.to_owned()),
            "event" => value.clone_into(&mut self.kind),
            "data" => {
                if self.has_data {
                    self.data.push('\n');
                }
                self.data.push_str(value);
                self.has_data = true;
            }
            "id" if !value.contains('\0') => value.clone_into(&mut self.id_buffer),
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.retry_ms = value.parse().ok();
            }
            _ => {}
        }
        None
    }

    fn dispatch(&mut self) -> Option<Event> {
        self.last_id.clone_from(&self.id_buffer);
        let kind = std::mem::take(&mut self.kind);
        let data = std::mem::take(&mut self.data);
        std::mem::take(&mut self.has_data).then(|| Event {
            kind,
            id: self.last_id.clone(),
            data,
        })
    }
}
