//! From a configuration to a running process, and to its end.
//!
//! The main thread only waits: for shards that fail, for signals, for the watchdog.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use autovia_shards::{Bell, Board, Switch};
use crossbeam_channel::{Receiver, Sender, after, select, unbounded};

use super::config::Config;
use super::counters::{COUNTERS, QUIET};
use super::link::ErrorHook;
use super::seating::{Seated, seat_all};
use super::tables::{Doors, Tables};
use super::{StartError, doctor, logging, watchdog};
use crate::broker::Broker;
use crate::page::App;
use crate::runtime::listener::bind;

/// Exit code when a shard died or hung.
const SHARD_LOST_EXIT_CODE: i32 = 70;

/// What defines the app, once per shard.
pub(crate) type Define = Arc<dyn Fn(&mut App) + Send + Sync>;

/// What the app says about links to other nodes.
#[derive(Default)]
pub(crate) struct Links {
    /// The broker, where no option names one.
    pub broker: Option<Box<dyn Broker>>,
    pub on_error: Option<ErrorHook>,
}

/// What threads tell the main thread.
pub(crate) enum Event {
    Ready,
    Failed(StartError),
    ShardDied(usize, String),
    ShardHangs(usize, Duration),
    LinkDied(String),
    LinkHangs,
    Signal(i32),
}

/// Runs the server to its end; returns the exit code.
pub(crate) fn run(config: Config, define: Define, links: Links) -> Result<i32, StartError> {
    let files = doctor::raise_open_files();
    doctor::raise_locked_memory();
    if let Some(refusal) = doctor::refuse(config.shards) {
        return Err(StartError::Machine(refusal));
    }
    let log = logging::init(&config).map_err(|error| {
        StartError::Machine(format!("no thread for the log could be started: {error}"))
    })?;
    logging::log_panics();
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let tables = Tables::choose(&config, files.got)?;
    tracing::info!(
        open_files = files.got,
        hard_limit = files.hard,
        descriptor_tables = tables.name(),
        "open files"
    );
    let scheme = if config.tls_cert.is_some() {
        "https"
    } else {
        "http"
    };
    let address = config.listen_address()?;
    let listeners =
        bind(address, config.shards).map_err(|error| config.listen_error(address, &error))?;
    let bound = listeners[0]
        .local_addr()
        .map_err(|error| config.listen_error(address, &error))?;

    let (events, inbox) = unbounded();
    let shards = config.shards;
    let drain_time = config.drain_time;
    let hang_time = config.hang_time;
    let board = Arc::new(Board::new(shards, COUNTERS));
    let draining = Arc::new(Switch::new());
    let doors = Doors { listeners, tables };
    // A handler writes to a number in the table of whichever thread it runs on: the pipes come first.
    watch_signals(&events)?;
    let seated = seat_all(config, doors, links, &board, &draining, &define, &events)?;
    for _ in 0..shards + usize::from(seated.link.is_some()) {
        match inbox.recv() {
            Ok(Event::Ready) => {}
            Ok(Event::Failed(error)) => return Err(error),
            Ok(Event::ShardDied(shard, text)) => {
                return Err(StartError::App(format!(
                    "shard {shard} died at start: {text}"
                )));
            }
            Ok(Event::LinkDied(text)) => {
                return Err(StartError::App(format!(
                    "the link shard died at start: {text}"
                )));
            }
            Ok(Event::Signal(_)) => return Ok(0),
            Ok(Event::ShardHangs(..) | Event::LinkHangs) | Err(_) => {}
        }
    }
    if let Some(parting) = &seated.parting {
        parting.close_rest();
    }
    watchdog::start(Arc::clone(&board), seated.link.clone(), hang_time, events)?;
    // A closed stdout is no reason not to serve.
    writeln!(std::io::stdout(), "autovia listening on {scheme}://{bound}").ok();
    std::io::stdout().flush().ok();
    tracing::info!(%bound, scheme, shards, "listening");

    let code = wait_for_end(&inbox, &board, &draining, &seated, drain_time);
    log.flush();
    Ok(code)
}

/// SIGTERM and SIGINT arrive as bytes on a socket that a thread reads.
fn watch_signals(events: &Sender<Event>) -> Result<(), StartError> {
    let machine =
        |error: std::io::Error| StartError::Machine(format!("signals can't be watched: {error}"));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        let (mut read, write) = std::os::unix::net::UnixStream::pair().map_err(machine)?;
        signal_hook::low_level::pipe::register(signal, write).map_err(machine)?;
        let events = events.clone();
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                let mut byte = [0];
                while std::io::Read::read_exact(&mut read, &mut byte).is_ok() {
                    events.send(Event::Signal(signal)).ok();
                }
            })
            .map_err(machine)?;
    }
    Ok(())
}

/// Waits until the process is to end; the exit code.
fn wait_for_end(
    inbox: &Receiver<Event>,
    board: &Board,
    draining: &Switch,
    seated: &Seated,
    drain_time: Duration,
) -> i32 {
    let deadline = loop {
        match inbox.recv() {
            Ok(Event::Signal(signal)) => {
                tracing::info!(signal, "leaving: no new connections, what runs is finished");
                draining.set();
                seated.bells.iter().for_each(Bell::ring);
                break Instant::now() + drain_time;
            }
            Ok(event) => {
                if let Some(code) = lost(&event) {
                    return code;
                }
            }
            Err(_) => return SHARD_LOST_EXIT_CODE,
        }
    };
    loop {
        // Twice in a row: work may be between two shards at the first look.
        let quiet =
            || (0..board.rows()).all(|shard| board.get(shard, QUIET) == 1) && seated.is_all_said();
        if quiet() {
            std::thread::yield_now();
            if quiet() {
                tracing::info!("left in order");
                return 0;
            }
        }
        if Instant::now() >= deadline {
            tracing::warn!("--drain-seconds are over: what still ran was cut off");
            return 0;
        }
        select! {
            recv(inbox) -> event => match event {
                Ok(Event::Signal(_)) => {
                    tracing::warn!("asked a second time: leaving at once");
                    return 0;
                }
                Ok(event) => if let Some(code) = lost(&event) { return code },
                Err(_) => return SHARD_LOST_EXIT_CODE,
            },
            recv(after(Duration::from_millis(10))) -> _ => {}
        }
    }
}

/// The line and the code for a shard that is lost: half a server is worse than none.
fn lost(event: &Event) -> Option<i32> {
    let line = match event {
        Event::ShardDied(shard, text) => {
            format!("autovia: shard {shard} died ({text}); the process ends")
        }
        Event::ShardHangs(shard, time) => {
            format!(
                "autovia: shard {shard} has not moved for {} s (--hang-seconds); the process ends",
                time.as_secs()
            )
        }
        Event::LinkDied(text) => {
            format!("autovia: the link shard died ({text}); the process ends")
        }
        Event::LinkHangs => {
            "autovia: the link shard has not moved for 2 s; the process ends".to_owned()
        }
        Event::Failed(error) => format!("autovia: {error}"),
        Event::Ready | Event::Signal(_) => return None,
    };
    tracing::error!("{line}");
    // With stderr closed there is nobody to tell.
    writeln!(std::io::stderr(), "{line}").ok();
    Some(SHARD_LOST_EXIT_CODE)
}
