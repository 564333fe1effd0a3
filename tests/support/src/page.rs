//! A page as the browser's shell sees it, without a browser: its context, its values, its stream,
//! its clicks.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};

use crate::html::{attribute_values, element_text};
use crate::http::{Client, Response};
use crate::stream::Stream;

/// How many pages [`Page::open_on`] opens at most in search of one on the wanted shard.
const SHARD_TRIES: usize = 64;

/// An open page: one context of the server.
pub struct Page {
    /// The browser that this page is open in.
    pub client: Client,
    /// The path that it was opened at.
    pub path: String,
    /// The context's id.
    pub context: String,
    /// The values that the page came with, `via_ctx` among them.
    pub signals: Map<String, Value>,
    /// The response that brought the page.
    pub response: Response,
    clicks: Mutex<u64>,
}

impl Page {
    /// Opens a page in the browser that `client` is; panics when it isn't a 200 with a context.
    pub fn open(client: &Client, path: &str) -> Self {
        let client = client.clone();
        let response = client.get(path);
        Self::read(client, path, response)
    }

    /// Reads a page that this client has got already, by its kept connection or otherwise.
    pub fn read(client: Client, path: &str, response: Response) -> Self {
        assert_eq!(response.status, 200, "GET {path}: {}", response.text());
        let mut signals = Map::new();
        for json in attribute_values(response.text(), "data-signals") {
            let Ok(Value::Object(values)) = serde_json::from_str(&json) else {
                panic!("data-signals of {path} is no JSON object: {json}");
            };
            signals.extend(values);
        }
        let Some(Value::String(context)) = signals.get("via_ctx") else {
            panic!(
                "no via_ctx in the data-signals of {path}: {}",
                response.text()
            );
        };
        Self {
            context: context.clone(),
            client,
            path: path.to_owned(),
            signals,
            response,
            clicks: Mutex::new(0),
        }
    }

    /// Opens a page that lives on this shard, in this browser if its session is at home there, else
    /// in a new one: sessions are placed evenly, so a few tries find one.
    pub fn open_on(client: &Client, path: &str, shard: u16) -> Self {
        let mut seen = BTreeMap::new();
        let mut client = client.clone();
        for _ in 0..SHARD_TRIES {
            let page = Self::open(&client, path);
            if page.shard() == shard {
                return page;
            }
            *seen.entry(page.shard()).or_insert(0_usize) += 1;
            client = client.stranger();
        }
        panic!("{SHARD_TRIES} pages of {path} and none on shard {shard}; shard → pages: {seen:?}");
    }

    /// One page on each of the shards 0 to `shards` − 1, each in a browser of its own.
    pub fn one_per_shard(port: u16, path: &str, shards: u16) -> Vec<Self> {
        (0..shards)
            .map(|shard| Self::open_on(&Client::new(port), path, shard))
            .collect()
    }

    /// The page's HTML as it was served.
    pub fn html(&self) -> &str {
        self.response.text()
    }

    /// The text of the element with this id, as it was served.
    pub fn text(&self, id: &str) -> String {
        element_text(self.html(), id)
            .unwrap_or_else(|| panic!("no element has the id {id:?} in {}", self.html()))
    }

    /// The shard that serves this page, as its footer says.
    pub fn shard(&self) -> u16 {
        let text = self.text("shard");
        text.parse().unwrap_or_else(|_| {
            panic!("the element with the id \"shard\" holds {text:?}, no number")
        })
    }

    /// Opens the page's stream; panics when it isn't an event stream.
    pub fn stream(&self) -> Stream {
        self.try_stream(None)
            .unwrap_or_else(|refused| panic!("the stream was refused: {refused:?}"))
    }

    /// Opens the stream again as a browser does that has seen `last_event_id`.
    pub fn reopen(&self, last_event_id: Option<&str>) -> Stream {
        self.try_stream(last_event_id)
            .unwrap_or_else(|refused| panic!("the stream was refused: {refused:?}"))
    }

    /// Opens the stream, or gives the response that refused it.
    pub fn try_stream(&self, last_event_id: Option<&str>) -> Result<Stream, Response> {
        Stream::request(&self.client, &self.stream_path(), last_event_id, None)
            .unwrap_or_else(|error| panic!("no answer to the stream request: {error}"))
    }

    /// Opens the stream with a small receive buffer, to be a reader that falls behind.
    pub fn slow_stream(&self, receive_buffer: usize) -> Stream {
        Stream::request(
            &self.client,
            &self.stream_path(),
            None,
            Some(receive_buffer),
        )
        .unwrap_or_else(|error| panic!("no answer to the stream request: {error}"))
        .unwrap_or_else(|refused| panic!("the stream was refused: {refused:?}"))
    }

    /// The path and query of this page's stream.
    pub fn stream_path(&self) -> String {
        format!(
            "/_sse?datastar={}",
            percent_encode(&json!({ "via_ctx": self.context }).to_string())
        )
    }

    /// Clicks: runs an action as the shell would, with a click counter of its own.
    pub fn act(&self, name: &str, arguments: Value, inputs: Value) -> Response {
        self.action(name).arguments(arguments).inputs(inputs).send()
    }

    /// A click that can be made otherwise than the shell makes it. Each call takes the next number
    /// of the click counter.
    pub fn action(&self, name: &str) -> ActionRequest<'_> {
        let mut clicks = self.clicks.lock().unwrap_or_else(PoisonError::into_inner);
        *clicks += 1;
        ActionRequest {
            client: &self.client,
            path: format!("/_action/{name}"),
            body: Map::from_iter([
                ("via_ctx".to_owned(), self.context.clone().into()),
                ("_args".to_owned(), json!([])),
            ]),
            headers: BTreeMap::from([
                ("Content-Type".to_owned(), "application/json".to_owned()),
                ("Datastar-Request".to_owned(), "true".to_owned()),
                ("Idempotency-Key".to_owned(), clicks.to_string()),
                ("Origin".to_owned(), self.client.origin()),
            ]),
        }
    }

    /// What the browser sends when the page is left.
    pub fn close_beacon(&self) -> Response {
        let origin = self.client.origin();
        let headers = [
            ("Content-Type", "text/plain;charset=UTF-8"),
            ("Origin", origin.as_str()),
        ];
        self.client.post("/_session/close", &headers, &self.context)
    }
}

/// A click that is about to be sent.
pub struct ActionRequest<'a> {
    client: &'a Client,
    path: String,
    body: Map<String, Value>,
    headers: BTreeMap<String, String>,
}

impl ActionRequest<'_> {
    /// The action's arguments: a list; `null` for none.
    #[must_use]
    pub fn arguments(mut self, arguments: Value) -> Self {
        let list = if arguments.is_null() {
            json!([])
        } else {
            arguments
        };
        self.body.insert("_args".to_owned(), list);
        self
    }

    /// The page's inputs: an object; `null` for none.
    #[must_use]
    pub fn inputs(mut self, inputs: Value) -> Self {
        match inputs {
            Value::Object(inputs) => self.body.extend(inputs),
            Value::Null => {}
            other => panic!("inputs are an object, not {other}"),
        }
        self
    }

    /// The click's number.
    #[must_use]
    pub fn key(self, key: impl ToString) -> Self {
        let key = key.to_string();
        self.header("Idempotency-Key", &key)
    }

    /// Sets a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Leaves out a header that the shell sends: `Origin`, `Idempotency-Key`, …
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        let left_out = self.headers.remove(name);
        assert!(left_out.is_some(), "the shell sends no header {name}");
        self
    }

    /// Sends it; panics when no response comes.
    pub fn send(self) -> Response {
        let path = self.path.clone();
        self.try_send()
            .unwrap_or_else(|error| panic!("POST {path}: {error}"))
    }

    /// Sends it, for tests that cut connections.
    pub fn try_send(self) -> io::Result<Response> {
        let headers: Vec<(&str, &str)> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        // A connection of its own: a kept one would make parallel clicks wait for each other.
        self.client.clone().try_request(
            "POST",
            &self.path,
            &headers,
            Value::Object(self.body).to_string().as_bytes(),
        )
    }

    /// The bytes of the request, for tests that send only a part or send it twice.
    pub fn bytes(self) -> Vec<u8> {
        let headers: Vec<(&str, &str)> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        self.client.encode(
            "POST",
            &self.path,
            &headers,
            Value::Object(self.body).to_string().as_bytes(),
        )
    }
}

/// Percent-encodes everything but the unreserved characters of RFC 3986.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(byte.into());
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
