//! Files that are part of the binary, with an ETag each.

use std::borrow::Cow;
use std::collections::HashMap;

use super::{Request, Response};

struct File {
    content_type: &'static str,
    etag: String,
    body: &'static [u8],
}

/// The files of one server, by path.
pub(crate) struct Assets {
    files: HashMap<String, File>,
    cache_control: &'static str,
}

impl Assets {
    /// `dev`: browsers ask each time.
    pub fn new(dev: bool) -> Self {
        let cache_control = if dev {
            "no-cache"
        } else {
            "public, max-age=3600, must-revalidate"
        };
        let mut assets = Self {
            files: HashMap::new(),
            cache_control,
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
                etag: format!("\"{hex}\""),
                body,
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
        let known = request.head.get("if-none-match").is_some_and(|known| {
            known
                .split(',')
                .map(str::trim)
                .any(|tag| tag == "*" || tag.trim_start_matches("W/") == file.etag)
        });
        let mut headers = vec![
            ("ETag", file.etag.clone()),
            ("Cache-Control", self.cache_control.to_owned()),
        ];
        if known {
            return Some(Response {
                status: 304,
                headers,
                body: Cow::Borrowed(b""),
            });
        }
        headers.push(("Content-Type", file.content_type.to_owned()));
        headers.push(("X-Content-Type-Options", "nosniff".to_owned()));
        Some(Response {
            status: 200,
            headers,
            body: Cow::Borrowed(file.body),
        })
    }
}

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
