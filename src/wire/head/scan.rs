//! The scan of the raw head; see the invariant in [`super`].

use super::{Body, HeadError, MAX_HEADERS, Method, TARGET_MAX_BYTES, Version, is_token_byte};

/// Refuses a head that has more than one reading. `raw` is what [`find_end`](super::find_end)
/// measured; one empty line before the request line is allowed.
///
/// # Errors
/// [`HeadError`]
pub fn scan(raw: &[u8]) -> Result<(), HeadError> {
    examine(raw).map(drop)
}

/// What the scan learned on its way.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) method: Method,
    pub(super) version: Version,
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
    pub(super) body: Body,
    pub(super) keep_alive: bool,
    pub(super) expect_continue: bool,
}

pub(super) fn examine(raw: &[u8]) -> Result<Facts<'_>, HeadError> {
    let mut rest = raw.strip_prefix(b"\r\n").unwrap_or(raw);
    let line = RequestLine::read(take_line(&mut rest)?)?;
    let mut fields = Fields::default();
    let mut count = 0;
    loop {
        let header = take_line(&mut rest)?;
        if header.is_empty() {
            break;
        }
        count += 1;
        if count > MAX_HEADERS {
            return Err(HeadError::TooManyHeaders);
        }
        let (name, value) = split_header(header)?;
        fields.note(name, value)?;
    }
    if !rest.is_empty() {
        return Err(HeadError::Unfinished);
    }
    fields.judge(&line)
}

/// The next line without its CR LF.
fn take_line<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], HeadError> {
    let Some(at) = memchr::memchr2(b'\r', b'\n', rest) else {
        return Err(HeadError::Unfinished);
    };
    let (line, end) = rest.split_at(at);
    *rest = match end {
        [b'\r', b'\n', rest @ ..] => rest,
        [b'\r'] => return Err(HeadError::Unfinished),
        [b'\r', ..] => return Err(HeadError::BareCr),
        _ => return Err(HeadError::BareLf),
    };
    // Without an early exit, so that many bytes are looked at in one instruction.
    let has_control = line.iter().fold(false, |found, &byte| {
        found | (byte.is_ascii_control() & (byte != b'\t'))
    });
    if has_control {
        return Err(HeadError::Control);
    }
    Ok(line)
}

fn split_header(line: &[u8]) -> Result<(&[u8], &[u8]), HeadError> {
    if matches!(line[0], b' ' | b'\t') {
        return Err(HeadError::Folded);
    }
    let colon = line
        .iter()
        .position(|&byte| byte == b':')
        .ok_or(HeadError::Name)?;
    let (name, value) = line.split_at(colon);
    if name.is_empty() || !name.iter().copied().all(is_token_byte) {
        return Err(HeadError::Name);
    }
    Ok((name, trim(&value[1..])))
}

/// Without the white space that HTTP allows around a value: spaces and tabs.
pub(super) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

struct RequestLine<'a> {
    method: Method,
    version: Version,
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> RequestLine<'a> {
    fn read(line: &'a [u8]) -> Result<Self, HeadError> {
        let line = std::str::from_utf8(line).map_err(|_| HeadError::RequestLine)?;
        let (method, rest) = line.split_once(' ').ok_or(HeadError::RequestLine)?;
        let (target, version) = rest.rsplit_once(' ').ok_or(HeadError::RequestLine)?;
        if method.is_empty() || !method.bytes().all(is_token_byte) {
            return Err(HeadError::RequestLine);
        }
        let version = read_version(version)?;
        if target.len() > TARGET_MAX_BYTES {
            return Err(HeadError::TargetTooLong);
        }
        let method = Method::ALL
            .into_iter()
            .find(|known| known.as_str() == method)
            .ok_or(HeadError::Method)?;
        if target.is_empty() || target.contains([' ', '\t']) {
            return Err(HeadError::RequestLine);
        }
        let (authority, resource) = split_target(target, method)?;
        let (path, query) = match resource.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (resource, None),
        };
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self {
            method,
            version,
            authority,
            path,
            query,
        })
    }
}

fn read_version(text: &str) -> Result<Version, HeadError> {
    match text.strip_prefix("HTTP/").map(str::as_bytes) {
        Some(b"1.1") => Ok(Version::Http11),
        Some(b"1.0") => Ok(Version::Http10),
        Some([major, b'.', minor]) if major.is_ascii_digit() && minor.is_ascii_digit() => {
            Err(HeadError::Version)
        }
        _ => Err(HeadError::RequestLine),
    }
}

/// The target as (authority of the absolute form, path and query).
fn split_target(target: &str, method: Method) -> Result<(Option<&str>, &str), HeadError> {
    if !target
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'#')
    {
        return Err(HeadError::Target);
    }
    if target.starts_with('/') || target == "*" && method == Method::Options {
        return Ok((None, target));
    }
    let (scheme, rest) = target.split_once("://").ok_or(HeadError::Target)?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(HeadError::Target);
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, resource) = rest.split_at(end);
    if !is_host(authority.as_bytes()) {
        return Err(HeadError::Target);
    }
    Ok((Some(authority), resource))
}

/// A host name or address with an optional port; no user, no list of hosts.
fn is_host(text: &[u8]) -> bool {
    let is_address_byte = |byte: &u8| byte.is_ascii_hexdigit() || b":.".contains(byte);
    let is_name_byte =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=".contains(byte);
    let (is_valid, host, port) = if let Some(text) = text.strip_prefix(b"[") {
        let Some(end) = text.iter().position(|&byte| byte == b']') else {
            return false;
        };
        let host = &text[..end];
        (host.iter().all(is_address_byte), host, &text[end + 1..])
    } else {
        let end = text
            .iter()
            .position(|&byte| byte == b':')
            .unwrap_or(text.len());
        let (host, port) = text.split_at(end);
        (host.iter().all(is_name_byte), host, port)
    };
    let is_port = match port {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    is_valid && !host.is_empty() && is_port
}

/// The headers that decide how the request is read, and those of which two would be two readings.
#[derive(Default)]
struct Fields<'a> {
    host: Option<&'a [u8]>,
    length: Option<u64>,
    coding: Option<&'a [u8]>,
    close: bool,
    keep_alive: bool,
    expect: Option<&'a [u8]>,
    seen_once: [bool; ONCE.len()],
}

/// Values that this server acts on; a second one would make its answer depend on which it reads.
const ONCE: [&str; 5] = [
    "origin",
    "content-type",
    "idempotency-key",
    "last-event-id",
    "authorization",
];

impl<'a> Fields<'a> {
    fn note(&mut self, name: &[u8], value: &'a [u8]) -> Result<(), HeadError> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("host") {
            once(&mut self.host, value)
        } else if is("content-length") {
            once(&mut self.length, read_length(value)?)
        } else if is("transfer-encoding") {
            once(&mut self.coding, value)
        } else if is("expect") {
            once(&mut self.expect, value)
        } else if is("connection") {
            for option in value.split(|&byte| byte == b',').map(trim) {
                self.close |= option.eq_ignore_ascii_case(b"close");
                self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            }
            Ok(())
        } else if let Some(at) = ONCE.iter().position(|known| is(known)) {
            if std::mem::replace(&mut self.seen_once[at], true) {
                Err(HeadError::Repeated)
            } else {
                Ok(())
            }
        } else {
            Ok(())
        }
    }

    fn judge(self, line: &RequestLine<'a>) -> Result<Facts<'a>, HeadError> {
        let http11 = line.version == Version::Http11;
        match self.host {
            None if http11 => return Err(HeadError::NoHost),
            Some(host) if !is_host(host) => return Err(HeadError::BadHost),
            _ => {}
        }
        if let Some(authority) = line.authority {
            let same = |host: &[u8]| host.eq_ignore_ascii_case(authority.as_bytes());
            if !self.host.is_some_and(same) {
                return Err(HeadError::HostMismatch);
            }
        }
        let body = match (self.length, self.coding) {
            (Some(_), Some(_)) => return Err(HeadError::LengthAndChunked),
            (None, Some(_)) if !http11 => return Err(HeadError::ChunkedInHttp10),
            (None, Some(b"chunked")) => Body::Chunked,
            (None, Some(_)) => return Err(HeadError::Coding),
            (None | Some(0), None) => Body::None,
            (Some(length), None) => Body::Length(length),
        };
        let expect_continue = match self.expect {
            Some(value) if value.eq_ignore_ascii_case(b"100-continue") => http11,
            Some(_) => return Err(HeadError::Expectation),
            None => false,
        };
        Ok(Facts {
            method: line.method,
            version: line.version,
            path: line.path,
            query: line.query,
            body,
            keep_alive: !self.close && (http11 || self.keep_alive),
            expect_continue,
        })
    }
}

fn once<T>(place: &mut Option<T>, value: T) -> Result<(), HeadError> {
    if place.replace(value).is_some() {
        Err(HeadError::Repeated)
    } else {
        Ok(())
    }
}

fn read_length(value: &[u8]) -> Result<u64, HeadError> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(HeadError::Length);
    }
    std::str::from_utf8(value)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(HeadError::Length)
}
