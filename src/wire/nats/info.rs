//! What a server tells about itself.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// How many other servers of a cluster are learned from one `INFO`.
pub const LEARNED_MAX: usize = 16;

/// The longest nonce that is signed, in bytes; servers send 15.
const NONCE_MAX_BYTES: usize = 256;

/// The longest host name, in bytes.
const HOST_MAX_BYTES: usize = 253;

/// What a server takes when it says nothing: 1 MiB, as servers do by default.
const MAX_PAYLOAD_DEFAULT: u64 = 1024 * 1024;

/// Where a server of the cluster can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// A name or an address, without brackets.
    pub host: String,
    /// Never 0.
    pub port: u16,
}

impl Address {
    /// Reads `host:port` or `[address]:port`; `None` when it is neither.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let host = match host.strip_prefix('[') {
            Some(rest) => {
                let inner = rest.strip_suffix(']')?;
                inner.parse::<std::net::Ipv6Addr>().ok()?;
                inner
            }
            None => host,
        };
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if host.is_empty() || host.len() > HOST_MAX_BYTES {
            return None;
        }
        if !host.bytes().all(is_name) && host.parse::<IpAddr>().is_err() {
            return None;
        }
        if host.contains(':') && !text.starts_with('[') {
            return None;
        }
        let port = port.bytes().all(|b| b.is_ascii_digit()).then_some(port)?;
        let port = port.parse().ok().filter(|port| *port != 0)?;
        Some(Self {
            host: host.to_owned(),
            port,
        })
    }
}

/// The parts of an `INFO` that matter here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInfo {
    /// The longest payload that it takes, in bytes.
    pub max_payload: u64,
    /// It wants TLS before anything else is said.
    pub tls_required: bool,
    /// It would go over to TLS.
    pub tls_available: bool,
    /// What is to be signed by a key.
    pub nonce: Option<String>,
    /// Servers of the same cluster, [`LEARNED_MAX`] at most; malformed ones are left out.
    pub addresses: Vec<Address>,
    /// It is in lame duck mode: it will close all connections soon.
    pub leaving: bool,
}

#[derive(Deserialize)]
struct Raw<'a> {
    max_payload: Option<i64>,
    tls_required: Option<bool>,
    tls_available: Option<bool>,
    #[serde(borrow)]
    nonce: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "addresses")]
    connect_urls: Vec<Address>,
    ldm: Option<bool>,
}

impl ServerInfo {
    /// Reads the JSON of an `INFO`; `None` when it is none, or a known member has another type.
    #[must_use]
    pub fn parse(json: &[u8]) -> Option<Self> {
        let raw: Raw<'_> = serde_json::from_slice(json).ok()?;
        let max_payload = match raw.max_payload {
            Some(bytes) => u64::try_from(bytes).ok().filter(|bytes| *bytes > 0)?,
            None => MAX_PAYLOAD_DEFAULT,
        };
        let nonce = raw.nonce.filter(|nonce| !nonce.is_empty());
        if nonce.as_ref().is_some_and(|n| n.len() > NONCE_MAX_BYTES) {
            return None;
        }
        Some(Self {
            max_payload,
            tls_required: raw.tls_required.unwrap_or_default(),
            tls_available: raw.tls_available.unwrap_or_default(),
            nonce: nonce.map(Cow::into_owned),
            addresses: raw.connect_urls,
            leaving: raw.ldm.unwrap_or_default(),
        })
    }
}

/// Keeps the first [`LEARNED_MAX`] and looks at the rest without keeping it.
fn addresses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Address>, D::Error> {
    struct Addresses;

    impl<'de> Visitor<'de> for Addresses {
        type Value = Vec<Address>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array of host:port")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut found = Vec::new();
            while found.len() < LEARNED_MAX {
                let Some(text) = seq.next_element::<Cow<'de, str>>()? else {
                    return Ok(found);
                };
                found.extend(Address::parse(&text));
            }
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok(found)
        }
    }

    deserializer.deserialize_any(Addresses)
}
