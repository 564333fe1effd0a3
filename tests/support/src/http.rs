//! A small HTTP client for tests: it sends exactly one request per call and never sends one again.
//!
//! A client that repeated a request after a cut connection would hide what the tests are about,
//! so a kept connection is used only while the peer hasn't closed it.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ClientConfig;

use crate::connection::{Connection, Framing, invalid};
use crate::deadline::DEADLINE;

/// An HTTP/1.1 client on one kept connection, with a cookie jar.
///
/// A clone shares the jar (one browser) and has a connection of its own (another tab).
pub struct Client {
    port: u16,
    jar: Option<Arc<Mutex<BTreeMap<String, String>>>>,
    tls: Option<Arc<ClientConfig>>,
    kept: Mutex<Option<Connection>>,
    patience: Duration,
}

impl Clone for Client {
    fn clone(&self) -> Self {
        Self {
            port: self.port,
            jar: self.jar.clone(),
            tls: self.tls.clone(),
            kept: Mutex::new(None),
            patience: self.patience,
        }
    }
}

impl Client {
    /// A client with an empty cookie jar.
    pub fn new(port: u16) -> Self {
        Self {
            port,
            jar: Some(Arc::default()),
            tls: None,
            kept: Mutex::new(None),
            patience: DEADLINE,
        }
    }

    /// A client that neither keeps nor sends cookies.
    pub fn without_cookies(port: u16) -> Self {
        Self {
            port,
            jar: None,
            tls: None,
            kept: Mutex::new(None),
            patience: DEADLINE,
        }
    }

    /// Waits up to `patience` instead of [`DEADLINE`] for each answer.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Speaks TLS with this configuration.
    #[must_use]
    pub fn with_tls(mut self, config: Arc<ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// A new connection of this client, with TLS where it speaks that.
    pub(crate) fn open(&self, receive_buffer: Option<usize>) -> io::Result<Connection> {
        let connection = Connection::open_with(self.port, receive_buffer)?;
        match &self.tls {
            Some(config) => connection.secure(Arc::clone(config)),
            None => Ok(connection),
        }
    }

    /// Another browser towards the same server: it has no cookies yet.
    #[must_use]
    pub fn stranger(&self) -> Self {
        Self {
            jar: Some(Arc::default()),
            ..self.clone()
        }
    }

    /// The same jar towards another port: a proxy in front of the same server, or the same server
    /// after a restart.
    pub fn at_port(&self, port: u16) -> Self {
        Self {
            port,
            jar: self.jar.clone(),
            tls: self.tls.clone(),
            kept: Mutex::new(None),
            patience: DEADLINE,
        }
    }

    /// The port that this client connects to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The `Host` of every request.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The origin that a page of this host posts with.
    pub fn origin(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.host())
    }

    /// A cookie's value.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.jar().and_then(|jar| jar.get(name).cloned())
    }

    /// Puts a cookie into the jar, as a user who forges one would.
    pub fn set_cookie(&self, name: &str, value: &str) {
        self.jar()
            .expect("this client has no cookie jar")
            .insert(name.to_owned(), value.to_owned());
    }

    /// Forgets every cookie.
    pub fn clear_cookies(&self) {
        if let Some(mut jar) = self.jar() {
            jar.clear();
        }
    }

    /// GET; panics when no response comes.
    pub fn get(&self, path: &str) -> Response {
        self.request("GET", path, &[], b"")
    }

    /// HEAD; panics when no response comes.
    pub fn head(&self, path: &str) -> Response {
        self.request("HEAD", path, &[], b"")
    }

    /// POST; panics when no response comes.
    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Response {
        self.request("POST", path, headers, body.as_ref())
    }

    /// Any request; panics when no response comes.
    pub fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        self.try_request(method, path, headers, body)
            .unwrap_or_else(|error| panic!("{method} {path} on port {}: {error}", self.port))
    }

    /// Any request, for tests that cut connections or stop servers.
    pub fn try_request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Response> {
        let kept = self
            .kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let mut connection = match kept.filter(|connection| !connection.is_stale()) {
            Some(connection) => connection,
            None => self.open(None)?,
        };
        connection.set_patience(self.patience);
        connection.write(&self.encode(method, path, headers, body))?;
        let response = connection.response(method == "HEAD")?;
        self.learn(&response);
        if response.keeps_open() {
            *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
        }
        Ok(response)
    }

    /// Sends bytes as they are on a new connection and gives back the bytes until the server
    /// closes; panics when it doesn't close. See [`Connection`] for anything else.
    pub fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut connection = self.connect();
        // A server may refuse and close before it has read everything: its answer counts.
        let _ = connection.write(bytes);
        connection
            .rest()
            .unwrap_or_else(|error| panic!("raw request on port {}: {error}", self.port))
    }

    /// Sends bytes as they are on a new connection and reads one response.
    pub fn exchange(&self, bytes: &[u8]) -> (Response, Connection) {
        let mut connection = self.connect();
        let _ = connection.write(bytes);
        let response = connection.response(bytes.starts_with(b"HEAD "));
        let response = response.unwrap_or_else(|error| {
            panic!(
                "no response on port {} to {:?}: {error}",
                self.port,
                String::from_utf8_lossy(bytes)
            )
        });
        (response, connection)
    }

    /// A new connection.
    pub fn connect(&self) -> Connection {
        self.open(None)
            .unwrap_or_else(|error| panic!("cannot connect to port {}: {error}", self.port))
    }

    /// The bytes of a request, with this client's `Host` and cookies. A header given in `headers`
    /// replaces the one that the client would have sent.
    pub fn encode(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Vec<u8> {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        let mut add = |name: &str, value: &str| {
            if !headers
                .iter()
                .any(|(given, _)| given.eq_ignore_ascii_case(name))
            {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        };
        add("Host", &self.host());
        if let Some(cookies) = self.cookie_header() {
            add("Cookie", &cookies);
        }
        if !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH") {
            add("Content-Length", &body.len().to_string());
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        bytes
    }

    /// Takes the cookies that a response sets; an empty or expired one is forgotten.
    pub(crate) fn learn(&self, response: &Response) {
        let Some(mut jar) = self.jar() else { return };
        for line in response.header_all("set-cookie") {
            let mut parts = line.split(';');
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
                continue;
            };
            let expired = parts.any(|part| part.trim().eq_ignore_ascii_case("max-age=0"));
            if value.is_empty() || expired {
                jar.remove(name.trim());
            } else {
                jar.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
    }

    fn cookie_header(&self) -> Option<String> {
        let jar = self.jar()?;
        let pairs: Vec<String> = jar
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    fn jar(&self) -> Option<std::sync::MutexGuard<'_, BTreeMap<String, String>>> {
        self.jar
            .as_ref()
            .map(|jar| jar.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One HTTP response, with its body taken out of whatever framing it came in.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Name (lower case) and value of each header line, in the order of the wire.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The only value of a header, its name in lower case; panics when there are several.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(given, _)| given == name);
        let first = values.next();
        assert!(
            values.next().is_none(),
            "header {name} came more than once: {self:?}"
        );
        first.map(|(_, value)| value.as_str())
    }

    /// Every value of a header; `name` in lower case.
    pub fn header_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(given, _)| given == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as text; panics when it isn't UTF-8.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is UTF-8")
    }

    /// The body as JSON; panics when it isn't.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("the body is no JSON ({error}): {self:?}"))
    }

    pub(crate) fn parse_head(head: &[u8]) -> io::Result<Self> {
        let text = std::str::from_utf8(head)
            .map_err(|_| invalid("a response head is not UTF-8".to_owned()))?;
        let mut lines = text.split("\r\n");
        let status_line = lines.next().unwrap_or_default();
        let status = match status_line.split(' ').collect::<Vec<_>>()[..] {
            ["HTTP/1.1" | "HTTP/1.0", status, ..] if status.len() == 3 => status.parse().ok(),
            _ => None,
        };
        let status = status.ok_or_else(|| invalid(format!("{status_line:?} is no status line")))?;
        let mut headers = Vec::new();
        for line in lines.filter(|line| !line.is_empty()) {
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| invalid(format!("{line:?} is no header line")))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(Self {
            status,
            headers,
            body: Vec::new(),
        })
    }

    pub(crate) fn framing(&self) -> io::Result<Framing> {
        if matches!(self.status, 204 | 304) {
            return Ok(Framing::Length(0));
        }
        let lengths: Vec<&str> = self.header_all("content-length").collect();
        let chunked = self
            .header_all("transfer-encoding")
            .any(|value| value.eq_ignore_ascii_case("chunked"));
        match (lengths[..].as_ref(), chunked) {
            ([], true) => Ok(Framing::Chunked),
            ([], false) => Ok(Framing::UntilClose),
            ([length], false) => {
                let length = length
                    .parse()
                    .map_err(|_| invalid(format!("{length:?} is no length")))?;
                Ok(Framing::Length(length))
            }
            _ => Err(invalid(format!(
                "the response has two framings: {:?}",
                self.headers
            ))),
        }
    }

    fn keeps_open(&self) -> bool {
        let closes = self
            .header_all("connection")
            .any(|value| value.eq_ignore_ascii_case("close"));
        !closes
            && self
                .framing()
                .is_ok_and(|framing| framing != Framing::UntilClose)
    }
}
