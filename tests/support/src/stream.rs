//! A page's event stream, read as a test wants it: the next event, until an event, or proof that
//! nothing came.

use std::collections::VecDeque;
use std::io;

use crate::connection::{Connection, Framing, is_reset};
use crate::event::{Event, EventParser, Frame};
use crate::http::{Client, Response};

/// How many past frames a panic shows.
const SHOWN_FRAMES: usize = 20;

/// An open event stream.
pub struct Stream {
    /// Status and headers that the stream began with.
    pub response: Response,
    connection: Connection,
    framing: Framing,
    read: usize,
    parser: EventParser,
    ready: VecDeque<Frame>,
    past: VecDeque<Frame>,
    last_event_id: Option<String>,
}

impl Stream {
    /// Asks for an event stream; `Err` holds a response that is none.
    pub(crate) fn request(
        client: &Client,
        path: &str,
        last_event_id: Option<&str>,
        receive_buffer: Option<usize>,
    ) -> io::Result<Result<Self, Response>> {
        let mut headers = vec![
            ("Accept", "text/event-stream"),
            ("Datastar-Request", "true"),
        ];
        headers.extend(last_event_id.map(|id| ("last-event-id", id)));
        let mut connection = client.open(receive_buffer)?;
        connection.write(&client.encode("GET", path, &headers, b""))?;
        let mut response = connection.response_head()?;
        client.learn(&response);
        let framing = response.framing()?;
        let is_stream = response.status == 200
            && response
                .header("content-type")
                .is_some_and(|kind| kind.starts_with("text/event-stream"));
        if is_stream {
            return Ok(Ok(Self {
                response,
                connection,
                framing,
                read: 0,
                parser: EventParser::default(),
                ready: VecDeque::new(),
                past: VecDeque::new(),
                last_event_id: last_event_id.map(str::to_owned),
            }));
        }
        while let Some(bytes) = connection.body_part(framing, response.body.len())? {
            response.body.extend_from_slice(&bytes);
        }
        Ok(Err(response))
    }

    /// The id of the newest event read, as the browser would send it when it opens the stream again.
    pub fn last_event_id(&self) -> Option<&str> {
        self.last_event_id.as_deref()
    }

    /// The next event; comments are passed over. Panics when the stream ends or the deadline passes.
    pub fn next_event(&mut self) -> Event {
        loop {
            match self.next_frame() {
                Some(Frame::Event(event)) => return event,
                Some(Frame::Comment(_)) => {}
                None => panic!("the stream ended; {}", self.seen()),
            }
        }
    }

    /// The next comment (a heartbeat); panics when an event comes before it.
    pub fn next_comment(&mut self) -> String {
        match self.next_frame() {
            Some(Frame::Comment(text)) => text,
            other => panic!("wanted a comment, got {other:?}; {}", self.seen()),
        }
    }

    /// Reads on until an event is as wanted, and gives that event.
    pub fn until(&mut self, wanted: impl Fn(&Event) -> bool) -> Event {
        loop {
            let event = self.next_event();
            if wanted(&event) {
                return event;
            }
        }
    }

    /// Like [`Stream::until`], and gives every event on the way, the wanted one last.
    pub fn collect_until(&mut self, wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            events.push(self.next_event());
            if events.last().is_some_and(&wanted) {
                return events;
            }
        }
    }

    /// Proves that nothing came: causes an event that is known and asserts that it is the next one.
    pub fn assert_silent_until(
        &mut self,
        cause: impl FnOnce(),
        marker: impl Fn(&Event) -> bool,
    ) -> Event {
        cause();
        let event = self.next_event();
        assert!(
            marker(&event),
            "not silent, got {event:?} before the marker; {}",
            self.seen()
        );
        event
    }

    /// Reads to the end of the stream and gives the events on the way. Panics when it doesn't end.
    pub fn rest(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(frame) = self.next_frame() {
            if let Frame::Event(event) = frame {
                events.push(event);
            }
        }
        events
    }

    /// The next event or comment; `None` at the end of the stream, clean or by a reset.
    pub fn next_frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                if let Frame::Event(Event { id: Some(id), .. }) = &frame {
                    self.last_event_id = Some(id.clone());
                }
                if self.past.len() == SHOWN_FRAMES {
                    self.past.pop_front();
                }
                self.past.push_back(frame.clone());
                return Some(frame);
            }
            match self.connection.body_part(self.framing, self.read) {
                Ok(Some(bytes)) => {
                    self.read += bytes.len();
                    self.ready.extend(self.parser.push(&bytes));
                }
                Ok(None) => return None,
                Err(error) if is_reset(&error) || error.kind() == io::ErrorKind::UnexpectedEof => {
                    return None;
                }
                Err(error) => panic!("reading the stream: {error}; {}", self.seen()),
            }
        }
    }

    /// Ends the stream with a reset, as a cut cable with a helpful router would; dropping it is the
    /// orderly way.
    pub fn reset(self) {
        self.connection.reset();
    }

    fn seen(&self) -> String {
        let frames: Vec<String> = self
            .past
            .iter()
            .map(|frame| format!("\n  {frame:?}"))
            .collect();
        format!("seen so far (the last {SHOWN_FRAMES}):{}", frames.concat())
    }
}
