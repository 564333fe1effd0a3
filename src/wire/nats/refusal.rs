//! What `-ERR` means. Only the texts that servers are known to send are told apart, and only names
//! of ours go on: a server's own words may hold subjects, accounts or addresses.

/// Why a server refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The login, with its code word.
    Login(&'static str),
    /// The right to publish.
    Publish,
    /// The right to subscribe.
    Subscribe,
    /// It waited for the login, or for an answer to its pings, for too long.
    Stale(&'static str),
    /// It wants TLS.
    TlsRequired,
    /// No room for one more of something; raise the named setting.
    Full {
        /// The code words.
        code: &'static str,
        /// The setting of the server.
        setting: &'static str,
    },
    /// A payload is longer than `max_payload`.
    PayloadTooLong,
    /// It could not send as fast as others publish, because this node reads slowly.
    SlowConsumer,
    /// It shuts down.
    ShuttingDown,
    /// It says that the protocol was broken here.
    Protocol(&'static str),
    /// Anything else.
    Unknown,
}

/// Starts of texts, in lower case. The longer of two that start alike comes first.
const KNOWN: [(&str, Refusal); 23] = [
    (
        "authorization violation",
        Refusal::Login("Authorization Violation"),
    ),
    (
        "authorization timeout",
        Refusal::Stale("Authorization Timeout"),
    ),
    (
        "authentication timeout",
        Refusal::Stale("Authentication Timeout"),
    ),
    (
        "authentication expired",
        Refusal::Login("Authentication Expired"),
    ),
    (
        "authentication revoked",
        Refusal::Login("Authentication Revoked"),
    ),
    (
        "user authentication expired",
        Refusal::Login("User Authentication Expired"),
    ),
    (
        "user authentication revoked",
        Refusal::Login("User Authentication Revoked"),
    ),
    (
        "account authentication expired",
        Refusal::Login("Account Authentication Expired"),
    ),
    ("permissions violation for publish", Refusal::Publish),
    ("permissions violation for subscription", Refusal::Subscribe),
    ("stale connection", Refusal::Stale("Stale Connection")),
    ("secure connection - tls required", Refusal::TlsRequired),
    (
        "maximum connections exceeded",
        Refusal::Full {
            code: "Maximum Connections Exceeded",
            setting: "max_connections",
        },
    ),
    (
        "maximum account active connections exceeded",
        Refusal::Full {
            code: "Maximum Account Active Connections Exceeded",
            setting: "the account's connections",
        },
    ),
    (
        "maximum subscriptions exceeded",
        Refusal::Full {
            code: "Maximum Subscriptions Exceeded",
            setting: "max_subscriptions",
        },
    ),
    ("maximum payload", Refusal::PayloadTooLong),
    (
        "maximum control line exceeded",
        Refusal::Protocol("Maximum Control Line Exceeded"),
    ),
    ("slow consumer", Refusal::SlowConsumer),
    ("server shutdown", Refusal::ShuttingDown),
    (
        "invalid publish subject",
        Refusal::Protocol("Invalid Publish Subject"),
    ),
    ("invalid subject", Refusal::Protocol("Invalid Subject")),
    (
        "unknown protocol operation",
        Refusal::Protocol("Unknown Protocol Operation"),
    ),
    ("parser error", Refusal::Protocol("Parser Error")),
];

impl Refusal {
    /// What the text of an `-ERR`, without its quotes, means.
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        KNOWN
            .iter()
            .find(|(start, _)| {
                text.get(..start.len())
                    .is_some_and(|text| text.eq_ignore_ascii_case(start.as_bytes()))
            })
            .map_or(Self::Unknown, |(_, refusal)| *refusal)
    }
}
