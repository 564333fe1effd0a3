//! From a configuration to a running process, and to its end.
//!
//! The main thread only waits: for shards that fail, for signals, for the watchdog.

use std::collections::hash_map::RandomState;
use std::io::Write;
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use autovia_shards::{Bell, Board, Endpoint, MeshConfig, SlotTable, Switch, mesh};
use crossbeam_channel::{Receiver, Sender, after, select, unbounded};

use super::config::{BrokerKind, Config};
use super::counters::{COUNTERS, QUIET};
use super::parcel::Parcel;
use super::shard::{Common, Parts, Shard};
use super::turn::Turns;
use super::watchdog;
use super::{StartError, doctor, logging};
use crate::broker::{Broker, InMemoryBroker, MeshBroker};
use crate::http::assets::Assets;
use crate::http::serve;
use crate::page::{App, Engine, EngineParts};
use crate::runtime::blocking::{Blocking, Pool};
use crate::runtime::listener::{Accepted, bind};
use crate::runtime::sends::Sends;
use crate::runtime::wake::{Sleeper, WakeFd};
use crate::runtime::{Executor, Listener, Reactor, Socket, Unwound, random, spawn, yield_now};
use crate::wire::session::SessionKeys;

/// Exit code when a shard died or hung.
const SHARD_LOST_EXIT_CODE: i32 = 70;

/// The stack of a shard's thread: handlers of the app run on it.
const SHARD_STACK_BYTES: usize = 4 * 1024 * 1024;

/// What defines the app, once per shard.
pub(crate) type Define = Arc<dyn Fn(&mut App) + Send + Sync>;

/// What threads tell the main thread.
pub(crate) enum Event {
    Ready,
    Failed(StartError),
    ShardDied(usize, String),
    ShardHangs(usize, Duration),
    Signal(i32),
}

/// What one shard needs from the main thread.
struct Seat {
    id: usize,
    cpu: usize,
    listener: TcpListener,
    endpoint: Endpoint<Parcel>,
    wake: WakeFd,
    bell: Bell,
    hasher: RandomState,
    globals: Arc<SlotTable>,
    shared: Arc<SlotTable>,
    node: u32,
    common: Arc<Common>,
    pool: Pool,
    draining: Arc<Switch>,
    define: Define,
    events: Sender<Event>,
}

/// Runs the server to its end; returns the exit code.
pub(crate) fn run(config: Config, define: Define) -> Result<i32, StartError> {
    let files = doctor::raise_open_files();
    doctor::raise_locked_memory();
    if let Some(refusal) = doctor::refuse(config.shards) {
        return Err(StartError::Machine(refusal));
    }
    let log = logging::init(&config).map_err(|error| {
        StartError::Machine(format!("no thread for the log could be started: {error}"))
    })?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    tracing::info!(
        open_files = files.got,
        hard_limit = files.hard,
        "open files"
    );
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
    let bells = seat_all(config, listeners, &board, &draining, &define, &events)?;

    watch_signals(&events)?;
    for _ in 0..shards {
        match inbox.recv() {
            Ok(Event::Ready) => {}
            Ok(Event::Failed(error)) => return Err(error),
            Ok(Event::ShardDied(shard, text)) => {
                return Err(StartError::App(format!(
                    "shard {shard} died at start: {text}"
                )));
            }
            Ok(Event::Signal(_)) => return Ok(0),
            Ok(Event::ShardHangs(..)) | Err(_) => {}
        }
    }
    watchdog::start(Arc::clone(&board), hang_time, events)?;
    // A closed stdout is no reason not to serve.
    writeln!(std::io::stdout(), "autovia listening on http://{bound}").ok();
    std::io::stdout().flush().ok();
    tracing::info!(%bound, shards, "listening");

    let code = wait_for_end(&inbox, &board, &draining, &bells, drain_time);
    log.flush();
    Ok(code)
}

/// Starts a thread per shard.
fn seat_all(
    config: Config,
    listeners: Vec<TcpListener>,
    board: &Arc<Board>,
    draining: &Arc<Switch>,
    define: &Define,
    events: &Sender<Event>,
) -> Result<Vec<Bell>, StartError> {
    let shards = config.shards;
    let cpus = config.cpus.clone();
    let machine =
        |what: &str, error: &dyn std::fmt::Display| StartError::Machine(format!("{what}: {error}"));
    let wakes: Vec<WakeFd> = (0..shards)
        .map(|_| WakeFd::new())
        .collect::<Result<_, _>>()
        .map_err(|error| machine("no descriptor for a doorbell", &error))?;
    let rings: Vec<Box<dyn Fn() + Send + Sync>> = wakes
        .iter()
        .cloned()
        .map(|wake| Box::new(move || wake.ring()) as Box<dyn Fn() + Send + Sync>)
        .collect();
    let endpoints = mesh::<Parcel>(rings, MeshConfig::default());
    let keys = match &config.session_keys {
        Some(keys) => SessionKeys::new(keys.expose().clone()),
        None => SessionKeys::new(vec![random::bytes()]),
    };
    let keys = keys.map_err(|error| StartError::App(error.to_string()))?;
    let broker: Arc<dyn Broker> = match config.broker {
        BrokerKind::Memory => Arc::new(InMemoryBroker),
        _ => Arc::new(MeshBroker),
    };
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
    let common = Arc::new(Common {
        config,
        board: Arc::clone(board),
        keys,
        broker,
    });
    let hasher = RandomState::new();
    let node = u32::from_le_bytes(random::bytes());
    let bells = (0..shards)
        .map(|shard| endpoints[0].bell(shard))
        .collect::<Vec<_>>();
    for (((id, listener), endpoint), wake) in (0..shards).zip(listeners).zip(endpoints).zip(wakes) {
        let seat = Seat {
            id,
            cpu: cpus[id % cpus.len()],
            listener,
            bell: bells[id].clone(),
            endpoint,
            wake,
            hasher: hasher.clone(),
            globals: Arc::clone(&globals),
            shared: Arc::clone(&shared),
            node,
            common: Arc::clone(&common),
            pool: pool.clone(),
            draining: Arc::clone(draining),
            define: Arc::clone(define),
            events: events.clone(),
        };
        let events = events.clone();
        std::thread::Builder::new()
            .name(format!("shard-{id}"))
            .stack_size(SHARD_STACK_BYTES)
            .spawn(move || {
                let end = catch_unwind(AssertUnwindSafe(|| sit(seat)));
                let event = match end {
                    Ok(Ok(())) => Event::ShardDied(id, "its executor ended".to_owned()),
                    Ok(Err(error)) => Event::Failed(error),
                    Err(payload) => Event::ShardDied(id, Unwound::of(&*payload).text),
                };
                // The main thread is gone only when the process ends.
                events.send(event).ok();
            })
            .map_err(|error| machine("no thread for a shard", &error))?;
    }
    Ok(bells)
}

/// The life of a shard's thread.
fn sit(seat: Seat) -> Result<(), StartError> {
    let id = seat.id;
    let machine = move |what: &str, error: &dyn std::fmt::Display| {
        StartError::Machine(format!("shard {id} {what}: {error}"))
    };
    let executor = Executor::pinned(Some(seat.cpu), &format!("shard-{id}"))
        .map_err(|error| machine("got no executor", &error))?;
    executor.run(async move {
        let reactor =
            Reactor::install().map_err(|error| machine("got no epoll instance", &error))?;
        reactor
            .listen_to_wakes(seat.wake.as_fd())
            .map_err(|error| machine("can't listen to its doorbell", &error))?;
        let engine = Engine::new(EngineParts {
            shard: u16::try_from(id).expect("shards fit 16 bits"),
            shards: u16::try_from(seat.common.config.shards).expect("shards fit 16 bits"),
            node: seat.node,
            scope_rate: seat.common.config.scope_rate.unwrap_or(0),
            hasher: seat.hasher,
            globals: seat.globals,
            shared: seat.shared,
        });
        let (assets, router) = define_app(&engine, &seat.common.config, &seat.define)?;
        let bell = seat.bell;
        let shard = Shard::new(Parts {
            id,
            common: seat.common,
            engine,
            assets,
            router,
            endpoint: seat.endpoint,
            blocking: Blocking::new(seat.pool, Arc::new(move || bell.ring())),
        });
        let turns = Turns {
            sleeper: Sleeper::new(Rc::clone(&reactor))
                .map_err(|error| machine("can't sleep on its epoll instance", &error))?,
            reactor,
            sends: Sends::new().map_err(|error| machine("got no ring for its sends", &error))?,
            wake: seat.wake,
        };
        let listener =
            Listener::new(seat.listener).map_err(|error| machine("can't listen", &error))?;
        accept(&shard, listener);
        drain_when_told(&shard, seat.draining);
        shard.start_periods();
        seat.events.send(Event::Ready).ok();
        shard.run_turns(turns).await;
        Ok(())
    })
}

/// Runs the app's function on this shard.
fn define_app(
    engine: &Rc<Engine>,
    config: &Config,
    define: &Define,
) -> Result<(Assets, matchit::Router<u16>), StartError> {
    if let Some(folder) = &config.template_dir {
        engine
            .add_template_folder(folder)
            .map_err(StartError::App)?;
    }
    let mut app = App::of(engine);
    catch_unwind(AssertUnwindSafe(|| define(&mut app))).map_err(|payload| {
        StartError::App(format!(
            "the app panicked while it was defined: {}",
            Unwound::of(&*payload).text
        ))
    })?;
    let mut assets = Assets::new(config.dev);
    let mistakes = engine.with_extras(|extras| {
        for (path, asset) in &extras.assets {
            assets.add(path, asset.content_type, asset.body);
        }
        std::mem::take(&mut extras.mistakes)
    });
    if !mistakes.is_empty() {
        return Err(StartError::App(mistakes.join("; ")));
    }
    let mut router = matchit::Router::new();
    for page in engine.pages() {
        router
            .insert(page.pattern.clone(), page.index)
            .map_err(|error| {
                StartError::App(format!(
                    "the page {} can't be served: {error}",
                    page.pattern
                ))
            })?;
    }
    Ok((assets, router))
}

/// After so many connections in a row the shard's other tasks have their turn.
const ACCEPTS_IN_A_ROW: u64 = 32;

/// Accepts until the shard closes.
fn accept(shard: &Rc<Shard>, mut listener: Listener) {
    let shard = Rc::clone(shard);
    spawn(async move {
        for turn in 0_u64.. {
            if turn % ACCEPTS_IN_A_ROW == 0 {
                yield_now().await;
            }
            let accepted =
                futures_lite::future::or(async { Some(listener.accept().await) }, async {
                    shard.closing_waiters.until(|| shard.closing.get()).await;
                    None
                })
                .await;
            match accepted {
                None => return,
                Some(Ok(Accepted::Connection(fd))) => match Socket::adopt(fd) {
                    Ok(socket) => connect(&shard, socket),
                    Err(error) => {
                        tracing::warn!(shard = shard.id, %error, "a connection could not be taken")
                    }
                },
                Some(Ok(Accepted::NoDescriptors)) => {
                    tracing::warn!(
                        shard = shard.id,
                        "no descriptors are left: connections are turned away (raise the open-files limit, see autovia doctor)"
                    );
                    shard
                        .timers
                        .sleep_until(Instant::now() + Duration::from_millis(10))
                        .await;
                }
                Some(Err(error)) => {
                    tracing::error!(shard = shard.id, %error, "accepting failed");
                    shard
                        .timers
                        .sleep_until(Instant::now() + Duration::from_millis(10))
                        .await;
                }
            }
        }
    });
}

fn connect(shard: &Rc<Shard>, socket: Socket) {
    if let Err(error) = socket.tune() {
        // The peer left between two calls.
        tracing::debug!(shard = shard.id, %error, "a connection could not be set up");
        return;
    }
    shard.connections.set(shard.connections.get() + 1);
    let shard = Rc::clone(shard);
    spawn(async move {
        let _open = Connection(Rc::clone(&shard));
        serve(shard, socket).await;
    });
}

/// Counts a connection out, however it ends.
struct Connection(Rc<Shard>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.connections.set(self.0.connections.get() - 1);
    }
}

/// When told: no new connections, streams come back later, what runs is finished.
fn drain_when_told(shard: &Rc<Shard>, draining: Arc<Switch>) {
    let shard = Rc::clone(shard);
    spawn(async move {
        while !draining.is_set() {
            shard
                .timers
                .sleep_until(Instant::now() + Duration::from_millis(50))
                .await;
        }
        shard.closing.set(true);
        shard.closing_waiters.wake();
        shard.end_streams();
        // Turns go on while it drains: the watchdog counts them, and each looks whether anything
        // is left. A connection or an action that ends wakes nobody else.
        loop {
            shard.nudge();
            shard
                .timers
                .sleep_until(Instant::now() + Duration::from_millis(10))
                .await;
        }
    });
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
    bells: &[Bell],
    drain_time: Duration,
) -> i32 {
    let deadline = loop {
        match inbox.recv() {
            Ok(Event::Signal(signal)) => {
                tracing::info!(signal, "leaving: no new connections, what runs is finished");
                draining.set();
                bells.iter().for_each(Bell::ring);
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
        let quiet = || (0..board.rows()).all(|shard| board.get(shard, QUIET) == 1);
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
        Event::Failed(error) => format!("autovia: {error}"),
        Event::Ready | Event::Signal(_) => return None,
    };
    tracing::error!("{line}");
    // With stderr closed there is nobody to tell.
    writeln!(std::io::stderr(), "{line}").ok();
    Some(SHARD_LOST_EXIT_CODE)
}
