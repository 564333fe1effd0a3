//! The configuration: flag before environment before file before default, and every value knows
//! where it came from.
//!
//! [`ServerArgs`] is what the command line gives, [`ServerArgs::resolve`] adds the rest and
//! checks all of it, [`Config`] is the result in plain values. The options themselves are the
//! constants of [`settings`].

#![forbid(unsafe_code)]

mod args;
pub(super) mod broker;
mod checks;
mod error;
mod file;
mod layers;
mod listen;
mod nearest;
mod origin;
mod resolve;

mod session_keys;
mod setting;
pub mod settings;
mod surroundings;
#[cfg(test)]
mod tests;
mod tls;
mod value;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

pub use crate::secret::Secret;
pub use args::ServerArgs;
pub use broker::BrokerOptions;
pub use error::{ConfigError, USAGE_EXIT_CODE};
pub use listen::{ListenError, START_EXIT_CODE};
pub use origin::Origin;
pub use session_keys::{
    KeyFileError, SESSION_KEY_BYTES, SESSION_KEYS_MAX, SessionKeys, parse_session_keys,
};
pub use setting::{ENV_PREFIX, Number, Problem, Text, env_name};
pub use surroundings::{Cpus, Surroundings, ThisProcess};
pub use value::{BrokerKind, DescriptorTables, LogFilter, LogFormat, ReadyWhen, TrustedOrigin};

/// The configuration of a server, checked, in plain values.
///
/// A field is named as its flag; `…_seconds` of a flag is `…_time` here. What a flag can switch
/// off is an `Option`.
#[derive(Debug, Clone)]
pub struct Config {
    /// How many shards to run, at least one.
    pub shards: usize,
    /// How many descriptor tables there are.
    pub descriptor_tables: DescriptorTables,
    /// CPUs that shards may be pinned to, in rising order, at least one.
    pub cpus: Vec<usize>,
    /// Address or name to listen on; [`Config::listen_address`] resolves it.
    pub host: String,
    /// Port to listen on; 0 is any free one.
    pub port: u16,
    /// The file that was read.
    pub config: Option<PathBuf>,
    /// What is logged.
    pub log_level: LogFilter,
    /// How a log line looks.
    pub log_format: LogFormat,
    /// Development mode.
    pub dev: bool,
    /// What carries broadcasts.
    pub broker: BrokerKind,
    /// How that broker is reached; empty unless it is redis or nats.
    pub broker_options: BrokerOptions,
    /// CPU of the link shard; `None` is any.
    pub link_core: Option<usize>,
    /// When `/_ready` says yes.
    pub ready_when: ReadyWhen,
    /// Folder of template files.
    pub template_dir: Option<PathBuf>,
    /// Certificate chain of this server, in PEM; with it, the port speaks TLS alone.
    pub tls_cert: Option<PathBuf>,
    /// Key of that certificate; there if and only if that is.
    pub tls_key: Option<PathBuf>,
    /// HTTP/2 is spoken, where TLS is.
    pub http2: bool,
    /// How long browsers are told to come by https alone; `None` is not at all.
    pub hsts_time: Option<Duration>,
    /// Keys that sign session ids; without them, the server draws one.
    pub session_keys: Option<SessionKeys>,
    /// Cookies for https only.
    pub secure_cookie: bool,
    /// `/_metrics` is answered with 404.
    pub hide_metrics: bool,
    /// Pages and files are compressed for browsers that take it.
    pub compress_pages: bool,
    /// Events are compressed for browsers that take it.
    pub compress_streams: bool,
    /// Origins that may send actions; empty is the request's own host.
    pub trusted_origins: Vec<TrustedOrigin>,
    /// Heartbeat of idle streams; `None` is never.
    pub heartbeat_time: Option<Duration>,
    /// Renders per second and scope; `None` is no bound.
    pub scope_rate: Option<u32>,
    /// Time to leave in order.
    pub drain_time: Duration,
    /// Time until a silent shard ends the process.
    pub hang_time: Duration,
    /// Time without a stream until a page is parked.
    pub away_time: Duration,
    /// Time that a parked page is kept; zero is not at all.
    pub park_time: Duration,
    /// Number of parked pages, over all shards.
    pub parked_max: usize,
    /// Time from page to stream.
    pub render_time: Duration,
    /// Time of one action.
    pub action_timeout: Duration,
    /// Waiting actions of one page.
    pub action_queue: usize,
    /// Time of one load.
    pub load_timeout: Duration,
    /// Pages of one session.
    pub contexts_per_session: usize,
    /// Pages of all sessions, over all shards.
    pub contexts_max: usize,
    /// Streams of one page.
    pub streams_per_context: usize,
    /// Bytes that may wait for one stream.
    pub outbox_bytes: usize,
    /// Time that a slow reader is waited for.
    pub outbox_time: Duration,
    /// Size of a request's head.
    pub header_bytes: usize,
    /// Size of a request's body.
    pub body_bytes: usize,
    /// Size of an action's JSON; never more than `body_bytes`.
    pub signals_bytes: usize,
    /// Time for the head of a request.
    pub header_time: Duration,
    /// Time of an idle connection.
    pub idle_time: Duration,
    /// Rows of the global state.
    pub global_rows: usize,
    /// Value size of the global state.
    pub global_value_bytes: usize,
    /// Rows of the shared signals.
    pub shared_rows: usize,
    /// Value size of the shared signals.
    pub shared_value_bytes: usize,
    /// What is allowed but probably not meant, one line each; to be logged at start.
    pub warnings: Vec<String>,
    origins: BTreeMap<&'static str, Origin>,
}

impl Config {
    /// What holds when nobody says anything, with one shard; reads nothing of this machine.
    pub fn defaults() -> Self {
        ServerArgs::default()
            .resolve_with(&surroundings::Nothing)
            .expect("the defaults are a valid configuration")
    }

    /// Where the value of an option came from, by its name as in `port`.
    pub fn origin(&self, name: &str) -> &Origin {
        self.origins.get(name).unwrap_or(&Origin::Default)
    }
}
