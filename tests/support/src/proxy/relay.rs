//! The proxy's only thread: it sleeps until a socket, a delay or an order is due.

use std::collections::VecDeque;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::SockRef;

use super::link::{Link, wanted};
use super::{Cut, Flow};

pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    pub(super) changed: Condvar,
    pub(super) waker: UnixStream,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) orders: VecDeque<Order>,
    pub(super) orders_given: u64,
    pub(super) orders_done: u64,
    pub(super) target_port: u16,
    pub(super) refusing: bool,
    /// When the network comes back by itself.
    pub(super) back_at: Option<Instant>,
    pub(super) delay: Duration,
    pub(super) to_server: Flow,
    pub(super) to_client: Flow,
    pub(super) reply_cut: Option<ReplyCut>,
    pub(super) edit_to_server: Option<Edit>,
    pub(super) edit_to_client: Option<Edit>,
    pub(super) accepted: usize,
    pub(super) open: usize,
    pub(super) most_open: usize,
    pub(super) held_to_server: usize,
    pub(super) held_to_client: usize,
}

pub(super) struct ReplyCut {
    pub(super) request: Vec<u8>,
    pub(super) left: usize,
}

/// Changes bytes on their way, and may order a cut behind them.
pub(super) type Edit = Box<dyn FnMut(&mut Vec<u8>) -> Option<Cut> + Send>;

pub(super) enum Order {
    Change(Box<dyn FnOnce(&mut State) + Send>),
    Cut(Cut),
    End,
}

impl Shared {
    pub(super) fn new(target_port: u16, waker: UnixStream) -> Self {
        let state = Mutex::new(State {
            target_port,
            ..State::default()
        });
        Self {
            state,
            changed: Condvar::new(),
            waker,
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Relay {
    pub(super) listener: TcpListener,
    pub(super) woken: UnixStream,
    pub(super) links: Vec<Link>,
    pub(super) shared: Arc<Shared>,
}

impl Relay {
    pub(super) fn run(mut self) {
        loop {
            self.sleep_until_something_happens();
            let mut sink = [0; 64];
            while matches!(self.woken.read(&mut sink), Ok(count) if count > 0) {}
            let shared = Arc::clone(&self.shared);
            {
                let mut state = shared.state();
                if state.back_at.is_some_and(|at| at <= Instant::now()) {
                    state.back_at = None;
                    state.refusing = false;
                }
            }
            self.accept();
            let mut state = shared.state();
            for link in &mut self.links {
                link.pump(&mut state);
            }
            let ended = self.carry_out(&mut state);
            self.links.retain(|link| !link.dead);
            state.open = self.links.len();
            state.most_open = state.most_open.max(state.open);
            state.held_to_server = self
                .links
                .iter()
                .map(|link| link.to_server.held_bytes)
                .sum();
            state.held_to_client = self
                .links
                .iter()
                .map(|link| link.to_client.held_bytes)
                .sum();
            shared.changed.notify_all();
            if ended {
                return;
            }
        }
    }

    fn carry_out(&mut self, state: &mut State) -> bool {
        let mut ended = false;
        while let Some(order) = state.orders.pop_front() {
            state.orders_done += 1;
            match order {
                Order::Change(change) => change(state),
                Order::Cut(cut) => self.links.iter_mut().for_each(|link| link.cut(cut)),
                Order::End => {
                    self.links.iter_mut().for_each(|link| link.cut(Cut::Reset));
                    ended = true;
                }
            }
        }
        ended
    }

    fn accept(&mut self) {
        while let Ok((client, _)) = self.listener.accept() {
            let (target, refusing) = {
                let mut state = self.shared.state();
                state.accepted += 1;
                (state.target_port, state.refusing)
            };
            // Loopback answers at once: a connect can't keep the other links waiting.
            let server = if refusing {
                None
            } else {
                TcpStream::connect((Ipv4Addr::LOCALHOST, target)).ok()
            };
            let Some(server) = server else {
                let _ = SockRef::from(&client).set_linger(Some(Duration::ZERO));
                continue;
            };
            self.links.extend(Link::new(client, server));
        }
    }

    fn sleep_until_something_happens(&self) {
        let mut fds = vec![
            PollFd::new(&self.listener, PollFlags::IN),
            PollFd::new(&self.woken, PollFlags::IN),
        ];
        let mut due;
        {
            let state = self.shared.state();
            due = state.back_at;
            for link in &self.links {
                let client = wanted(&link.to_server, &link.to_client, state.to_client);
                let server = wanted(&link.to_client, &link.to_server, state.to_server);
                // A socket that wants nothing stays out: poll would report its hang-up for ever.
                if !client.is_empty() {
                    fds.push(PollFd::new(&link.client, client));
                }
                if !server.is_empty() {
                    fds.push(PollFd::new(&link.server, server));
                }
                for pipe in [&link.to_server, &link.to_client] {
                    let first = pipe
                        .pieces
                        .front()
                        .map(|(at, _)| *at)
                        .filter(|at| *at > Instant::now());
                    due = [due, first].into_iter().flatten().min();
                }
            }
        }
        let timeout = due.map(|at| {
            let wait = at.saturating_duration_since(Instant::now());
            Timespec::try_from(wait).expect("a test's delay fits")
        });
        // An interrupted sleep is an early look, which does no harm.
        let _ = poll(&mut fds, timeout.as_ref());
    }
}
