//! A tiny origin server for the kit's own tests: a page with a counter, its stream and its action.
//!
//! Bound to one thread per connection; it ends with the test process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// What the origin has received and what its stream still has to say.
#[derive(Default)]
pub struct State {
    /// The request heads with their bodies, in order of arrival.
    pub requests: Vec<String>,
    events: Vec<String>,
    said: usize,
    ended: bool,
}

/// A running origin.
#[derive(Clone)]
pub struct Origin {
    pub port: u16,
    state: Arc<(Mutex<State>, Condvar)>,
}

impl Origin {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
        let port = listener.local_addr().expect("it is bound").port();
        let origin = Self {
            port,
            state: Arc::default(),
        };
        let shared = origin.clone();
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let origin = shared.clone();
                thread::spawn(move || origin.serve(&socket));
            }
        });
        origin
    }

    /// Sends bytes down the stream.
    pub fn say(&self, bytes: &str) {
        self.state
            .0
            .lock()
            .expect("not poisoned")
            .events
            .push(bytes.to_owned());
        self.state.1.notify_all();
    }

    /// Waits until the stream has said everything.
    pub fn wait_said(&self) {
        let state = self.state.0.lock().expect("not poisoned");
        drop(
            self.state
                .1
                .wait_while(state, |state| state.said < state.events.len())
                .expect("not poisoned"),
        );
    }

    /// Ends the stream cleanly.
    pub fn end(&self) {
        self.state.0.lock().expect("not poisoned").ended = true;
        self.state.1.notify_all();
    }

    /// The requests that came so far.
    pub fn requests(&self) -> Vec<String> {
        self.state.0.lock().expect("not poisoned").requests.clone()
    }

    fn serve(&self, socket: &TcpStream) {
        let mut reader = BufReader::new(socket);
        while let Some(request) = read_request(&mut reader) {
            self.state
                .0
                .lock()
                .expect("not poisoned")
                .requests
                .push(request.clone());
            let line = request.lines().next().unwrap_or_default().to_owned();
            let path = line.split(' ').nth(1).unwrap_or_default();
            if path.starts_with("/_sse") {
                self.stream(socket);
                return;
            }
            let answer = answer(&line, path);
            let head_bytes = answer.find("\r\n\r\n").expect("an answer has a head") + 4;
            let sent = if line.starts_with("HEAD ") {
                head_bytes
            } else {
                answer.len()
            };
            let _ = { socket }.write_all(&answer.as_bytes()[..sent]);
            if path == "/close" {
                return;
            }
        }
    }

    fn stream(&self, mut socket: &TcpStream) {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        let _ = socket.write_all(head.as_bytes());
        let mut said = 0;
        let mut state = self.state.0.lock().expect("not poisoned");
        loop {
            while let Some(event) = state.events.get(said).cloned() {
                let _ = socket.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes());
                said += 1;
                state.said = said;
                self.state.1.notify_all();
            }
            if state.ended {
                let _ = socket.write_all(b"0\r\n\r\n");
                return;
            }
            state = self.state.1.wait(state).expect("not poisoned");
        }
    }
}

fn read_request(reader: &mut BufReader<&TcpStream>) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(head + &String::from_utf8(body).ok()?)
}

fn answer(line: &str, path: &str) -> String {
    let ok = |kind: &str, extra: &str, body: &str| {
        let length = body.len();
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{extra}Content-Length: {length}\r\n\r\n{body}"
        )
    };
    match path {
        "/" => ok("text/html", "Set-Cookie: via_session_id=abc; Path=/; HttpOnly\r\n", PAGE),
        "/broken" => ok("text/html", "", BROKEN_PAGE),
        "/chunked" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n".into(),
        "/close" => "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nuntil the end".into(),
        "/gone" => "HTTP/1.1 410 Gone\r\nContent-Length: 4\r\n\r\ngone".into(),
        "/favicon.ico" => "HTTP/1.1 204 No Content\r\n\r\n".into(),
        _ if line.starts_with("POST /_action/") || path == "/_session/close" => ok("text/plain", "", ""),
        _ => ok("text/plain", "", path),
    }
}

const PAGE: &str = r#"<!doctype html><html lang="en"><title>kit</title>
<body data-signals="{&quot;via_ctx&quot;:&quot;c-1&quot;,&quot;count&quot;:7}">
<p id="count">7</p><input id="name"><button id="add">+</button>
<select id="colour"><option>red<option>blue</select><p id="secret" hidden>x</p><footer>shard <b id="shard">3</b></footer>
<script>
document.documentElement.dataset.viaStream = 'open';
document.getElementById('add').addEventListener('click', () => {
    const count = document.getElementById('count');
    count.textContent = Number(count.textContent) + 1;
});
</script>"#;

const BROKEN_PAGE: &str = r#"<!doctype html><html lang="en"><title>broken</title>
<script>console.error('said by hand'); throw new Error('thrown by script');</script>"#;
