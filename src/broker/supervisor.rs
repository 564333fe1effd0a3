//! Keeps a link up: connects, watches, reconnects with backoff, and never gives up.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_lite::future::or;

use super::backoff::{Backoff, JITTER_PERCENT};
use super::link::{Broker, Link, LinkContext};
use super::node::{Effect, Node};
use super::{BrokerError, Direction, Heard, Peer, Peers};
use crate::runtime::timer::Timers;
use crate::runtime::{guarded, local, random, yield_now};

/// An attempt to connect may take so long.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// How often the clock is looked at: beacons are due, or overdue.
const WATCH_STEP: Duration = Duration::from_millis(50);

/// What becomes of effects; called on the link's thread.
pub(crate) trait Sink {
    /// These scopes, and if `everything` all others too, are stale on this node.
    fn stale(&self, effects: Vec<Effect>);
    /// A link was lost, or an attempt failed.
    fn failed(&self, error: &BrokerError);
}

/// The link of a node.
pub(crate) struct Supervisor {
    node: RefCell<Node>,
    timers: Rc<Timers>,
    context: LinkContext,
    sink: Rc<dyn Sink>,
    /// Wakes whoever waits for payloads.
    sayings: local::Waiters,
    started: Instant,
    backoff: Cell<Backoff>,
    /// A publication is under way since then.
    publishing_since: Cell<Option<Duration>>,
    failures: Cell<u64>,
}

impl Supervisor {
    pub fn new(
        node: Node,
        timers: Rc<Timers>,
        context: LinkContext,
        sink: Rc<dyn Sink>,
    ) -> Rc<Self> {
        Rc::new(Self {
            node: RefCell::new(node),
            timers,
            context,
            sink,
            sayings: local::Waiters::default(),
            started: Instant::now(),
            backoff: Cell::new(Backoff::new()),
            publishing_since: Cell::new(None),
            failures: Cell::new(0),
        })
    }

    /// What is published comes back.
    pub fn is_connected(&self) -> bool {
        self.node.borrow().is_connected()
    }

    /// Publications that have not come back.
    pub fn waiting(&self) -> u64 {
        self.node.borrow().waiting() as u64
    }

    /// Has the node say something.
    pub fn say(&self, say: impl FnOnce(&mut Node)) {
        say(&mut self.node.borrow_mut());
        self.sayings.wake();
    }

    /// What an app may know.
    pub fn peers(&self, driver: &'static str) -> Peers {
        let (node, now) = (self.node.borrow(), self.now());
        let counts = node.counts();
        let micros = |us: u64| (us > 0).then(|| Duration::from_micros(us));
        Peers {
            driver,
            node: node.id().to_string(),
            connected: node.is_connected(),
            publishing: node.works(Direction::Publishing, now),
            receiving: node.works(Direction::Receiving, now),
            lag: node.lag(),
            links: node.epoch(),
            failures: self.failures.get(),
            waiting: node.waiting() as u64,
            published: counts.published,
            received: counts.received,
            dropped: counts.dropped,
            gaps: counts.gaps,
            resyncs: counts.resyncs,
            peers: node
                .peers()
                .map(|(id, peer)| Peer {
                    id: id.to_string(),
                    build: peer.build.to_string(),
                    lag: micros(peer.lag_us),
                    heard_ago: now.saturating_sub(peer.heard_at),
                    gaps: peer.gaps,
                })
                .collect(),
            heard: node
                .heard()
                .map(|heard| Heard {
                    scope: heard.scope.as_str().to_owned(),
                    count: heard.count,
                    node: heard.node.to_string(),
                    ago: now.saturating_sub(heard.at),
                })
                .collect(),
        }
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Connects for ever.
    pub async fn run(self: Rc<Self>, mut broker: Box<dyn Broker>) {
        loop {
            let error = self.attempt(&mut *broker).await;
            self.node.borrow_mut().link_down();
            self.failures.set(self.failures.get() + 1);
            tracing::warn!(driver = broker.driver(), %error, "no link to the broker");
            self.sink.failed(&error);
            let pause = self.next_pause();
            self.timers.sleep_until(Instant::now() + pause).await;
        }
    }

    fn next_pause(&self) -> Duration {
        let mut backoff = self.backoff.get();
        let pause = backoff.pause(random::below(JITTER_PERCENT + 1));
        self.backoff.set(backoff);
        pause
    }

    /// One link, from its start to its end.
    async fn attempt(&self, broker: &mut dyn Broker) -> BrokerError {
        let opened = self
            .timers
            .within(
                Instant::now() + CONNECT_TIME,
                guarded(broker.connect(&self.context)),
            )
            .await;
        let link = match opened {
            None => {
                return BrokerError::TimedOut {
                    doing: "connecting",
                };
            }
            Some(Err(unwound)) => return panicked(&unwound.text),
            Some(Ok(Err(error))) => return error,
            Some(Ok(Ok(link))) => link,
        };
        let up = self.now();
        self.node.borrow_mut().link_up(up);
        tracing::debug!(
            driver = broker.driver(),
            "a link is open: waiting for its first beacon"
        );
        let end = guarded(self.live(link)).await;
        self.publishing_since.set(None);
        if self.is_connected() {
            let mut backoff = self.backoff.get();
            backoff.was_connected(self.now() - up);
            self.backoff.set(backoff);
        }
        end.unwrap_or_else(|unwound| panicked(&unwound.text))
    }

    /// Publishes, receives and watches, until one of them fails.
    async fn live(&self, link: Link) -> BrokerError {
        let Link {
            mut publisher,
            mut subscriber,
        } = link;
        let publish = async {
            loop {
                let payloads = self.node.borrow_mut().payloads(self.now());
                if payloads.is_empty() {
                    self.sayings
                        .until(|| self.node.borrow().has_payloads(self.now()))
                        .await;
                    continue;
                }
                self.publishing_since.set(Some(self.now()));
                if let Err(error) = publisher.publish(&payloads).await {
                    return error;
                }
                self.publishing_since.set(None);
            }
        };
        let receive = async {
            let mut payloads = Vec::new();
            loop {
                if let Err(error) = subscriber.receive(&mut payloads).await {
                    return error;
                }
                self.hear(&mut payloads);
                // A flood of messages must not keep the thread from its other work.
                yield_now().await;
            }
        };
        or(self.watch(), or(receive, publish)).await
    }

    fn hear(&self, payloads: &mut Vec<Vec<u8>>) {
        let now = self.now();
        let mut effects = Vec::new();
        {
            let mut node = self.node.borrow_mut();
            for payload in payloads.drain(..) {
                node.hear(&payload, now, &mut effects);
            }
        }
        self.follow(effects);
        // What came back made room, or has to be said again.
        self.sayings.wake();
    }

    fn follow(&self, effects: Vec<Effect>) {
        if effects.contains(&Effect::Connected) {
            tracing::info!("the link to the broker works in both directions");
        }
        if !effects.is_empty() {
            self.sink.stale(effects);
        }
    }

    async fn watch(&self) -> BrokerError {
        loop {
            self.timers.sleep_until(Instant::now() + WATCH_STEP).await;
            let mut effects = Vec::new();
            let verdict = self.node.borrow_mut().tick(self.now(), &mut effects);
            self.follow(effects);
            if let Err(error) = verdict {
                return self.narrowed(error);
            }
            self.sayings.wake();
        }
    }

    /// A publication that the broker does not take says which direction it is.
    fn narrowed(&self, error: BrokerError) -> BrokerError {
        match (error, self.publishing_since.get()) {
            (BrokerError::Silent { broken: None }, Some(_)) => BrokerError::Silent {
                broken: Some(Direction::Publishing),
            },
            (error, _) => error,
        }
    }
}

fn panicked(text: &str) -> BrokerError {
    tracing::error!(panic = text, "the broker panicked");
    BrokerError::Other {
        reason: "the broker panicked".to_owned(),
    }
}
