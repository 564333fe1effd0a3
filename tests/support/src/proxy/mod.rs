//! A TCP proxy that misbehaves on command: cuts, delays, holds back, loses.
//!
//! One thread owns every socket, so a cut is done when the call returns: the test's orders are
//! queued under a lock, the thread is woken through a socket pair, and the caller waits until its
//! order is carried out.

mod link;
mod relay;

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use relay::{Order, Relay, ReplyCut, Shared, State};

use crate::deadline::{DEADLINE, Deadline};

/// The way of bytes through the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the browser to the server.
    ToServer,
    /// From the server to the browser.
    ToClient,
}

/// What happens to the bytes of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flow {
    /// They go on.
    #[default]
    Pass,
    /// They wait inside the network, and go on when the flow passes again: a dead link.
    Hold,
    /// They are lost for good, and so is the connection's sense.
    Lose,
}

/// How a connection is cut, on both sides at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Orderly, by FIN.
    Fin,
    /// By a reset.
    Reset,
}

/// A proxy in front of a server on loopback. Dropping it resets its connections.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts a proxy in front of `target_port`.
    pub fn start(target_port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback is there");
        listener
            .set_nonblocking(true)
            .expect("a listener can be non-blocking");
        let port = listener.local_addr().expect("it is bound").port();
        let (waker, woken) = UnixStream::pair().expect("a socket pair can be made");
        woken
            .set_nonblocking(true)
            .expect("a socket can be non-blocking");
        let shared = Arc::new(Shared::new(target_port, waker));
        let thread = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                Relay {
                    listener,
                    woken,
                    links: Vec::new(),
                    shared,
                }
                .run()
            }
        });
        Self {
            port,
            shared,
            thread: Some(thread),
        }
    }

    /// The port that the proxy listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `http://127.0.0.1:PORT`.
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How many connections were accepted in all.
    pub fn accepted(&self) -> usize {
        self.shared.state().accepted
    }

    /// How many connections are open now.
    pub fn open(&self) -> usize {
        self.shared.state().open
    }

    /// How many connections were open at once, at most.
    pub fn most_open(&self) -> usize {
        self.shared.state().most_open
    }

    /// Waits until exactly this many connections are open.
    pub fn wait_open(&self, count: usize) {
        self.wait("open connections", |state| {
            (state.open == count, state.open)
        });
    }

    /// Cuts every open connection.
    pub fn cut(&self, cut: Cut) {
        self.order(Order::Cut(cut));
    }

    /// Resets new connections as soon as they come, or takes them again; open ones live on.
    pub fn refuse(&self, refusing: bool) {
        self.change(move |state| state.refusing = refusing);
    }

    /// The network is away: open connections are reset, new ones too, until [`Proxy::back`].
    pub fn away(&self) {
        self.refuse(true);
        self.cut(Cut::Reset);
    }

    /// The network is away for so long, and then comes back by itself.
    pub fn away_for(&self, time: Duration) {
        self.away();
        self.change(move |state| state.back_at = Some(Instant::now() + time));
    }

    /// Waits until the network that is away for a while has come back.
    pub fn wait_back(&self) {
        let left = self.shared.state().back_at;
        let left = left.map_or(Duration::ZERO, |at| {
            at.saturating_duration_since(Instant::now())
        });
        self.wait_within(DEADLINE + left, "the network", |state| {
            (state.back_at.is_none(), usize::from(state.refusing))
        });
    }

    /// The network is there again.
    pub fn back(&self) {
        self.refuse(false);
    }

    /// Each piece of bytes waits this long, in both directions.
    pub fn delay(&self, delay: Duration) {
        self.change(move |state| state.delay = delay);
    }

    /// What happens to the bytes of one direction from now on.
    pub fn flow(&self, direction: Direction, flow: Flow) {
        self.change(move |state| match direction {
            Direction::ToServer => state.to_server = flow,
            Direction::ToClient => state.to_client = flow,
        });
    }

    /// Shows each piece of this direction to `edit`, as it was read, before it goes on: `edit` may
    /// change it, and order a cut of its connection for when it has gone on.
    pub fn edit(
        &self,
        direction: Direction,
        edit: impl FnMut(&mut Vec<u8>) -> Option<Cut> + Send + 'static,
    ) {
        self.change(move |state| match direction {
            Direction::ToServer => state.edit_to_server = Some(Box::new(edit)),
            Direction::ToClient => state.edit_to_client = Some(Box::new(edit)),
        });
    }

    /// Waits until the proxy holds bytes of this direction back.
    pub fn wait_held(&self, direction: Direction) {
        self.wait("held bytes", |state| {
            let held = match direction {
                Direction::ToServer => state.held_to_server,
                Direction::ToClient => state.held_to_client,
            };
            (held > 0, held)
        });
    }

    /// Resets the next `count` connections whose request holds `request` (`POST /_action/add`, say)
    /// at the moment when the server answers: it has worked, the browser doesn't know.
    pub fn cut_replies_to(&self, request: &str, count: usize) {
        let request = request.as_bytes().to_owned();
        self.change(move |state| {
            state.reply_cut = Some(ReplyCut {
                request,
                left: count,
            })
        });
    }

    /// How many of those replies are still to be cut.
    pub fn reply_cuts_left(&self) -> usize {
        self.shared
            .state()
            .reply_cut
            .as_ref()
            .map_or(0, |cut| cut.left)
    }

    /// Waits until all of those replies are cut.
    pub fn wait_replies_cut(&self) {
        self.wait("replies left to cut", |state| {
            let left = state.reply_cut.as_ref().map_or(0, |cut| cut.left);
            (left == 0, left)
        });
    }

    /// Sends new connections to another port: the server was restarted.
    pub fn retarget(&self, target_port: u16) {
        self.change(move |state| state.target_port = target_port);
    }

    fn wait(&self, what: &str, look: impl Fn(&State) -> (bool, usize)) {
        self.wait_within(DEADLINE, what, look);
    }

    fn wait_within(&self, patience: Duration, what: &str, look: impl Fn(&State) -> (bool, usize)) {
        let deadline = Deadline::after(patience);
        let mut state = self.shared.state();
        loop {
            let (reached, now) = look(&state);
            if reached {
                return;
            }
            let left = deadline
                .left()
                .unwrap_or_else(|_| panic!("waited in vain for {what}; now {now}"));
            state = self
                .shared
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn change(&self, change: impl FnOnce(&mut State) + Send + 'static) {
        self.order(Order::Change(Box::new(change)));
    }

    /// Gives an order and waits until it is carried out. What had arrived before the order goes the
    /// old way.
    fn order(&self, order: Order) {
        let number = {
            let mut state = self.shared.state();
            state.orders.push_back(order);
            state.orders_given += 1;
            state.orders_given
        };
        (&self.shared.waker)
            .write_all(b"!")
            .expect("the proxy's thread lives");
        self.wait("orders done", |state| {
            (
                state.orders_done >= number,
                usize::try_from(state.orders_done).unwrap_or(usize::MAX),
            )
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if self
            .thread
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
        {
            self.order(Order::End);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
