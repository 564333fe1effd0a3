//! Files that are part of the binary, with an ETag each.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;

use super::{Coding, Request, Response};

struct File {
    content_type: &'static str,
    etag: String,
    body: &'static [u8],
    /// By coding, once it was asked for; nothing where it would not be shorter.
    encoded: RefCell<HashMap<Coding, Option<Vec<u8>>>>,
}

impl File {
    fn encoded(&self, coding: Coding) -> Option<Vec<u8>> {
        let mut encoded = self.encoded.borrow_mut();
        let known = encoded.entry(coding);
        known
            .or_insert_with(|| coding.encode_file(self.body))
            .clone()
    }
}

/// The files of one server, by path.
pub(crate) struct Assets {
    files: HashMap<String, File>,
    cache_control: &'static str,
    compressed: bool,
}

impl Assets {
    /// `dev`: browsers ask each time. `compressed`: for those who take it.
    pub fn new(dev: bool, compressed: bool) -> Self {
        let cache_control = if dev {
            "no-cache"
        } else {
            "public, max-age=3600, must-revalidate"
        };
        let mut assets = Self {
            files: HashMap::new(),
            cache_control,
            compressed,
        };
        assets.add(
            "/datastar.js",
            JAVASCRIPT,
            include_bytes!("../../assets/vendor/datastar/datastar.js"),
        );
        assets.add(
            "/autovia.js",
            JAVASCRIPT,
            include_bytes!("../../assets/autovia.js"),
        );
        assets.add(
            "/autovia-page.js",
            JAVASCRIPT,
            include_bytes!("../../assets/autovia-page.js"),
        );
        assets.add(
            "/via.css",
            "text/css; charset=utf-8",
            include_bytes!("../../assets/via.css"),
        );
        assets.add(
            "/favicon.svg",
            "image/svg+xml",
            include_bytes!("../../assets/favicon.svg"),
        );
        assets
    }

    pub fn add(&mut self, path: &str, content_type: &'static str, body: &'static [u8]) {
        let digest = ring::digest::digest(&ring::digest::SHA256, body);
        let hex: String = digest.as_ref()[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        self.files.insert(
            path.to_owned(),
            File {
                content_type,
                etag: hex,
                body,
                encoded: RefCell::default(),
            },
        );
    }

    /// The answer, if the path is a file.
    pub fn find(&self, request: &Request) -> Option<Response> {
        let path = request.head.path();
        if path == "/favicon.ico" {
            return Some(Response::empty(301).with("Location", "/favicon.svg"));
        }
        let file = self.files.get(path)?;
        let coding = Coding::pick(&request.head).filter(|_| self.compressed);
        let encoded = coding.and_then(|coding| Some((coding, file.encoded(coding)?)));
        // Each coding of a file is a representation of its own (RFC 9110, 8.8.3).
        let etag = match &encoded {
            Some((coding, _)) => format!("\"{}-{}\"", file.etag, coding.name()),
            None => format!("\"{}\"", file.etag),
        };
        let known = request.head.get("if-none-match").is_some_and(|known| {
            known
                .split(',')
                .map(str::trim)
                .any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
        });
        let mut headers = vec![
            ("ETag", etag),
            ("Cache-Control", self.cache_control.to_owned()),
        ];
        if self.compressed {
            headers.push(("Vary", "Accept-Encoding".to_owned()));
        }
        if known {
            return Some(Response {
                status: 304,
                headers,
                body: Cow::Borrowed(b""),
            });
        }
        headers.push(("Content-Type", file.content_type.to_owned()));
        headers.push(("X-Content-Type-Options", "nosniff".to_owned()));
        let body = match encoded {
            Some((coding, body)) => {
                headers.push(("Content-Encoding", coding.name().to_owned()));
                Cow::Owned(body)
            }
            None => Cow::Borrowed(file.body),
        };
        Some(Response {
            status: 200,
            headers,
            body,
        })
    }
}

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
