//! The command line: clap `Args`, to be flattened into the `Parser` of an app's own binary.
//!
//! Every field is empty until somebody says something, so that flag, environment, file and
//! default can be told apart. The environment is not clap's business here: an error has to name
//! the variable, and an unknown variable is an error too.

use std::path::PathBuf;

use super::broker::{parse_channel, parse_subject, parse_username};
use super::settings as s;
use super::value::{
    BrokerKind, DescriptorTables, LogFilter, LogFormat, ReadyWhen, TrustedOrigin, parse_switch,
};
use crate::secret::Secret;

const BROKER: &str = "Broker";
const PAGES: &str = "Life of a page";
const TLS: &str = "TLS";
const SAFETY: &str = "Sessions and origins";
const STREAMS: &str = "Streams";
const REQUESTS: &str = "Requests";
const STATE: &str = "State";

/// Options of the server; see the table in `docs/configuration.md`.
///
/// ```
/// use autovia::server::config::ServerArgs;
/// use clap::Parser;
///
/// #[derive(Parser)]
/// struct Args {
///     #[command(flatten)]
///     server: ServerArgs,
///     /// The app's own option
///     #[arg(long, default_value = "chat.db")]
///     database: String,
/// }
///
/// let args = Args::parse_from(["chat", "--port", "8080"]);
/// assert_eq!(args.server.port, Some(8080));
/// ```
#[derive(Debug, Clone, Default, clap::Args)]
#[command(about = None, long_about = None)]
pub struct ServerArgs {
    /// How many shards to run.
    #[arg(long, value_name = "N", value_parser = s::SHARDS.parser(), help = s::SHARDS.help())]
    pub shards: Option<u64>,
    /// How many descriptor tables there are.
    #[arg(long, value_name = "TABLES", value_enum, hide_short_help = true, help = s::DESCRIPTOR_TABLES.help())]
    pub descriptor_tables: Option<DescriptorTables>,
    /// Address to listen on.
    #[arg(long, value_name = "ADDRESS", help = s::HOST.help())]
    pub host: Option<String>,
    /// Port to listen on; 0 is any free one.
    #[arg(long, value_name = "PORT", value_parser = s::PORT.parser(), help = s::PORT.help())]
    pub port: Option<u64>,
    /// TOML file with options.
    #[arg(long, value_name = "FILE", help = s::CONFIG.help())]
    pub config: Option<PathBuf>,
    /// What is logged.
    #[arg(long, value_name = "LEVEL", value_parser = LogFilter::parse, help = s::LOG_LEVEL.help())]
    pub log_level: Option<LogFilter>,
    /// How a log line looks.
    #[arg(long, value_name = "FORMAT", value_enum, help = s::LOG_FORMAT.help())]
    pub log_format: Option<LogFormat>,
    /// Development mode.
    #[arg(long, value_name = "BOOL", value_parser = parse_switch, num_args = 0..=1, require_equals = true, default_missing_value = "true", help = s::DEV.help())]
    pub dev: Option<bool>,
    /// Folder of template files.
    #[arg(long, value_name = "FOLDER", help = s::TEMPLATE_DIR.help())]
    pub template_dir: Option<PathBuf>,

    /// What carries broadcasts.
    #[arg(long, value_name = "BROKER", value_enum, help_heading = BROKER, help = s::BROKER.help())]
    pub broker: Option<BrokerKind>,
    /// Where redis or nats is; never with a password.
    #[arg(long, value_name = "URL", value_parser = hidden, help_heading = BROKER, help = s::BROKER_URL.help())]
    pub broker_url: Option<Secret<String>>,
    /// Channel of redis.
    #[arg(long, value_name = "CHANNEL", value_parser = parse_channel, help_heading = BROKER, hide_short_help = true, help = s::BROKER_CHANNEL.help())]
    pub broker_channel: Option<String>,
    /// Subject of nats.
    #[arg(long, value_name = "SUBJECT", value_parser = parse_subject, help_heading = BROKER, hide_short_help = true, help = s::BROKER_SUBJECT.help())]
    pub broker_subject: Option<String>,
    /// User to log in as.
    #[arg(long, value_name = "NAME", value_parser = parse_username, help_heading = BROKER, hide_short_help = true, help = s::BROKER_USERNAME.help())]
    pub broker_username: Option<String>,
    /// File of the password.
    #[arg(long, value_name = "FILE", help_heading = BROKER, help = s::BROKER_PASSWORD_FILE.help())]
    pub broker_password_file: Option<PathBuf>,
    /// File of the token of nats.
    #[arg(long, value_name = "FILE", help_heading = BROKER, help = s::BROKER_TOKEN_FILE.help())]
    pub broker_token_file: Option<PathBuf>,
    /// Credentials file of nats.
    #[arg(long, value_name = "FILE", help_heading = BROKER, hide_short_help = true, help = s::BROKER_CREDS_FILE.help())]
    pub broker_creds_file: Option<PathBuf>,
    /// File of the seed of an nkey of nats.
    #[arg(long, value_name = "FILE", help_heading = BROKER, hide_short_help = true, help = s::BROKER_NKEY_FILE.help())]
    pub broker_nkey_file: Option<PathBuf>,
    /// TLS to the broker.
    #[arg(long, value_name = "BOOL", value_parser = parse_switch, num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = BROKER, help = s::BROKER_TLS.help())]
    pub broker_tls: Option<bool>,
    /// TLS before the first word of a nats server.
    #[arg(long, value_name = "BOOL", value_parser = parse_switch, num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = BROKER, hide_short_help = true, help = s::BROKER_TLS_FIRST.help())]
    pub broker_tls_first: Option<bool>,
    /// Certificates that vouch for the broker.
    #[arg(long, value_name = "FILE", help_heading = BROKER, hide_short_help = true, help = s::BROKER_CA_FILE.help())]
    pub broker_ca_file: Option<PathBuf>,
    /// Certificate of this server.
    #[arg(long, value_name = "FILE", help_heading = BROKER, hide_short_help = true, help = s::BROKER_CERT_FILE.help())]
    pub broker_cert_file: Option<PathBuf>,
    /// Key of that certificate.
    #[arg(long, value_name = "FILE", help_heading = BROKER, hide_short_help = true, help = s::BROKER_KEY_FILE.help())]
    pub broker_key_file: Option<PathBuf>,
    /// CPU of the link shard.
    #[arg(long, value_name = "CPU", value_parser = s::LINK_CORE.parser(), help_heading = BROKER, hide_short_help = true, help = s::LINK_CORE.help())]
    pub link_core: Option<u64>,
    /// When `/_ready` says yes.
    #[arg(long, value_name = "WHEN", value_enum, help_heading = BROKER, hide_short_help = true, help = s::READY_WHEN.help())]
    pub ready_when: Option<ReadyWhen>,

    /// Certificate of this server.
    #[arg(long, value_name = "FILE", help_heading = TLS, help = s::TLS_CERT.help())]
    pub tls_cert: Option<PathBuf>,
    /// Key of that certificate.
    #[arg(long, value_name = "FILE", help_heading = TLS, help = s::TLS_KEY.help())]
    pub tls_key: Option<PathBuf>,
    /// HTTP/2 beside HTTP/1.1.
    #[arg(long, value_name = "BOOL", value_parser = parse_switch, num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = TLS, hide_short_help = true, help = s::HTTP2.help())]
    pub http2: Option<bool>,
    /// How long browsers shall come by https alone; 0 is not said.
    #[arg(long, value_name = "SECONDS", value_parser = s::HSTS_SECONDS.parser(), help_heading = TLS, hide_short_help = true, help = s::HSTS_SECONDS.help())]
    pub hsts_seconds: Option<u64>,

    /// File of keys that sign session ids.
    #[arg(long, value_name = "FILE", help_heading = SAFETY, help = s::SESSION_KEY_FILE.help())]
    pub session_key_file: Option<PathBuf>,
    /// Cookies for https only.
    #[arg(long, value_name = "BOOL", value_parser = parse_switch, num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = SAFETY, help = s::SECURE_COOKIE.help())]
    pub secure_cookie: Option<bool>,

    /// No counters for the outside.
    #[arg(long, value_name = "BOOL", value_parser = parse_switch, num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = SAFETY, help = s::HIDE_METRICS.help())]
    pub hide_metrics: Option<bool>,

    /// Smaller pages and files.
    #[arg(long, value_name = "BOOL", value_parser = parse_switch, num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = PAGES, help = s::COMPRESS_PAGES.help())]
    pub compress_pages: Option<bool>,
    /// Smaller events.
    #[arg(long, value_name = "BOOL", value_parser = parse_switch, num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = STREAMS, help = s::COMPRESS_STREAMS.help())]
    pub compress_streams: Option<bool>,
    /// Origins that may send actions.
    #[arg(long, value_name = "ORIGIN", value_parser = TrustedOrigin::parse, value_delimiter = ',', help_heading = SAFETY, help = s::TRUSTED_ORIGIN.help())]
    pub trusted_origin: Vec<TrustedOrigin>,

    /// Heartbeat of idle streams; 0 is never.
    #[arg(long, value_name = "SECONDS", value_parser = s::HEARTBEAT_SECONDS.parser(), help_heading = STREAMS, hide_short_help = true, help = s::HEARTBEAT_SECONDS.help())]
    pub heartbeat_seconds: Option<u64>,
    /// Renders per second and scope; 0 is no bound.
    #[arg(long, value_name = "N", value_parser = s::SCOPE_RATE.parser(), help_heading = STREAMS, hide_short_help = true, help = s::SCOPE_RATE.help())]
    pub scope_rate: Option<u64>,
    /// Streams of one page.
    #[arg(long, value_name = "N", value_parser = s::STREAMS_PER_CONTEXT.parser(), help_heading = STREAMS, hide_short_help = true, help = s::STREAMS_PER_CONTEXT.help())]
    pub streams_per_context: Option<u64>,
    /// Bytes that may wait for one stream.
    #[arg(long, value_name = "BYTES", value_parser = s::OUTBOX_BYTES.parser(), help_heading = STREAMS, hide_short_help = true, help = s::OUTBOX_BYTES.help())]
    pub outbox_bytes: Option<u64>,
    /// Time that a slow reader is waited for.
    #[arg(long, value_name = "SECONDS", value_parser = s::OUTBOX_SECONDS.parser(), help_heading = STREAMS, hide_short_help = true, help = s::OUTBOX_SECONDS.help())]
    pub outbox_seconds: Option<u64>,

    /// Time from page to stream.
    #[arg(long, value_name = "SECONDS", value_parser = s::RENDER_SECONDS.parser(), help_heading = PAGES, hide_short_help = true, help = s::RENDER_SECONDS.help())]
    pub render_seconds: Option<u64>,
    /// Time without a stream until a page is parked.
    #[arg(long, value_name = "SECONDS", value_parser = s::AWAY_SECONDS.parser(), help_heading = PAGES, hide_short_help = true, help = s::AWAY_SECONDS.help())]
    pub away_seconds: Option<u64>,
    /// Time that a parked page is kept.
    #[arg(long, value_name = "SECONDS", value_parser = s::PARK_SECONDS.parser(), help_heading = PAGES, hide_short_help = true, help = s::PARK_SECONDS.help())]
    pub park_seconds: Option<u64>,
    /// Number of parked pages.
    #[arg(long, value_name = "N", value_parser = s::PARKED_MAX.parser(), help_heading = PAGES, hide_short_help = true, help = s::PARKED_MAX.help())]
    pub parked_max: Option<u64>,
    /// Pages of one session.
    #[arg(long, value_name = "N", value_parser = s::CONTEXTS_PER_SESSION.parser(), help_heading = PAGES, hide_short_help = true, help = s::CONTEXTS_PER_SESSION.help())]
    pub contexts_per_session: Option<u64>,
    /// Pages of all sessions.
    #[arg(long, value_name = "N", value_parser = s::CONTEXTS_MAX.parser(), help_heading = PAGES, hide_short_help = true, help = s::CONTEXTS_MAX.help())]
    pub contexts_max: Option<u64>,
    /// Time of one action.
    #[arg(long, value_name = "SECONDS", value_parser = s::ACTION_TIMEOUT_SECONDS.parser(), help_heading = PAGES, hide_short_help = true, help = s::ACTION_TIMEOUT_SECONDS.help())]
    pub action_timeout: Option<u64>,
    /// Waiting actions of one page.
    #[arg(long, value_name = "N", value_parser = s::ACTION_QUEUE.parser(), help_heading = PAGES, hide_short_help = true, help = s::ACTION_QUEUE.help())]
    pub action_queue: Option<u64>,
    /// Time of one load.
    #[arg(long, value_name = "SECONDS", value_parser = s::LOAD_TIMEOUT_SECONDS.parser(), help_heading = PAGES, hide_short_help = true, help = s::LOAD_TIMEOUT_SECONDS.help())]
    pub load_timeout: Option<u64>,

    /// Size of a request's head.
    #[arg(long, value_name = "BYTES", value_parser = s::HEADER_BYTES.parser(), help_heading = REQUESTS, hide_short_help = true, help = s::HEADER_BYTES.help())]
    pub header_bytes: Option<u64>,
    /// Size of a request's body.
    #[arg(long, value_name = "BYTES", value_parser = s::BODY_BYTES.parser(), help_heading = REQUESTS, hide_short_help = true, help = s::BODY_BYTES.help())]
    pub body_bytes: Option<u64>,
    /// Size of an action's JSON.
    #[arg(long, value_name = "BYTES", value_parser = s::SIGNALS_BYTES.parser(), help_heading = REQUESTS, hide_short_help = true, help = s::SIGNALS_BYTES.help())]
    pub signals_bytes: Option<u64>,
    /// Time for the head of a request.
    #[arg(long, value_name = "SECONDS", value_parser = s::HEADER_SECONDS.parser(), help_heading = REQUESTS, hide_short_help = true, help = s::HEADER_SECONDS.help())]
    pub header_seconds: Option<u64>,
    /// Time of an idle connection.
    #[arg(long, value_name = "SECONDS", value_parser = s::IDLE_SECONDS.parser(), help_heading = REQUESTS, hide_short_help = true, help = s::IDLE_SECONDS.help())]
    pub idle_seconds: Option<u64>,
    /// Time to leave in order.
    #[arg(long, value_name = "SECONDS", value_parser = s::DRAIN_SECONDS.parser(), hide_short_help = true, help = s::DRAIN_SECONDS.help())]
    pub drain_seconds: Option<u64>,
    /// Time until a silent shard ends the process.
    #[arg(long, value_name = "SECONDS", value_parser = s::HANG_SECONDS.parser(), hide_short_help = true, help = s::HANG_SECONDS.help())]
    pub hang_seconds: Option<u64>,

    /// Rows of the global state.
    #[arg(long, value_name = "N", value_parser = s::GLOBAL_ROWS.parser(), help_heading = STATE, hide_short_help = true, help = s::GLOBAL_ROWS.help())]
    pub global_rows: Option<u64>,
    /// Value size of the global state.
    #[arg(long, value_name = "BYTES", value_parser = s::GLOBAL_VALUE_BYTES.parser(), help_heading = STATE, hide_short_help = true, help = s::GLOBAL_VALUE_BYTES.help())]
    pub global_value_bytes: Option<u64>,
    /// Rows of the shared signals.
    #[arg(long, value_name = "N", value_parser = s::SHARED_ROWS.parser(), help_heading = STATE, hide_short_help = true, help = s::SHARED_ROWS.help())]
    pub shared_rows: Option<u64>,
    /// Value size of the shared signals.
    #[arg(long, value_name = "BYTES", value_parser = s::SHARED_VALUE_BYTES.parser(), help_heading = STATE, hide_short_help = true, help = s::SHARED_VALUE_BYTES.help())]
    pub shared_value_bytes: Option<u64>,
}

/// Takes any text: what is wrong with a URL is told later, in words that don't repeat it.
#[allow(clippy::unnecessary_wraps, reason = "the shape of a value parser")]
fn hidden(text: &str) -> Result<Secret<String>, std::convert::Infallible> {
    Ok(Secret::new(text.to_owned()))
}
