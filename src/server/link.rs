//! The link shard: one more member of the mesh, on a thread of its own, which serves no HTTP and
//! holds the connections to the broker for all shards of the process.
//!
//! Nothing here waits for the broker while shards wait for it: what they publish is merged into a
//! bounded set, whatever the link does.

use std::cell::RefCell;
use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use autovia_shards::{Bell, Board, Endpoint, Invalidation, Received};
use crossbeam_channel::{Sender, TrySendError, bounded};

use super::StartError;
use super::counters::link::{CONNECTED, TURNS, WAITING};
use super::counters::{link, this_thread};
use super::parcel::Parcel;
use super::start::Event;
use super::turn::EVERYTHING;
use crate::broker::node::{Effect, Node};
use crate::broker::room::{Beat, Room};
use crate::broker::supervisor::{Sink, Supervisor};
use crate::broker::{Broker, BrokerError};
use crate::page::stale;
use crate::peers::Peers;
use crate::runtime::blocking::Pool;
use crate::runtime::tables::Parting;
use crate::runtime::wake::WakeFd;
use crate::runtime::{Executor, spawn};
use crate::scope::Scope;
use crate::wire::relay::NodeId;

/// What an app wants to be told of each lost link and failed attempt.
pub(crate) type ErrorHook = Arc<dyn Fn(&BrokerError) + Send + Sync>;

/// Errors that wait for a slow hook; more are only counted.
const HOOK_QUEUE_MAX: usize = 64;

/// How often the shards are told what is new of the other nodes.
const REPORT_EVERY: Duration = Duration::from_millis(500);

/// What the link shard needs from the main thread.
pub(super) struct LinkSeat {
    pub cpu: Option<usize>,
    pub endpoint: Endpoint<Parcel>,
    pub wake: WakeFd,
    pub bell: Bell,
    pub pool: Pool,
    /// Where shards have descriptor tables of their own; the link keeps the process's.
    pub parting: Option<Parting>,
    pub broker: Box<dyn Broker>,
    pub node: NodeId,
    pub board: Arc<Board>,
    pub hasher: RandomState,
    pub hook: Option<ErrorHook>,
    pub events: Sender<Event>,
}

/// The life of the link shard's thread.
pub(super) fn sit(seat: LinkSeat) -> Result<(), StartError> {
    let machine = |what: &str, error: &dyn std::fmt::Display| {
        StartError::Machine(format!("the link shard {what}: {error}"))
    };
    let hook = seat
        .hook
        .map(start_hook)
        .transpose()
        .map_err(|error| machine("got no thread for on_broker_error", &error))?;
    let executor =
        Executor::pinned(seat.cpu, "link").map_err(|error| machine("got no executor", &error))?;
    executor.run(async move {
        let bell = seat.bell;
        let room = Room::new(seat.wake, seat.pool, Arc::new(move || bell.ring()))
            .map_err(|error| machine("got no epoll instance", &error))?;
        let driver = seat.broker.driver();
        seat.board.set(0, link::THREAD, this_thread());
        let lanes = Rc::new(Lanes {
            endpoint: RefCell::new(seat.endpoint),
            hasher: seat.hasher,
            hook,
        });
        let node = Node::new(seat.node, env!("CARGO_PKG_VERSION"));
        let supervisor = Supervisor::new(
            node,
            Rc::clone(&room.timers),
            room.context(&seat.node.to_string()),
            Rc::clone(&lanes) as Rc<dyn Sink>,
        );
        if let Some(parting) = seat.parting {
            parting.meet();
        }
        // Before the broker has its first say: one that keeps the thread is the watchdog's business,
        // which begins when all are ready.
        seat.events.send(Event::Ready).ok();
        spawn(Rc::clone(&supervisor).run(seat.broker));
        room.run(LinkBeat {
            lanes,
            supervisor,
            driver,
            board: seat.board,
            reported: None,
            next_report: Instant::now(),
        })
        .await;
        Ok(())
    })
}

/// The hook runs on a thread of its own: a slow one delays nobody, a panic in it ends nothing.
fn start_hook(hook: ErrorHook) -> std::io::Result<Sender<BrokerError>> {
    let (errors, inbox) = bounded::<BrokerError>(HOOK_QUEUE_MAX);
    std::thread::Builder::new()
        .name("broker-errors".to_owned())
        .spawn(move || {
            for error in inbox {
                if catch_unwind(AssertUnwindSafe(|| hook(&error))).is_err() {
                    tracing::error!("on_broker_error panicked");
                }
            }
        })?;
    Ok(errors)
}

/// The link's side of the mesh.
struct Lanes {
    endpoint: RefCell<Endpoint<Parcel>>,
    hasher: RandomState,
    hook: Option<Sender<BrokerError>>,
}

impl Lanes {
    fn shards(&self) -> usize {
        self.endpoint.borrow().members() - 1
    }

    /// A wildcard has to be named; where its lane is full, all is stale instead.
    fn name(&self, scope: &Scope) {
        for shard in 0..self.shards() {
            let mut endpoint = self.endpoint.borrow_mut();
            let parcel = Parcel::Broadcast(scope.as_str().to_owned());
            if endpoint.send(shard, parcel).is_err() {
                endpoint.invalidate(shard, EVERYTHING);
            }
        }
    }

    fn invalidate(&self, invalidation: Invalidation) {
        for shard in 0..self.shards() {
            self.endpoint.borrow_mut().invalidate(shard, invalidation);
        }
    }
}

impl Sink for Lanes {
    fn stale(&self, effects: Vec<Effect>) {
        let mut told = HashSet::new();
        for effect in effects {
            match effect {
                Effect::Connected => {}
                Effect::Resync => self.invalidate(EVERYTHING),
                Effect::Stale(scope) if told.contains(&scope) => {}
                Effect::Stale(scope) => {
                    if scope.is_wildcard() {
                        self.name(&scope);
                    } else {
                        self.invalidate(Invalidation {
                            kind: u64::from(stale::RENDER),
                            scope: self.hasher.hash_one(scope.as_str()),
                        });
                    }
                    told.insert(scope);
                }
            }
        }
        self.endpoint.borrow_mut().flush();
    }

    fn failed(&self, error: &BrokerError) {
        if let Some(hook) = &self.hook
            && let Err(TrySendError::Full(_)) = hook.try_send(error.clone())
        {
            tracing::warn!("on_broker_error is too slow: an error was not told to it");
        }
    }
}

/// What the link shard does in each turn beside its sockets.
struct LinkBeat {
    lanes: Rc<Lanes>,
    supervisor: Rc<Supervisor>,
    driver: &'static str,
    board: Arc<Board>,
    reported: Option<Arc<Peers>>,
    next_report: Instant,
}

impl Beat for LinkBeat {
    fn turn(&mut self) -> bool {
        self.board.add(0, TURNS, 1);
        let mut names = Vec::new();
        let mut everything = false;
        let received = self
            .lanes
            .endpoint
            .borrow_mut()
            .receive(|_, received| match received {
                Received::Parcel(Parcel::Publish(scopes)) => names.extend(scopes),
                Received::Everything => everything = true,
                Received::Invalidation(_) | Received::Parcel(_) => {}
            });
        if everything || !names.is_empty() {
            self.supervisor.say(|node| {
                if everything {
                    node.publish_everything();
                }
                for name in &names {
                    node.publish(name);
                }
            });
        }
        self.report();
        self.lanes.endpoint.borrow_mut().flush();
        received > 0
    }

    fn may_sleep(&mut self, nothing_else: bool) -> bool {
        self.lanes.endpoint.borrow_mut().may_sleep(|| nothing_else)
    }

    fn woke(&mut self) {
        self.lanes.endpoint.borrow_mut().woke();
    }
}

impl LinkBeat {
    /// Tells health at once whether the link works, and the shards now and then all the rest.
    fn report(&mut self) {
        let connected = self.supervisor.is_connected();
        self.board.set(0, CONNECTED, u64::from(connected));
        self.board.set(0, WAITING, self.supervisor.waiting());
        let changed = self
            .reported
            .as_ref()
            .is_none_or(|peers| peers.connected != connected);
        if Instant::now() < self.next_report && !changed {
            return;
        }
        self.next_report = Instant::now() + REPORT_EVERY;
        let peers = Arc::new(self.supervisor.peers(self.driver));
        if self.reported.as_deref() == Some(&*peers) {
            return;
        }
        for shard in 0..self.lanes.shards() {
            // A lane without room gets the next report.
            let parcel = Parcel::Peers(Arc::clone(&peers));
            let sent = self.lanes.endpoint.borrow_mut().send(shard, parcel);
            if sent.is_err() {
                return;
            }
        }
        self.reported = Some(peers);
    }
}
