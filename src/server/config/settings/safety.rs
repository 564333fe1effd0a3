//! What keeps strangers out: keys, certificates, cookies, origins.

use super::super::setting::{Number, Text};
use super::DAY_SECONDS;

/// Keys that sign session ids.
pub const SESSION_KEY_FILE: Text = Text::new(
    "session-key-file",
    "a path",
    "none: a key that lives as long as this process",
    "file of lines of 64 hex digits that sign session ids: the first signs, all are accepted",
);

/// The server's certificate.
pub const TLS_CERT: Text = Text::new(
    "tls-cert",
    "a path",
    "none: plain HTTP",
    "PEM file of this server's certificate chain, its own first: the port then speaks TLS alone; read again when it changes",
);

/// The key of that certificate.
pub const TLS_KEY: Text = Text::new(
    "tls-key",
    "a path",
    "none",
    "PEM file of the key of that certificate, without a passphrase; read again when it changes",
);

/// HTTP/2 beside HTTP/1.1.
pub const HTTP2: Text = Text::new(
    "http2",
    "true, false",
    "true",
    "with TLS, speak HTTP/2 with clients that can: browsers then have no limit of six connections",
);

/// How long browsers are told to come by https alone.
pub const HSTS_SECONDS: Number = Number::new(
    "hsts-seconds",
    "seconds",
    0,
    0..=2 * 365 * DAY_SECONDS,
    "with TLS, for how long browsers shall come to this host by https alone (Strict-Transport-Security)",
)
.zero_means("not sent");

/// Whether cookies are only for https.
pub const SECURE_COOKIE: Text = Text::new(
    "secure-cookie",
    "true, false",
    "false; true with tls-cert",
    "session cookie for https only: Secure, and named with __Host-",
);

/// Origins that may post.
pub const TRUSTED_ORIGIN: Text = Text::new(
    "trusted-origin",
    "a list of scheme://host[:port]",
    "none: the request's own host",
    "origin that may send actions, instead of the request's own host; repeat it or use commas",
);

/// Whether the counters are for nobody.
pub const HIDE_METRICS: Text = Text::new(
    "hide-metrics",
    "true, false",
    "false",
    "answer /_metrics, the counters of this node in Prometheus' format, with 404",
);
