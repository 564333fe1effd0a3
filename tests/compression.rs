//! Pages, files and streams in the codings that a client takes.

mod common;

use std::io::Read;

use autovia_testkit::{Client, Connection, Page, Response};
use common::{SHARDS, autovia, probe};
use serde_json::{Value, json};

fn decode(response: &Response) -> Vec<u8> {
    let mut decoded = Vec::new();
    match response.header("content-encoding") {
        Some("zstd") => decoded = zstd::stream::decode_all(&response.body[..]).expect("it is zstd"),
        Some("br") => {
            brotli::BrotliDecompress(&mut &response.body[..], &mut decoded).expect("it is brotli");
        }
        Some("gzip") => {
            let mut reader = flate2::read::GzDecoder::new(&response.body[..]);
            reader.read_to_end(&mut decoded).expect("it is gzip");
        }
        Some(other) => panic!("nobody asked for {other}"),
        None => decoded.clone_from(&response.body),
    }
    decoded
}

fn get(client: &Client, path: &str, accept: &str) -> Response {
    client.request("GET", path, &[("Accept-Encoding", accept)], b"")
}

const ROWS: [(&str, Option<&str>); 7] = [
    ("gzip, deflate, br, zstd", Some("zstd")),
    ("gzip, deflate, br", Some("br")),
    ("gzip", Some("gzip")),
    ("br;q=0.5, gzip;q=0.9", Some("gzip")),
    ("identity", None),
    ("gzip;q=0", None),
    ("nonsense;;q=,,", None),
];

#[test]
fn a_page_comes_as_the_client_takes_it() {
    for shards in [1, 2] {
        let server = autovia().shards(shards).start();
        for (accept, coding) in ROWS {
            let response = get(&server.client(), "/", accept);
            assert_eq!(response.status, 200);
            assert_eq!(response.header("content-encoding"), coding, "{accept}");
            assert_eq!(response.header("vary"), Some("Accept-Encoding"));
            let html = String::from_utf8(decode(&response)).expect("it is text");
            assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"));
            let is_shorter = response.body.len() < html.len() / 2;
            assert_eq!(
                is_shorter,
                coding.is_some(),
                "{accept}: {}",
                response.body.len()
            );
        }
    }
}

#[test]
fn a_file_has_a_tag_for_each_coding() {
    let server = autovia().shards(2).start();
    let plain = server.client().get("/datastar.js");
    assert_eq!(plain.header("content-encoding"), None);
    let mut tags = vec![plain.header("etag").expect("it has a tag").to_owned()];
    for accept in ["zstd", "br", "gzip"] {
        // The second time it is known.
        for _ in 0..2 {
            let response = get(&server.client(), "/datastar.js", accept);
            assert_eq!(response.header("content-encoding"), Some(accept));
            assert_eq!(response.header("vary"), Some("Accept-Encoding"));
            assert!(decode(&response) == plain.body, "{accept}");
        }
        let headers = [("Accept-Encoding", accept)];
        let head = server
            .client()
            .request("HEAD", "/datastar.js", &headers, b"");
        let length: usize = head
            .header("content-length")
            .expect("a length")
            .parse()
            .expect("a number");
        assert!(length < plain.body.len() / 2, "{accept}: {length}");
        let tag = head.header("etag").expect("it has a tag");
        assert!(!tags.iter().any(|known| known == tag), "{tag} twice");
        tags.push(tag.to_owned());
        let headers = [("Accept-Encoding", accept), ("If-None-Match", tag)];
        let known = server
            .client()
            .request("GET", "/datastar.js", &headers, b"");
        assert_eq!((known.status, known.body.len()), (304, 0));
    }
}

#[test]
fn short_answers_and_other_kinds_stay_as_they_are() {
    let server = probe().shards(2).start();
    for path in ["/_health", "/_metrics", "/nothing-here"] {
        let response = get(&server.client(), path, "gzip, br, zstd");
        assert_eq!(response.header("content-encoding"), None, "{path}");
    }
}

#[test]
fn it_can_be_left_out() {
    let server = autovia().shards(2).arg("--compress-pages=false").start();
    for path in ["/", "/datastar.js"] {
        let response = get(&server.client(), path, "gzip, br, zstd");
        assert_eq!(response.header("content-encoding"), None, "{path}");
        assert_eq!(response.header("vary"), None, "{path}");
    }
}

/// A stream of a page that says what it takes, as bytes.
struct Bytes {
    head: Response,
    connection: Connection,
}

impl Bytes {
    fn open(page: &Page, accept: &str) -> Self {
        let path = page.stream_path();
        let request = page
            .client
            .encode("GET", &path, &[("Accept-Encoding", accept)], b"");
        let mut connection = page.client.connect();
        connection.write(&request).expect("the server listens");
        let head = connection.response_head().expect("a head comes");
        Self { head, connection }
    }

    /// What comes until the text is there, decoded as it comes.
    fn until(&mut self, text: &str) -> (usize, String) {
        let is_gzip = self.head.header("content-encoding") == Some("gzip");
        let mut bytes = Vec::new();
        loop {
            bytes.extend(self.connection.some().expect("the stream goes on"));
            let told = if is_gzip {
                inflated(&bytes)
            } else {
                bytes.clone()
            };
            let told = String::from_utf8(told).expect("it is text");
            if told.contains(text) {
                return (bytes.len(), told);
            }
        }
    }
}

/// What the beginning of a gzip body holds.
fn inflated(bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut writer = flate2::write::GzDecoder::new(&mut decoded);
    std::io::Write::write_all(&mut writer, bytes).expect("it is gzip");
    std::io::Write::flush(&mut writer).expect("it is gzip");
    drop(writer);
    decoded
}

fn post(page: &Page, text: &str) {
    assert_eq!(page.act("post", json!([text]), Value::Null).status, 200);
}

#[test]
fn a_stream_is_compressed_for_those_who_take_it() {
    for shards in SHARDS {
        // Given two who take gzip, and one who doesn't, in one room,
        let server = probe().shards(shards).arg("--compress-streams").start();
        let pages: Vec<Page> = (0..3)
            .map(|_| Page::open(&server.client(), "/room/zip"))
            .collect();
        let mut streams: Vec<Bytes> = pages
            .iter()
            .zip(["gzip, br", "gzip", "identity"])
            .map(|(page, accept)| Bytes::open(page, accept))
            .collect();
        for (stream, coding) in streams.iter().zip([Some("gzip"), Some("gzip"), None]) {
            assert_eq!(stream.head.header("content-encoding"), coding);
            assert_eq!(stream.head.header("vary"), Some("Accept-Encoding"));
        }
        // when something long is said,
        let long = "so long, and so much the same ".repeat(100);
        post(&pages[0], &format!("{long} first"));
        // then all get it, those who take gzip by fewer bytes,
        let told: Vec<_> = streams
            .iter_mut()
            .map(|stream| stream.until(" first"))
            .collect();
        assert!(
            told[0].0 < told[2].0 / 5 && told[1].0 < told[2].0 / 5,
            "{told:?}"
        );
        for (_, text) in &told {
            assert!(text.contains("event: datastar-patch-elements"), "{text}");
            assert!(text.ends_with("\n\n"), "{text}");
        }
    }
}

#[test]
fn without_the_option_a_stream_stays_as_it_is() {
    let server = probe().shards(2).start();
    let page = Page::open(&server.client(), "/room/plain");
    let mut stream = Bytes::open(&page, "gzip");
    assert_eq!(stream.head.header("content-encoding"), None);
    assert_eq!(stream.head.header("vary"), None);
    post(&page, "hello");
    stream.until("hello");
}
