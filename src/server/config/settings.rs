//! Every option of the server: the one table that flags, variables, keys, help and docs share.
//!
//! Numbers that bound something are the limits of the server; whoever enforces one names it in
//! its error by [`Number::limit_text`].

mod broker;
mod life;
mod safety;
mod sizes;

pub use super::setting::Setting;
pub use broker::*;
pub use life::*;
pub use safety::*;
pub use sizes::*;

use super::setting::{Number, Text};

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
