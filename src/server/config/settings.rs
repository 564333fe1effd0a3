//! Every option of the server: the one table that flags, variables, keys, help and docs share.
//!
//! Numbers that bound something are the limits of the server; whoever enforces one names it in
//! its error by [`Number::limit_text`].

mod broker;

pub use super::setting::Setting;
pub use broker::*;

use super::setting::{Number, Text};

/// Smallest value of a table row, in bytes: one word.
const VALUE_MIN_BYTES: u64 = 8;
const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;
const HOUR_SECONDS: u64 = 3600;
const DAY_SECONDS: u64 = 24 * HOUR_SECONDS;

/// Shards of this process.
pub const SHARDS: Number = Number::new(
    "shards",
    "shards",
    1,
    1..=1024,
    "how many shards to run; each is one pinned thread",
)
.found_at_start("one per CPU that this process may use");

/// How many descriptor tables there are.
pub const DESCRIPTOR_TABLES: Text = Text::new(
    "descriptor-tables",
    "auto, shared, per-shard",
    "auto",
    "which descriptor tables shards have: one for all (shared), one each (per-shard), or (auto) one each only where the hard limit of open files is below 65536",
);

/// Address to listen on.
pub const HOST: Text = Text::new(
    "host",
    "an IP address or a name",
    "127.0.0.1",
    "address to listen on; 0.0.0.0 or :: is every address of this machine",
);

/// Port to listen on.
pub const PORT: Number =
    Number::new("port", "port", 3000, 0..=65_535, "port to listen on").zero_means("any free port");

/// Which events are logged.
pub const LOG_LEVEL: Text = Text::new(
    "log-level",
    "error, warn, info, debug, trace, off, or directives as in info,autovia=debug",
    "info",
    "what is logged: error, warn, info, debug, trace, off, or directives as in info,autovia=debug",
);

/// How a log line looks.
pub const LOG_FORMAT: Text = Text::new("log-format", "text, json", "text", "how a log line looks");

/// Development mode.
pub const DEV: Text = Text::new(
    "dev",
    "true, false",
    "false",
    "development mode: requests without an Origin are let in; never in production",
);

/// Configuration file.
pub const CONFIG: Text = Text::new(
    "config",
    "a path",
    "none",
    "TOML file with any of these options as keys",
);

/// Comment heartbeat of idle streams.
pub const HEARTBEAT_SECONDS: Number = Number::new(
    "heartbeat-seconds",
    "seconds",
    45,
    0..=HOUR_SECONDS,
    "a stream that carried nothing for so long gets a comment line, so that proxies keep it open",
)
.zero_means("never");

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

/// Whether pages and files are compressed.
pub const COMPRESS_PAGES: Text = Text::new(
    "compress-pages",
    "true, false",
    "true",
    "compress pages and files for browsers that take zstd, br or gzip",
);

/// Whether streams are compressed.
pub const COMPRESS_STREAMS: Text = Text::new(
    "compress-streams",
    "true, false",
    "false",
    "compress events for browsers that take gzip: each once for all streams that carry it",
);

/// Whether the counters are for nobody.
pub const HIDE_METRICS: Text = Text::new(
    "hide-metrics",
    "true, false",
    "false",
    "answer /_metrics, the counters of this node in Prometheus' format, with 404",
);

/// Origins that may post.
pub const TRUSTED_ORIGIN: Text = Text::new(
    "trusted-origin",
    "a list of scheme://host[:port]",
    "none: the request's own host",
    "origin that may send actions, instead of the request's own host; repeat it or use commas",
);

/// Top speed of one scope.
pub const SCOPE_RATE: Number = Number::new(
    "scope-rate",
    "per second",
    30,
    0..=1000,
    "how often per second a scope renders at most; the last state always gets through",
)
.zero_means("no bound");

/// Rows of the global state.
pub const GLOBAL_ROWS: Number = Number::new(
    "global-rows",
    "rows",
    1024,
    1..=16_777_216,
    "how many keys the global state can hold",
);

/// Size of one value of the global state.
pub const GLOBAL_VALUE_BYTES: Number = Number::new(
    "global-value-bytes",
    "bytes",
    4 * KIB,
    VALUE_MIN_BYTES..=MIB,
    "largest value of the global state",
);

/// Rows of the shared signals.
pub const SHARED_ROWS: Number = Number::new(
    "shared-rows",
    "rows",
    64 * KIB,
    1..=16_777_216,
    "how many shared signals can live at once, each counted once per scope",
);

/// Size of one value of a shared signal.
pub const SHARED_VALUE_BYTES: Number = Number::new(
    "shared-value-bytes",
    "bytes",
    256,
    VALUE_MIN_BYTES..=64 * KIB,
    "largest value of a shared signal",
);

/// Time to leave in order.
pub const DRAIN_SECONDS: Number = Number::new(
    "drain-seconds",
    "seconds",
    10,
    0..=HOUR_SECONDS,
    "at SIGTERM or SIGINT, how long running actions may take to end",
)
.zero_means("leave at once");

/// Time after which a silent shard is taken for dead.
pub const HANG_SECONDS: Number = Number::new(
    "hang-seconds",
    "seconds",
    10,
    1..=HOUR_SECONDS,
    "a shard that did not move for so long ends the process",
);

/// Time after which a page without a stream is parked.
pub const AWAY_SECONDS: Number = Number::new(
    "away-seconds",
    "seconds",
    30,
    1..=DAY_SECONDS,
    "how long a page without a stream (hidden tab, lost network) still counts as present",
);

/// Time that a parked page is kept.
pub const PARK_SECONDS: Number = Number::new(
    "park-seconds",
    "seconds",
    600,
    0..=7 * DAY_SECONDS,
    "how long an absent page is kept, so that it can come back without a reload",
)
.zero_means("not at all");

/// Number of parked pages.
pub const PARKED_MAX: Number = Number::new(
    "parked-max",
    "pages",
    100_000,
    0..=100_000_000,
    "how many absent pages are kept; beyond, the oldest go",
);

/// Time between a page and its first stream.
pub const RENDER_SECONDS: Number = Number::new(
    "render-seconds",
    "seconds",
    30,
    1..=HOUR_SECONDS,
    "how long a page that was delivered waits for its first stream",
);

/// Time that an action may take.
pub const ACTION_TIMEOUT_SECONDS: Number = Number::new(
    "action-timeout",
    "seconds",
    30,
    1..=HOUR_SECONDS,
    "how long one action may run",
);

/// Number of actions of one page that may wait.
pub const ACTION_QUEUE: Number = Number::new(
    "action-queue",
    "actions",
    64,
    1..=65_536,
    "how many actions of one page may wait for their turn; beyond, 429",
);

/// Time that loading data may take.
pub const LOAD_TIMEOUT_SECONDS: Number = Number::new(
    "load-timeout",
    "seconds",
    10,
    1..=HOUR_SECONDS,
    "how long one load of a page's data may run",
);

/// Size of a request's head.
pub const HEADER_BYTES: Number = Number::new(
    "header-bytes",
    "bytes",
    16 * KIB,
    KIB..=MIB,
    "largest head of a request: request line and headers; beyond, 431",
);

/// Size of a request's body.
pub const BODY_BYTES: Number = Number::new(
    "body-bytes",
    "bytes",
    MIB,
    KIB..=GIB,
    "largest body of a request; beyond, 413",
);

/// Size of the signals of an action.
pub const SIGNALS_BYTES: Number = Number::new(
    "signals-bytes",
    "bytes",
    64 * KIB,
    KIB..=16 * MIB,
    "largest JSON of an action's inputs and arguments; beyond, 413; lowered to body-bytes where that is less",
);

/// Pages of one session.
pub const CONTEXTS_PER_SESSION: Number = Number::new(
    "contexts-per-session",
    "pages",
    100,
    1..=1_000_000,
    "how many open pages one session may have; the next replaces the oldest without a stream, else 429; lowered to contexts-max where that is less",
);

/// Pages of all sessions.
pub const CONTEXTS_MAX: Number = Number::new(
    "contexts-max",
    "pages",
    1_000_000,
    1..=100_000_000,
    "how many open pages this process holds; beyond, 503",
);

/// Streams of one page.
pub const STREAMS_PER_CONTEXT: Number = Number::new(
    "streams-per-context",
    "streams",
    8,
    1..=1024,
    "how many streams one page may have; the next one closes the oldest, at most once in 10 s, else 429",
);

/// Bytes that wait for a slow reader.
pub const OUTBOX_BYTES: Number = Number::new(
    "outbox-bytes",
    "bytes",
    256 * KIB,
    4 * KIB..=64 * MIB,
    "how many bytes may wait for one stream; beyond, older patches become one fresh rendering",
);

/// Time that a slow reader is waited for.
pub const OUTBOX_SECONDS: Number = Number::new(
    "outbox-seconds",
    "seconds",
    10,
    1..=HOUR_SECONDS,
    "a stream that took nothing for so long while bytes wait is closed; its page comes back",
);

/// Time to send a request's head.
pub const HEADER_SECONDS: Number = Number::new(
    "header-seconds",
    "seconds",
    10,
    1..=300,
    "how long a client may take to send the head of a request",
);

/// Time that a kept-alive connection may idle.
pub const IDLE_SECONDS: Number = Number::new(
    "idle-seconds",
    "seconds",
    75,
    1..=HOUR_SECONDS,
    "how long a connection without a request is kept open",
);

/// Folder of template files.
pub const TEMPLATE_DIR: Text = Text::new(
    "template-dir",
    "a path",
    "none",
    "folder of the files that page.template names",
);

/// All options, in the order in which help and docs show them.
pub const SETTINGS: &[Setting] = &[
    Setting::Number(&SHARDS),
    Setting::Text(&DESCRIPTOR_TABLES),
    Setting::Text(&HOST),
    Setting::Number(&PORT),
    Setting::Text(&CONFIG),
    Setting::Text(&LOG_LEVEL),
    Setting::Text(&LOG_FORMAT),
    Setting::Text(&DEV),
    Setting::Text(&BROKER),
    Setting::Text(&BROKER_URL),
    Setting::Text(&BROKER_CHANNEL),
    Setting::Text(&BROKER_SUBJECT),
    Setting::Text(&BROKER_USERNAME),
    Setting::Secret(&BROKER_PASSWORD),
    Setting::Text(&BROKER_PASSWORD_FILE),
    Setting::Secret(&BROKER_TOKEN),
    Setting::Text(&BROKER_TOKEN_FILE),
    Setting::Text(&BROKER_CREDS_FILE),
    Setting::Text(&BROKER_NKEY_FILE),
    Setting::Text(&BROKER_TLS),
    Setting::Text(&BROKER_TLS_FIRST),
    Setting::Text(&BROKER_CA_FILE),
    Setting::Text(&BROKER_CERT_FILE),
    Setting::Text(&BROKER_KEY_FILE),
    Setting::Number(&LINK_CORE),
    Setting::Text(&READY_WHEN),
    Setting::Text(&TEMPLATE_DIR),
    Setting::Text(&TLS_CERT),
    Setting::Text(&TLS_KEY),
    Setting::Text(&HTTP2),
    Setting::Number(&HSTS_SECONDS),
    Setting::Text(&SESSION_KEY_FILE),
    Setting::Text(&SECURE_COOKIE),
    Setting::Text(&HIDE_METRICS),
    Setting::Text(&COMPRESS_PAGES),
    Setting::Text(&COMPRESS_STREAMS),
    Setting::Text(&TRUSTED_ORIGIN),
    Setting::Number(&HEARTBEAT_SECONDS),
    Setting::Number(&SCOPE_RATE),
    Setting::Number(&DRAIN_SECONDS),
    Setting::Number(&HANG_SECONDS),
    Setting::Number(&AWAY_SECONDS),
    Setting::Number(&PARK_SECONDS),
    Setting::Number(&PARKED_MAX),
    Setting::Number(&RENDER_SECONDS),
    Setting::Number(&ACTION_TIMEOUT_SECONDS),
    Setting::Number(&ACTION_QUEUE),
    Setting::Number(&LOAD_TIMEOUT_SECONDS),
    Setting::Number(&CONTEXTS_PER_SESSION),
    Setting::Number(&CONTEXTS_MAX),
    Setting::Number(&STREAMS_PER_CONTEXT),
    Setting::Number(&OUTBOX_BYTES),
    Setting::Number(&OUTBOX_SECONDS),
    Setting::Number(&HEADER_BYTES),
    Setting::Number(&BODY_BYTES),
    Setting::Number(&SIGNALS_BYTES),
    Setting::Number(&HEADER_SECONDS),
    Setting::Number(&IDLE_SECONDS),
    Setting::Number(&GLOBAL_ROWS),
    Setting::Number(&GLOBAL_VALUE_BYTES),
    Setting::Number(&SHARED_ROWS),
    Setting::Number(&SHARED_VALUE_BYTES),
];
