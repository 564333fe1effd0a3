//! A thread for each shard, and one for the link: what they share is made here, before any of them runs.

use std::collections::hash_map::RandomState;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use autovia_shards::{Bell, Board, MeshConfig, SlotTable, Switch, mesh};
use crossbeam_channel::Sender;

use super::config::{BrokerKind, Config, Origin};
use super::counters;
use super::link::{self, LinkSeat};
use super::parcel::Parcel;
use super::seat::{Seat, sit};
use super::shard::Common;
use super::start::{Define, Event, Links};
use super::tables::Doors;
use super::{StartError, tls};
use crate::broker::{Broker, InMemoryBroker, MeshBroker, Reach};
use crate::runtime::blocking::Pool;
use crate::runtime::tables::Parting;
use crate::runtime::wake::WakeFd;
use crate::runtime::{Unwound, random};
use crate::scope::Crossing;
use crate::wire::relay::NodeId;
use crate::wire::session::SessionKeys;

/// The stack of a shard's thread: handlers of the app run on it.
const SHARD_STACK_BYTES: usize = 4 * 1024 * 1024;

/// The threads that were started.
pub(super) struct Seated {
    pub bells: Vec<Bell>,
    /// The link shard's counters.
    pub link: Option<Arc<Board>>,
    /// Where shards have descriptor tables of their own.
    pub parting: Option<Parting>,
}

impl Seated {
    /// What was published came back, or has no link to go by.
    pub fn is_all_said(&self) -> bool {
        self.link.as_ref().is_none_or(|link| {
            link.get(0, counters::link::WAITING) == 0 || link.get(0, counters::link::CONNECTED) == 0
        })
    }
}

/// Starts a thread per shard, and one for the link if there is one.
pub(super) fn seat_all(
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
    let globals = slot_table(config.global_rows, config.global_value_bytes);
    let shared = slot_table(config.shared_rows, config.shared_value_bytes);
    let pool = Pool::start().map_err(|error| machine("no threads for blocking work", &error))?;
    let crossing = crossing(linked, &config);
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

fn slot_table(rows: usize, value_bytes: usize) -> Arc<SlotTable> {
    let key = [(); 2].map(|()| u64::from_le_bytes(random::bytes()));
    Arc::new(SlotTable::new(rows, value_bytes, key))
}

/// What is told to other nodes.
fn crossing(linked: bool, config: &Config) -> Crossing {
    if !linked {
        return Crossing::Nothing;
    }
    if config.session_keys.is_some() {
        return Crossing::All;
    }
    tracing::info!(
        "broadcasts to Scope::SESSION stay on this node: they cross nodes that share a --session-key-file"
    );
    Crossing::AllButSessions
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
