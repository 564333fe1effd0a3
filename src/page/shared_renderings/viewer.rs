//! A browser's page, put together from what it was told.

use std::rc::Rc;

use autovia_testkit::{Event, EventParser, Frame};
use serde_json::{Map, Value};

use crate::page::{Context, Patch};

pub struct Viewer {
    pub context: Rc<Context>,
    pub html: String,
    pub values: Map<String, Value>,
    parser: EventParser,
}

impl Viewer {
    pub fn new(context: Rc<Context>, html: String, values: Map<String, Value>) -> Self {
        Self {
            context,
            html,
            values,
            parser: EventParser::default(),
        }
    }

    pub fn tell(&mut self, patch: &Patch) {
        for frame in self.parser.push(patch) {
            let Frame::Event(event) = frame else { continue };
            if event.is_signals() {
                let Value::Object(values) = event.signals() else {
                    panic!("values are an object: {event:?}");
                };
                self.values.extend(values);
            } else {
                self.patch(&event);
            }
        }
    }

    /// Puts elements in the place of those with the same id.
    fn patch(&mut self, event: &Event) {
        let html = event.elements();
        if html.starts_with("<main ") {
            self.html = html;
            return;
        }
        let open = &html[..=html.find('>').expect("a wrapper")];
        let start = self.html.find(open);
        let start = start.unwrap_or_else(|| panic!("nothing is {open} in {}", self.html));
        let end = start + length_of_div(&self.html[start..]);
        self.html.replace_range(start..end, &html);
    }
}

/// How far the `div` goes that begins here.
fn length_of_div(html: &str) -> usize {
    let mut depth = 0;
    for (at, _) in html.match_indices('<') {
        if html[at..].starts_with("<div ") {
            depth += 1;
        } else if html[at..].starts_with("</div>") {
            depth -= 1;
            if depth == 0 {
                return at + "</div>".len();
            }
        }
    }
    panic!("a wrapper without an end: {html}");
}
