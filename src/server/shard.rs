//! One shard: everything that lives on its thread, and what its parts share.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use autovia_shards::{Board, Endpoint, Switch};
use rustls::ServerConfig;
use slab::Slab;

use super::actions::Queue;
use super::config::Config;
use super::counters::{self, CONTEXTS, PARKED};
use super::failure::OUR_FAULT;
use super::parcel::Parcel;
use super::resting::{Resting, Row};
use super::streams::Streams;
use crate::http::assets::Assets;
use crate::http::origin::OriginRule;
use crate::http::{Limits, Response};
use crate::page::host::{BlockingJob, Host};
use crate::page::{Context, Engine, Lane, LocalFuture};
use crate::peers::Peers;
use crate::runtime::blocking::{Blocking, BlockingError};
use crate::runtime::local;
use crate::runtime::mailbox::Mailbox;
use crate::runtime::timer::Timers;
use crate::scope::Scope;
use crate::wire::relay::NodeId;
use crate::wire::session::SessionKeys;

/// Parcels that wait for room in a full lane; one more is refused.
const HELD_PARCELS_MAX: usize = 4096;

/// What all shards of a process are made with.
pub(crate) struct Common {
    pub config: Config,
    pub board: Arc<Board>,
    pub keys: SessionKeys,
    /// A page of another node was met.
    pub foreign_page: Switch,
    /// The id of this node, as other nodes see it.
    pub node: NodeId,
    /// The broker's name.
    pub driver: &'static str,
    /// How TLS handshakes are made, where this server speaks TLS.
    pub tls: Option<Arc<ServerConfig>>,
    /// The value of `Strict-Transport-Security`, where it is sent.
    pub hsts: Option<String>,
    /// The link shard's counters, where there is one: it is the mesh's last member then.
    pub link: Option<Arc<Board>>,
}

pub(crate) struct Shard {
    pub id: usize,
    pub common: Arc<Common>,
    pub engine: Rc<Engine>,
    pub timers: Timers,
    pub limits: Limits,
    pub origins: OriginRule,
    pub assets: Assets,
    pub router: matchit::Router<u16>,
    pub endpoint: RefCell<Endpoint<Parcel>>,
    held: RefCell<VecDeque<(usize, Parcel)>>,
    /// Where shards have own descriptor tables.
    pub mailbox: Option<RefCell<Mailbox>>,
    pub replies: RefCell<Slab<local::Sender<Response>>>,
    pub streams: RefCell<Streams>,
    pub queues: RefCell<HashMap<u32, Queue>>,
    pub deadlines: RefCell<BTreeSet<(u64, u32)>>,
    pub parked: RefCell<BTreeSet<(u64, u32)>>,
    /// Streams whose socket failed: closed at the end of the turn.
    pub doomed: RefCell<Vec<u32>>,
    pub blocking: Blocking,
    pub closing: Cell<bool>,
    pub closing_waiters: local::Waiters,
    /// Connections with a request in hand or waiting for one.
    pub connections: Cell<usize>,
    /// Those of them that wait.
    pub(super) resting: RefCell<Row<Resting>>,
    pub turned_away: TurnedAway,
    started: Instant,
    now_ms: Cell<u64>,
    nudged: Cell<bool>,
    sleeper: RefCell<Option<Waker>>,
    pub(super) peers: RefCell<Arc<Peers>>,
}

/// Connections that no descriptor was left for.
#[derive(Default)]
pub(crate) struct TurnedAway {
    /// Since the log last said so.
    pub untold: Cell<u64>,
    /// When the log may say so again, in the shard's milliseconds.
    pub quiet_until_ms: Cell<u64>,
}

/// What a shard is put together from.
pub(crate) struct Parts {
    pub id: usize,
    pub common: Arc<Common>,
    pub engine: Rc<Engine>,
    pub assets: Assets,
    pub router: matchit::Router<u16>,
    pub endpoint: Endpoint<Parcel>,
    pub mailbox: Option<Mailbox>,
    pub blocking: Blocking,
}

impl Shard {
    pub fn new(parts: Parts) -> Rc<Self> {
        let config = &parts.common.config;
        let limits = Limits {
            header_bytes: config.header_bytes,
            body_bytes: config.body_bytes,
            header_time: config.header_time,
            idle_time: config.idle_time,
        };
        let origins = OriginRule {
            trusted: config
                .trusted_origins
                .iter()
                .map(|origin| origin.as_str().to_owned())
                .collect(),
            dev: config.dev,
            https: parts.common.tls.is_some(),
        };
        let shard = Rc::new(Self {
            id: parts.id,
            limits,
            origins,
            engine: parts.engine,
            timers: Timers::default(),
            assets: parts.assets,
            router: parts.router,
            endpoint: RefCell::new(parts.endpoint),
            held: RefCell::default(),
            mailbox: parts.mailbox.map(RefCell::new),
            replies: RefCell::default(),
            streams: RefCell::default(),
            queues: RefCell::default(),
            deadlines: RefCell::default(),
            parked: RefCell::default(),
            doomed: RefCell::default(),
            blocking: parts.blocking,
            closing: Cell::new(false),
            closing_waiters: local::Waiters::default(),
            connections: Cell::new(0),
            resting: RefCell::default(),
            turned_away: TurnedAway::default(),
            started: Instant::now(),
            now_ms: Cell::new(1),
            nudged: Cell::new(false),
            sleeper: RefCell::new(None),
            peers: RefCell::new(Arc::new(Peers::without_link(
                parts.common.driver,
                parts.common.node.to_string(),
            ))),
            common: parts.common,
        });
        shard.engine.attach(Rc::clone(&shard) as Rc<dyn Host>);
        shard
    }

    pub fn config(&self) -> &Config {
        &self.common.config
    }

    pub fn now(&self) -> u64 {
        self.now_ms.get()
    }

    /// Looks at the clock, once per turn.
    pub fn tick(&self) {
        let since = self.started.elapsed().as_millis();
        self.now_ms
            .set(u64::try_from(since).unwrap_or(u64::MAX).max(1));
    }

    /// The instant of a time in the shard's milliseconds.
    pub fn instant(&self, at_ms: u64) -> Instant {
        self.started + Duration::from_millis(at_ms)
    }

    pub fn count(&self, counter: usize, by: i64) {
        self.common.board.add(self.id, counter, by);
    }

    /// Sends a parcel, or holds it until there is room.
    ///
    /// # Errors
    /// The parcel, when too many are held already.
    pub fn send(&self, to: usize, parcel: Parcel) -> Result<(), Parcel> {
        let mut held = self.held.borrow_mut();
        let parcel = if held.is_empty() {
            match self.try_send(to, parcel) {
                Ok(()) => {
                    self.nudge();
                    return Ok(());
                }
                Err(parcel) => parcel,
            }
        } else {
            parcel
        };
        if held.len() >= HELD_PARCELS_MAX {
            return Err(parcel);
        }
        held.push_back((to, parcel));
        self.nudge();
        Ok(())
    }

    /// Tries what was held; lanes that are still full keep theirs.
    pub fn send_held(&self) {
        let mut held = self.held.borrow_mut();
        let mut full = Vec::new();
        for _ in 0..held.len() {
            let Some((to, parcel)) = held.pop_front() else {
                break;
            };
            if full.contains(&to) {
                held.push_back((to, parcel));
            } else if let Err(parcel) = self.try_send(to, parcel) {
                full.push(to);
                held.push_back((to, parcel));
            }
        }
    }

    pub fn has_held(&self) -> bool {
        !self.held.borrow().is_empty()
    }

    /// Which shard a new session goes to: this one, unless it has clearly more than another.
    pub fn place(&self) -> usize {
        let board = &self.common.board;
        let live = |row| {
            board
                .get(row, CONTEXTS)
                .saturating_sub(board.get(row, PARKED))
        };
        let own = live(self.id);
        let least = (0..board.rows())
            .min_by_key(|row| live(*row))
            .unwrap_or(self.id);
        // Carrying a page over costs a hop: a few percent more or less are not worth it.
        let bound = live(least) + live(least) / 20;
        if own > bound { least } else { self.id }
    }

    /// The task of the turns is asked not to sleep.
    pub fn nudge(&self) {
        self.nudged.set(true);
        if let Some(waker) = self.sleeper.borrow_mut().take() {
            waker.wake();
        }
    }

    pub fn take_nudge(&self) -> bool {
        self.nudged.replace(false)
    }

    pub fn nudge_pending(&self) -> bool {
        self.nudged.get()
    }

    /// For the sleeper: tells whether there is work, and whom to wake when there is.
    pub fn is_nudged(&self, waker: &Waker) -> bool {
        if self.nudged.get() {
            return true;
        }
        self.sleeper.replace(Some(waker.clone()));
        false
    }

    /// News of the other nodes: pages that show them are stale.
    pub fn set_peers(&self, peers: Arc<Peers>) {
        self.peers.replace(peers);
        self.engine.invalidate(&Scope::PEERS);
    }

    /// A page of another node asks here: once per process, where nothing joins the nodes, that is
    /// told to the log.
    pub fn met_foreign_page(&self) {
        if self.common.link.is_some() || self.common.foreign_page.is_set() {
            return;
        }
        self.common.foreign_page.set();
        tracing::warn!(
            "a page of another node asked here (or one of this node from before a restart): if several nodes serve this site, their broadcasts do not reach each other; give each --broker redis or --broker nats, and let the balancer keep a browser on its node"
        );
    }

    /// The link to other nodes works, or there is none that could fail.
    pub fn is_linked(&self) -> bool {
        let link = self.common.link.as_ref();
        link.is_none_or(|board| board.get(0, counters::link::CONNECTED) == 1)
    }

    pub fn context_deadline(&self, context: &Context, at_ms: u64) {
        let old = context.deadline_ms.replace(at_ms);
        let mut deadlines = self.deadlines.borrow_mut();
        if old != 0 {
            deadlines.remove(&(old, context.key));
        }
        if at_ms != 0 {
            deadlines.insert((at_ms, context.key));
        }
    }
}

impl Host for Shard {
    fn now_ms(&self) -> u64 {
        self.now()
    }

    fn nudge(&self) {
        Self::nudge(self);
    }

    fn blocking(&self, job: BlockingJob) -> LocalFuture<Result<Box<dyn Any + Send>, String>> {
        let running = self.blocking.run(job);
        Box::pin(async move {
            running.await.map_err(|error| match error {
                // What a panic says is for the log, not for the user who clicked.
                BlockingError::Panicked(text) => {
                    tracing::error!(panic = %text, "blocking work panicked");
                    OUR_FAULT.to_owned()
                }
                full @ BlockingError::Full => full.to_string(),
            })
        })
    }

    fn lanes(&self) -> Vec<Lane> {
        counters::lanes(&self.common.board)
    }

    fn peers(&self) -> Arc<Peers> {
        Arc::clone(&self.peers.borrow())
    }
}
