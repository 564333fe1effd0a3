//! The thread of one shard: from its seat to its turns, accepting, and draining.

use std::collections::hash_map::RandomState;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use autovia_shards::{Bell, Endpoint, SlotTable, Switch};
use crossbeam_channel::Sender;

use super::StartError;
use super::config::Config;
use super::counters::{CONNECTIONS, THREAD, TURNED_AWAY, this_thread};
use super::parcel::Parcel;
use super::shard::{Common, Parts, Shard};
use super::start::{Define, Event};
use super::turn::Turns;
use crate::http::assets::Assets;
use crate::http::{Channel, serve, welcome};
use crate::page::{App, Engine, EngineParts};
use crate::runtime::blocking::{Blocking, Pool};
use crate::runtime::listener::Accepted;
use crate::runtime::mailbox::Mailbox;
use crate::runtime::sends::Sends;
use crate::runtime::tables::Parting;
use crate::runtime::wake::{Sleeper, WakeFd};
use crate::runtime::{
    Executor, Listener, Reactor, Socket, Unwound, Watchfulness, ring_when_woken_from_outside,
    spawn, yield_now,
};
use crate::scope::Crossing;

/// What one shard needs from the main thread.
pub(super) struct Seat {
    pub id: usize,
    pub cpu: usize,
    pub listener: TcpListener,
    pub endpoint: Endpoint<Parcel>,
    pub wake: WakeFd,
    /// Where each shard has a descriptor table of its own.
    pub own_table: Option<OwnTable>,
    pub bell: Bell,
    pub hasher: RandomState,
    pub globals: Arc<SlotTable>,
    pub shared: Arc<SlotTable>,
    pub node: u32,
    pub crossing: Crossing,
    pub common: Arc<Common>,
    pub pool: Pool,
    pub draining: Arc<Switch>,
    pub define: Define,
    pub events: Sender<Event>,
}

/// What a shard with a descriptor table of its own needs.
pub(super) struct OwnTable {
    pub parting: Parting,
    pub mailbox: Mailbox,
}

/// The life of a shard's thread.
pub(super) fn sit(seat: Seat) -> Result<(), StartError> {
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
        ring_when_woken_from_outside(seat.wake.clone());
        seat.common.board.set(id, THREAD, this_thread());
        let engine = Engine::new(EngineParts {
            shard: u16::try_from(id).expect("shards fit 16 bits"),
            shards: u16::try_from(seat.common.config.shards).expect("shards fit 16 bits"),
            node: seat.node,
            crossing: seat.crossing,
            scope_rate: seat.common.config.scope_rate.unwrap_or(0),
            hasher: seat.hasher,
            globals: seat.globals,
            shared: seat.shared,
        });
        let (assets, router) = define_app(&engine, &seat.common.config, &seat.define)?;
        let (parting, mailbox) = seat
            .own_table
            .map(|table| (table.parting, table.mailbox))
            .unzip();
        let bell = seat.bell;
        let shard = Shard::new(Parts {
            id,
            common: seat.common,
            engine,
            assets,
            router,
            endpoint: seat.endpoint,
            mailbox,
            blocking: Blocking::new(seat.pool, Arc::new(move || bell.ring())),
        });
        let turns = Turns {
            sleeper: Sleeper::new(Rc::clone(&reactor))
                .map_err(|error| machine("can't sleep on its epoll instance", &error))?,
            reactor,
            sends: Sends::new().map_err(|error| machine("got no ring for its sends", &error))?,
        };
        let listening = seat.listener.as_raw_fd();
        let listener =
            Listener::new(seat.listener).map_err(|error| machine("can't listen", &error))?;
        if let Some(parting) = parting {
            // As late as can be: what the app has opened for all shards is open in each table.
            parting
                .part(listening)
                .map_err(|error| machine("got no descriptor table of its own", &error))?;
        }
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
    let mut assets = Assets::new(config.dev, config.compress_pages);
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
                Some(Ok(Accepted::TurnedAway)) => shard.turned_away(),
                Some(Ok(Accepted::NoDescriptors)) => {
                    shard.turned_away();
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

/// While connections are turned away, the log says so at most this often.
const TELL_TURNED_AWAY_EVERY_MS: u64 = 10_000;

impl Shard {
    /// Counts a connection that no descriptor was left for, and says so now and then.
    pub(super) fn turned_away(&self) {
        self.count(TURNED_AWAY, 1);
        let turned_away = &self.turned_away;
        turned_away.untold.set(turned_away.untold.get() + 1);
        let now = self.now();
        if now < turned_away.quiet_until_ms.get() {
            return;
        }
        turned_away
            .quiet_until_ms
            .set(now + TELL_TURNED_AWAY_EVERY_MS);
        tracing::warn!(
            shard = self.id,
            connections = turned_away.untold.replace(0),
            total = self.common.board.get(self.id, TURNED_AWAY),
            "no descriptors are left: connections are turned away with 503 (raise the open-files limit or run more shards, see autovia doctor)"
        );
    }
}

/// Connections of a shard after whose peers the kernel asks closely: each costs a timer and two packets every 10 s,
/// and the kernel asks for all whose timer falls into the same quarter of a second at once, into queues that hold 1,000.
const ASKED_CLOSELY: usize = 4096;

impl Shard {
    /// How dead peers of its next connection are to be found.
    fn watchfulness(&self) -> Watchfulness {
        let held = self.connections.get() + self.streams.borrow().len();
        match self.config().heartbeat_time {
            _ if held < ASKED_CLOSELY => Watchfulness::Close,
            Some(_) => Watchfulness::BySending,
            None => Watchfulness::Far,
        }
    }
}

fn connect(shard: &Rc<Shard>, socket: Socket) {
    if let Err(error) = socket.tune(shard.watchfulness()) {
        // The peer left between two calls.
        tracing::debug!(shard = shard.id, %error, "a connection could not be set up");
        return;
    }
    shard.connections.set(shard.connections.get() + 1);
    shard.count(CONNECTIONS, 1);
    let open = Connection(Rc::clone(shard));
    if shard.common.tls.is_none() {
        // Most have said nothing yet.
        return shard.rest(Channel::plain(socket), open);
    }
    spawn(async move {
        if let Some(channel) = welcome(Rc::clone(&open.0), socket).await {
            Rc::clone(&open.0).rest(channel, open);
        }
    });
}

/// Serves a connection that has something to say, then lets it rest again.
pub(super) fn attend(channel: Channel, open: Connection) {
    spawn(async move {
        if let Some(channel) = serve(Rc::clone(&open.0), channel).await {
            Rc::clone(&open.0).rest(channel, open);
        }
    });
}

/// Counts a connection out, however it ends.
pub(super) struct Connection(Rc<Shard>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.connections.set(self.0.connections.get() - 1);
        self.0.count(CONNECTIONS, -1);
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
        shard.close_resting();
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
