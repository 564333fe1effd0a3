//! From a configuration to a running process, and to its end.
//!
//! The main thread only waits: for shards that fail, for signals, for the watchdog.

use std::collections::hash_map::RandomState;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use autovia_shards::{Bell, Board, MeshConfig, SlotTable, Switch, mesh};
use crossbeam_channel::{Receiver, Sender, after, select, unbounded};

use super::config::Origin;
use super::config::{BrokerKind, Config};
use super::counters::{self, COUNTERS, QUIET};
use super::link::{self, ErrorHook, LinkSeat};
use super::parcel::Parcel;
use super::seat::{Seat, sit};
use super::shard::Common;
use super::tables::{Doors, Tables};
use super::{StartError, doctor, logging, tls, watchdog};
use crate::broker::{Broker, InMemoryBroker, MeshBroker, Reach};
use crate::page::App;
use crate::runtime::blocking::Pool;
use crate::runtime::listener::bind;
use crate::runtime::tables::Parting;
use crate::runtime::wake::WakeFd;
use crate::runtime::{Unwound, random};
use crate::scope::Crossing;
use crate::wire::relay::NodeId;
use crate::wire::session::SessionKeys;

/// Exit code when a shard died or hung.
const SHARD_LOST_EXIT_CODE: i32 = 70;

/// The stack of a shard's thread: handlers of the app run on it.
const SHARD_STACK_BYTES: usize = 4 * 1024 * 1024;

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

/// The threads that were started.
struct Seated {
    bells: Vec<Bell>,
    /// The link shard's counters.
    link: Option<Arc<Board>>,
    /// Where shards have descriptor tables of their own.
    parting: Option<Parting>,
}

impl Seated {
    /// What was published came back, or has no link to go by.
    fn is_all_said(&self) -> bool {
        self.link.as_ref().is_none_or(|link| {
            link.get(0, counters::link::WAITING) == 0 || link.get(0, counters::link::CONNECTED) == 0
        })
    }
}

/// Starts a thread per shard, and one for the link if there is one.
fn seat_all(
    config: Config,
    doors: Doors,
    links: Links,
    board: &Arc<Board>,
    draining: &Arc<Switch>,
    define: &Define,
    events: &Sender<Event>,
) -> Result<Seated, StartError> {
    let shards = config.shards;
    let cpus = config.cpus.clone();
    let machine =
        |what: &str, error: &dyn std::fmt::Display| StartError::Machine(format!("{what}: {error}"));
    let broker = choose_broker(&config, links.broker)?;
    let driver = broker.driver();
    let linked = broker.reach() == Reach::Nodes;
    let members = shards + usize::from(linked);
    let mut wakes: Vec<WakeFd> = (0..members)
        .map(|_| WakeFd::new())
        .collect::<Result<_, _>>()
        .map_err(|error| machine("no descriptor for a doorbell", &error))?;
    let rings: Vec<Box<dyn Fn() + Send + Sync>> = wakes
        .iter()
        .cloned()
        .map(|wake| Box::new(move || wake.ring()) as Box<dyn Fn() + Send + Sync>)
        .collect();
    let mut endpoints = mesh::<Parcel>(rings, MeshConfig::default());
    let (parting, own_tables) = doors
        .own_tables(members)
        .map_err(|error| machine("no descriptors for mailboxes between shards", &error))?;
    let keys = match &config.session_keys {
        Some(keys) => SessionKeys::new(keys.expose().clone()),
        None => SessionKeys::new(vec![random::bytes()]),
    };
    let keys = keys.map_err(|error| StartError::App(error.to_string()))?;

    let key = || {
        [
            u64::from_le_bytes(random::bytes()),
            u64::from_le_bytes(random::bytes()),
        ]
    };
    let globals = Arc::new(SlotTable::new(
        config.global_rows,
        config.global_value_bytes,
        key(),
    ));
    let shared = Arc::new(SlotTable::new(
        config.shared_rows,
        config.shared_value_bytes,
        key(),
    ));
    let pool = Pool::start().map_err(|error| machine("no threads for blocking work", &error))?;
    let crossing = match (linked, &config.session_keys) {
        (false, _) => Crossing::Nothing,
        (true, Some(_)) => Crossing::All,
        (true, None) => {
            tracing::info!(
                "broadcasts to Scope::SESSION stay on this node: they cross nodes that share a --session-key-file"
            );
            Crossing::AllButSessions
        }
    };
    let link_cpu = config.link_core;
    let link = linked.then(|| Arc::new(Board::new(1, counters::link::COUNTERS)));
    let node_id = NodeId(u64::from_le_bytes(random::bytes()));
    let tls = tls::start(&config)?;
    let hsts = config
        .hsts_time
        .map(|time| format!("max-age={}", time.as_secs()));
    let common = Arc::new(Common {
        config,
        tls,
        hsts,
        link: link.clone(),
        foreign_page: Switch::new(),
        node: node_id,
        board: Arc::clone(board),
        keys,
        driver,
    });
    let hasher = RandomState::new();
    let node = u32::from_le_bytes(random::bytes());
    let bells = (0..members)
        .map(|member| endpoints[0].bell(member))
        .collect::<Vec<_>>();
    if let Some(board) = &link {
        let seat = LinkSeat {
            cpu: link_cpu,
            endpoint: endpoints.pop().expect("the link is the last member"),
            wake: wakes.pop().expect("the link is the last member"),
            bell: bells[shards].clone(),
            pool: pool.clone(),
            parting: parting.clone(),
            broker,
            node: node_id,
            board: Arc::clone(board),
            hasher: hasher.clone(),
            hook: links.on_error,
            events: events.clone(),
        };
        start_thread("link".to_owned(), events, Event::LinkDied, move || {
            link::sit(seat)
        })?;
    }
    for ((((id, listener), endpoint), wake), own_table) in (0..shards)
        .zip(doors.listeners)
        .zip(endpoints)
        .zip(wakes)
        .zip(own_tables)
    {
        let seat = Seat {
            id,
            cpu: cpus[id % cpus.len()],
            listener,
            bell: bells[id].clone(),
            endpoint,
            wake,
            own_table,
            hasher: hasher.clone(),
            globals: Arc::clone(&globals),
            shared: Arc::clone(&shared),
            node,
            crossing,
            common: Arc::clone(&common),
            pool: pool.clone(),
            draining: Arc::clone(draining),
            define: Arc::clone(define),
            events: events.clone(),
        };
        let died = move |text| Event::ShardDied(id, text);
        start_thread(format!("shard-{id}"), events, died, move || sit(seat))?;
    }
    Ok(Seated {
        bells,
        link,
        parting,
    })
}

/// Starts a thread whose end, however it comes, is told to the main thread.
fn start_thread(
    name: String,
    events: &Sender<Event>,
    died: impl FnOnce(String) -> Event + Send + 'static,
    life: impl FnOnce() -> Result<(), StartError> + Send + 'static,
) -> Result<(), StartError> {
    let events = events.clone();
    std::thread::Builder::new()
        .name(name)
        .stack_size(SHARD_STACK_BYTES)
        .spawn(move || {
            let event = match catch_unwind(AssertUnwindSafe(life)) {
                Ok(Ok(())) => died("its executor ended".to_owned()),
                Ok(Err(error)) => Event::Failed(error),
                Err(payload) => died(Unwound::of(&*payload).text),
            };
            // The main thread is gone only when the process ends.
            events.send(event).ok();
        })
        .map(drop)
        .map_err(|error| StartError::Machine(format!("no thread for a shard: {error}")))
}

/// The broker that an option names, else the app's, else what fits the number of shards.
fn choose_broker(
    config: &Config,
    apps: Option<Box<dyn Broker>>,
) -> Result<Box<dyn Broker>, StartError> {
    let said = *config.origin("broker") != Origin::Default;
    let broker: Box<dyn Broker> = match (super::config::broker::build(config)?, apps) {
        (Some(reaching), _) => reaching,
        (None, Some(broker)) if !said => broker,
        (None, _) if config.broker == BrokerKind::Memory => Box::new(InMemoryBroker),
        (None, _) => Box::new(MeshBroker::default()),
    };
    config.check_link(broker.reach())?;
    if broker.reach() == Reach::Shard && config.shards > 1 {
        return Err(StartError::App(format!(
            "{} carries broadcasts within one shard, this server has {}: give it another broker, or --shards 1",
            broker.driver(),
            config.shards
        )));
    }
    Ok(broker)
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
