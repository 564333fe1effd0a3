//! What nodes say to each other: one JSON object per message, without line ends.
//!
//! | message | text | php-via |
//! |---|---|---|
//! | a scope is stale | `{"scope":"room:lobby","nodeId":"…","epoch":1,"seq":17}` | reads `scope` and `nodeId`, ignores the numbers |
//! | everything is stale | `{"kind":"all","v":1,"nodeId":"…","epoch":1,"seq":18}` | drops it: it has no `scope` |
//! | I am here | `{"kind":"beacon","v":1,"nodeId":"…","epoch":1,"seq":18,"number":4,"build":"0.1.0","lag":310}` | drops it |
//! | I am new here, who else is? | the same with `"kind":"hello"` | drops it |
//!
//! `nodeId` is 16 hex digits, drawn by each process at its start. `seq` counts a node's stale messages
//! from 1, `epoch` its links from 1, `number` the beacons of a link from 1; `lag` is how many
//! microseconds the node's last beacon took to come back to it. A beacon's `seq` is that of the last
//! stale message before it, so that the loss of the last one shows too. No content ever travels.
//!
//! The first form is php-via's (`src/Broker/RedisBroker.php`, `NatsBroker.php`), so that its nodes
//! and these share a channel.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;

/// The version of the messages with a `kind`.
const VERSION: u64 = 1;

/// The longest message that is read, in bytes.
pub const MESSAGE_MAX_BYTES: usize = 4 * 1024;

/// The longest build name that is kept, in bytes.
const BUILD_MAX_BYTES: usize = 64;

/// One process, by the number that it drew at its start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u64);

impl NodeId {
    fn parse(text: &str) -> Option<Self> {
        let hex = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        hex.then(|| u64::from_str_radix(text, 16).ok())
            .flatten()
            .map(Self)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where a message stands among those of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The node's links so far.
    pub epoch: u64,
    /// The node's stale messages so far, this one included.
    pub seq: u64,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A scope is stale. Its name is not checked here.
    Stale {
        /// The scope's name.
        scope: Cow<'a, str>,
        /// `None` from nodes that don't count.
        place: Option<Place>,
    },
    /// Everything that crosses nodes is stale.
    AllStale {
        /// Its place.
        place: Place,
    },
    /// A sign of life.
    Beacon(Beacon<'a>),
}

/// A sign of life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beacon<'a> {
    /// The place of the last stale message before it.
    pub place: Place,
    /// The beacons of this link so far, this one included.
    pub number: u64,
    /// What the node runs.
    pub build: Cow<'a, str>,
    /// How long its last beacon took to come back, in microseconds; 0 when none did.
    pub lag_us: u64,
    /// It is new and asks the others for theirs.
    pub hello: bool,
}

/// Why a message was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelayError {
    /// Longer than any node's message.
    #[error("longer than {MESSAGE_MAX_BYTES} bytes")]
    TooLong,
    /// No JSON object, or a known member has another type.
    #[error("no message: a JSON object with scope and nodeId is expected")]
    Malformed,
    /// `nodeId` is missing or no 16 hex digits.
    #[error("nodeId is no 16 hex digits")]
    NodeId,
    /// A beacon without its numbers.
    #[error("a message with a kind lacks its numbers")]
    Incomplete,
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    scope: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "nodeId")]
    node: Option<Cow<'a, str>>,
    #[serde(borrow)]
    kind: Option<Cow<'a, str>>,
    v: Option<u64>,
    epoch: Option<u64>,
    seq: Option<u64>,
    number: Option<u64>,
    #[serde(borrow)]
    build: Option<Cow<'a, str>>,
    lag: Option<u64>,
}

/// Reads a message; `None` is one of a later version, or of a kind that is not known here.
///
/// # Errors
/// [`RelayError`].
pub fn decode(payload: &[u8]) -> Result<Option<(NodeId, Message<'_>)>, RelayError> {
    if payload.len() > MESSAGE_MAX_BYTES {
        return Err(RelayError::TooLong);
    }
    let raw: Raw<'_> = serde_json::from_slice(payload).map_err(|_| RelayError::Malformed)?;
    let node = raw
        .node
        .as_deref()
        .and_then(NodeId::parse)
        .ok_or(RelayError::NodeId)?;
    let place = raw
        .epoch
        .zip(raw.seq)
        .map(|(epoch, seq)| Place { epoch, seq });
    if let Some(scope) = raw.scope {
        return Ok(Some((node, Message::Stale { scope, place })));
    }
    let Some(kind) = raw.kind else {
        return Err(RelayError::Malformed);
    };
    if raw.v != Some(VERSION) {
        return Ok(None);
    }
    let hello = kind == "hello";
    let message = match &*kind {
        "all" => Message::AllStale {
            place: place.ok_or(RelayError::Incomplete)?,
        },
        "beacon" | "hello" => Message::Beacon(Beacon {
            place: place.ok_or(RelayError::Incomplete)?,
            number: raw.number.ok_or(RelayError::Incomplete)?,
            build: shortened(raw.build.unwrap_or_default()),
            lag_us: raw.lag.unwrap_or(0),
            hello,
        }),
        _ => return Ok(None),
    };
    Ok(Some((node, message)))
}

/// A build name of bounded length, without control characters.
fn shortened(build: Cow<'_, str>) -> Cow<'_, str> {
    if build.len() <= BUILD_MAX_BYTES && !build.contains(char::is_control) {
        return build;
    }
    let mut short = String::new();
    for c in build.chars().filter(|c| !c.is_control()) {
        if short.len() + c.len_utf8() > BUILD_MAX_BYTES {
            break;
        }
        short.push(c);
    }
    Cow::Owned(short)
}

/// Writes a message of `node`.
#[must_use]
pub fn encode(node: NodeId, message: &Message<'_>) -> Vec<u8> {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    match message {
        Message::Stale { scope, place } => {
            let numbers = place.map_or_else(String::new, |place| {
                format!(",\"epoch\":{},\"seq\":{}", place.epoch, place.seq)
            });
            format!("{{\"scope\":{},\"nodeId\":\"{node}\"{numbers}}}", text(scope))
        }
        Message::AllStale { place } => format!(
            "{{\"kind\":\"all\",\"v\":{VERSION},\"nodeId\":\"{node}\",\"epoch\":{},\"seq\":{}}}",
            place.epoch, place.seq
        ),
        Message::Beacon(beacon) => format!(
            "{{\"kind\":\"{}\",\"v\":{VERSION},\"nodeId\":\"{node}\",\"epoch\":{},\"seq\":{},\"number\":{},\"build\":{},\"lag\":{}}}",
            if beacon.hello { "hello" } else { "beacon" },
            beacon.place.epoch,
            beacon.place.seq,
            beacon.number,
            text(&beacon.build),
            beacon.lag_us,
        ),
    }
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NODE: NodeId = NodeId(0x9f2c_0000_0000_00ab);

    #[test]
    fn php_vias_messages_are_read() {
        // As PHP's json_encode writes them: slashes and non-ASCII escaped.
        for (text, scope) in [
            (
                r#"{"scope":"room:lobby","nodeId":"9f2c0000000000ab"}"#,
                "room:lobby",
            ),
            (
                r#"{"scope":"route:\/chat","nodeId":"9f2c0000000000ab"}"#,
                "route:/chat",
            ),
            (
                r#"{"nodeId":"9F2C0000000000AB","scope":"user:*:mail"}"#,
                "user:*:mail",
            ),
        ] {
            let expected = Message::Stale {
                scope: scope.into(),
                place: None,
            };
            assert_eq!(
                decode(text.as_bytes()),
                Ok(Some((NODE, expected))),
                "{text}"
            );
        }
    }

    #[test]
    fn a_scope_message_adds_only_numbers() {
        let message = Message::Stale {
            scope: "route:/chat".into(),
            place: Some(Place { epoch: 1, seq: 7 }),
        };
        assert_eq!(
            encode(NODE, &message),
            br#"{"scope":"route:/chat","nodeId":"9f2c0000000000ab","epoch":1,"seq":7}"#
        );
    }

    #[test]
    fn what_is_no_message_is_dropped() {
        let deep = format!("{{\"x\":{}1{}}}", "[".repeat(500), "]".repeat(500));
        let long = format!(
            "{{\"scope\":\"{}\",\"nodeId\":\"9f2c0000000000ab\"}}",
            "a".repeat(5000)
        );
        for (text, error) in [
            ("", RelayError::Malformed),
            ("[]", RelayError::Malformed),
            ("\u{0}", RelayError::Malformed),
            (r#"{"scope":"a"}"#, RelayError::NodeId),
            (
                r#"{"scope":["a"],"nodeId":"9f2c0000000000ab"}"#,
                RelayError::Malformed,
            ),
            (r#"{"scope":"a","nodeId":7}"#, RelayError::Malformed),
            (r#"{"scope":"a","nodeId":"9f2c"}"#, RelayError::NodeId),
            (
                r#"{"scope":"a","nodeId":"+f2c0000000000ab"}"#,
                RelayError::NodeId,
            ),
            (
                r#"{"scope":"a","nodeId":"9f2c0000000000ab","seq":-1}"#,
                RelayError::Malformed,
            ),
            (r#"{"nodeId":"9f2c0000000000ab"}"#, RelayError::Malformed),
            (
                r#"{"kind":"beacon","v":1,"nodeId":"9f2c0000000000ab"}"#,
                RelayError::Incomplete,
            ),
            (
                r#"{"kind":"all","v":1,"nodeId":"9f2c0000000000ab","seq":1}"#,
                RelayError::Incomplete,
            ),
            (&deep, RelayError::NodeId),
            (&long, RelayError::TooLong),
        ] {
            assert_eq!(decode(text.as_bytes()), Err(error), "{text:.60}");
        }
    }

    #[test]
    fn later_kinds_and_versions_are_not_for_us() {
        for text in [
            r#"{"kind":"snapshot","v":1,"nodeId":"9f2c0000000000ab"}"#,
            r#"{"kind":"beacon","v":2,"nodeId":"9f2c0000000000ab"}"#,
        ] {
            assert_eq!(decode(text.as_bytes()), Ok(None));
        }
    }

    #[test]
    fn a_build_name_is_bounded() {
        let beacon = |build: &str| {
            encode(
                NODE,
                &Message::Beacon(Beacon {
                    place: Place { epoch: 1, seq: 0 },
                    number: 1,
                    build: build.into(),
                    lag_us: 0,
                    hello: false,
                }),
            )
        };
        let bytes = beacon(&"é\n".repeat(100));
        let Ok(Some((_, Message::Beacon(read)))) = decode(&bytes) else {
            panic!("a beacon is read");
        };
        assert!(read.build.len() <= BUILD_MAX_BYTES && !read.build.contains('\n'));
    }

    fn message() -> impl Strategy<Value = Message<'static>> {
        let place = || (any::<u64>(), any::<u64>()).prop_map(|(epoch, seq)| Place { epoch, seq });
        prop_oneof![
            (".{0,60}", proptest::option::of(place())).prop_map(|(scope, place)| Message::Stale {
                scope: scope.into(),
                place
            }),
            place().prop_map(|place| Message::AllStale { place }),
            (
                place(),
                any::<u64>(),
                "[ -~]{0,60}",
                any::<u64>(),
                any::<bool>()
            )
                .prop_map(|(place, number, build, lag_us, hello)| Message::Beacon(
                    Beacon {
                        place,
                        number,
                        build: build.into(),
                        lag_us,
                        hello
                    }
                )),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(message in message(), node: u64) {
            let bytes = encode(NodeId(node), &message);
            prop_assert!(!bytes.contains(&b'\n') && !bytes.contains(&b'\r'));
            prop_assert_eq!(decode(&bytes), Ok(Some((NodeId(node), message))));
        }

        #[test]
        fn any_bytes_are_harmless(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }
}
