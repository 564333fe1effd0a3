//! Starting, watching and stopping the server.

mod actions;
pub mod config;
mod counters;
mod crowd;
mod deflate;
mod dispatch;
pub mod doctor;
mod failure;
mod handover;
mod health;
mod life;
mod link;
mod loads;
pub mod logging;
mod metrics;
mod opening;
mod outbox;
mod pages;
mod parcel;
mod periods;
mod resting;
mod seat;
mod seating;
mod shard;
mod start;
mod streams;
mod tables;
mod tls;
mod turn;
mod watchdog;

use std::io::Write;
use std::sync::Arc;

use clap::Parser;

use crate::broker::{Broker, BrokerError};
use crate::page::App;
use config::{Config, ConfigError, ListenError, ServerArgs};
use start::Links;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("{0}")]
    Machine(String),
    #[error("{0}")]
    App(String),
}

impl StartError {
    fn exit_code(&self) -> i32 {
        match self {
            Self::Config(error) => error.exit_code(),
            Self::Listen(error) => error.exit_code(),
            Self::Machine(_) | Self::App(_) => 1,
        }
    }
}

/// A server that is about to run.
pub struct Server {
    args: ServerArgs,
    links: Links,
}

impl Server {
    /// A server with the options of a command line: [`ServerArgs`] can be flattened into the
    /// app's own clap parser.
    #[must_use]
    pub fn from_args(args: ServerArgs) -> Self {
        Self {
            args,
            links: Links::default(),
        }
    }

    /// What carries broadcasts, where neither the command line nor the environment nor the file
    /// names a broker.
    ///
    /// ```no_run
    /// use autovia::broker::RedisBroker;
    /// use autovia::{Server, ServerArgs};
    ///
    /// Server::from_args(ServerArgs::default())
    ///     .broker(RedisBroker::new("redis.internal", 6379).channel("myapp:broadcast"))
    ///     .run(|app| app.page("/", |page| page.view(|_| autovia::Html::text("hello"))));
    /// ```
    #[must_use]
    pub fn broker(mut self, broker: impl Broker) -> Self {
        self.links.broker = Some(Box::new(broker));
        self
    }

    /// Runs `hook` for each link to the broker that is lost and each attempt that fails, on a
    /// thread of its own. The error holds no secret.
    #[must_use]
    pub fn on_broker_error(mut self, hook: impl Fn(&BrokerError) + Send + Sync + 'static) -> Self {
        self.links.on_error = Some(Arc::new(hook));
        self
    }

    /// Runs the app and ends the process: with 0 after SIGTERM or SIGINT, with 1 when it could
    /// not start, with 2 for a configuration that can't be used, with 70 when a shard was lost.
    /// What went wrong is one line on stderr.
    ///
    /// `define` runs once per shard, before the first request.
    pub fn run(self, define: impl Fn(&mut App) + Send + Sync + 'static) -> ! {
        let ended = self
            .args
            .resolve()
            .map_err(StartError::from)
            .and_then(|config: Config| start::run(config, Arc::new(define), self.links));
        let code = ended.unwrap_or_else(|error| {
            // With stderr closed there is nobody to tell.
            writeln!(std::io::stderr(), "autovia: {error}").ok();
            error.exit_code()
        });
        std::process::exit(code)
    }
}

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    server: ServerArgs,
}

/// Runs an app with the options of the command line, the environment and the configuration file;
/// ends the process as [`Server::run`] does.
///
/// ```no_run
/// autovia::run(|app| app.page("/", |page| page.view(|_| autovia::Html::text("hello"))));
/// ```
pub fn run(define: impl Fn(&mut App) + Send + Sync + 'static) -> ! {
    Server::from_args(Cli::parse().server).run(define)
}
