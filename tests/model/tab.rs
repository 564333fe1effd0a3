//! One open page, and what the model says about it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use autovia_testkit::{Client, attribute_values};
use serde_json::{Value, json};

use crate::marks::{self, Owner};
use crate::stream::{self, Live, Shown};

/// How long a page without a stream lives at least; the server is started with these numbers.
pub const AWAY_SECONDS: u64 = 1;
pub const PARK_SECONDS: u64 = 4;
pub const RENDER_SECONDS: u64 = 3;

/// Keys that the server remembers.
const WINDOW: u64 = 64;

pub struct Tab {
    pub owner: Owner,
    pub context: String,
    pub streams: Vec<Live>,
    /// What the browser shows while no stream is open, and the last event that it saw.
    pub shown: Shown,
    pub last_id: Option<String>,
    /// Since when it has no stream; it is gone some time after.
    idle_since: Instant,
    had_stream: bool,
    /// The model: what the server has to say at last.
    pub count: u64,
    pub mine: String,
    pub echo: String,
    /// Clicks whose fate is unknown: the page was gone before the answer came.
    pub unsure: u64,
    /// Marks and clicks made so far.
    pub made: u64,
    next_key: u64,
    left_out: Vec<u64>,
    /// How the keys that the server remembers ended.
    ended: BTreeMap<u64, u16>,
}

impl Tab {
    /// Reads a page that was just answered.
    pub fn new(owner: Owner, html: &str, asked: Instant) -> Self {
        if let Err(fault) = marks::check(html, &owner) {
            panic!("in its first HTML: {fault}");
        }
        let mut shown = Shown::new();
        for json in attribute_values(html, "data-signals") {
            let values = serde_json::from_str(&json).expect("data-signals are JSON");
            stream::show_values(&mut shown, &values);
        }
        stream::show_html(&mut shown, html);
        let context = shown.get("via_ctx").expect("a page has a context").clone();
        Self {
            owner,
            context,
            streams: Vec::new(),
            shown,
            last_id: None,
            idle_since: asked,
            had_stream: false,
            count: 0,
            mine: String::new(),
            echo: String::new(),
            unsure: 0,
            made: 0,
            next_key: 1,
            left_out: Vec::new(),
            ended: BTreeMap::new(),
        }
    }

    /// The next mark of its own.
    pub fn mark(&mut self) -> String {
        self.made += 1;
        marks::of_page(self.owner.page, self.made)
    }

    /// The next key.
    pub fn key(&mut self) -> u64 {
        self.next_key += 1;
        self.next_key - 1
    }

    /// Leaves a key out: a click that is overtaken by others.
    pub fn leave_out(&mut self) {
        let key = self.key();
        self.left_out.push(key);
    }

    /// A key that was left out and is still in the window.
    pub fn overtaken(&mut self) -> Option<u64> {
        let highest = self.ended.last_key_value().map_or(0, |(key, _)| *key);
        self.left_out.retain(|key| key + WINDOW > highest);
        self.left_out.pop()
    }

    /// A key that has ended, with how.
    pub fn ended(&self, at: u64) -> Option<(u64, u16)> {
        let size = self.ended.len().max(1) as u64;
        let index = usize::try_from(at % size).expect("it is at most 64");
        self.ended
            .iter()
            .nth(index)
            .map(|(key, status)| (*key, *status))
    }

    /// A key below the window.
    pub fn stale_key(&self) -> Option<u64> {
        let (highest, _) = self.ended.last_key_value()?;
        highest.checked_sub(WINDOW)
    }

    /// A key has ended with this status.
    pub fn end(&mut self, key: u64, status: u16) {
        self.ended.insert(key, status);
        let highest = *self.ended.last_key_value().expect("one was put in").0;
        self.ended.retain(|key, _| key + WINDOW > highest);
    }

    /// It may be gone by now; before that a 410 is a fault.
    pub fn may_be_gone(&self) -> bool {
        let lives = if self.had_stream {
            AWAY_SECONDS + PARK_SECONDS
        } else {
            RENDER_SECONDS
        };
        self.streams.is_empty() && self.idle_since.elapsed() >= Duration::from_secs(lives)
    }

    /// Opens one more stream; gives the status of a refusal.
    pub fn open_stream(&mut self, client: &Client, last_id: Option<&str>) -> Result<(), u16> {
        let path = stream_path(&self.context);
        let live = Live::open(client, &path, last_id, self.shown.clone(), &self.owner)?;
        self.streams.push(live);
        self.had_stream = true;
        Ok(())
    }

    /// Ends one of its streams.
    pub fn close_stream(&mut self, index: usize, orderly: bool) {
        self.idle_since = Instant::now();
        (self.shown, self.last_id) = self.streams.swap_remove(index).close(orderly);
    }

    /// Reads all its streams.
    pub fn read(&mut self) {
        for live in &mut self.streams {
            live.read(&self.owner);
        }
    }

    /// The path and the bytes of a click.
    pub fn click(&self, action: &str, arguments: &Value, draft: &str) -> (String, Vec<u8>) {
        let body = json!({ "via_ctx": self.context, "_args": arguments, "draft": draft });
        (format!("/_action/{action}"), body.to_string().into_bytes())
    }
}

/// Where the stream of a context is asked for.
pub fn stream_path(context: &str) -> String {
    format!("/_sse?datastar=%7B%22via_ctx%22%3A%22{context}%22%7D")
}
