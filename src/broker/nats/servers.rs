//! Which server is tried next.
//!
//! The servers that were given come first, then those that a server told about its cluster. An
//! attempt starts after the server that was tried last, whether that one refused, was lost later, or
//! swallowed the whole attempt: so no server stands before a good one for ever.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::wire::nats::Address;

/// A server, and the name that its certificate must be for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    pub address: Address,
    pub certified: String,
}

impl Server {
    fn given(host: &str, port: u16) -> Self {
        Self {
            address: Address {
                host: host.to_owned(),
                port,
            },
            certified: host.to_owned(),
        }
    }
}

/// What was learned of the cluster; shared by the links of a broker.
#[derive(Clone, Default)]
pub(super) struct Learned(Arc<Mutex<Vec<Server>>>);

impl Learned {
    fn lock(&self) -> MutexGuard<'_, Vec<Server>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what `teller` says: all of it, in place of what was known. A server that doesn't
    /// know its cluster says nothing, and then what was known stays.
    ///
    /// Clusters mostly tell bare addresses, which certificates seldom name: such a server has to show
    /// a certificate for the name of the one that told about it.
    pub(super) fn learn(&self, teller: &Server, addresses: &[Address]) {
        if addresses.is_empty() {
            return;
        }
        *self.lock() = addresses
            .iter()
            .map(|address| Server {
                certified: if address.host.parse::<IpAddr>().is_ok() {
                    teller.certified.clone()
                } else {
                    address.host.clone()
                },
                address: address.clone(),
            })
            .collect();
    }
}

/// All servers that are known.
pub(super) struct Servers {
    given: Vec<Server>,
    learned: Learned,
    tried: Option<Address>,
}

impl Servers {
    pub(super) fn of(host: &str, port: u16) -> Self {
        Self {
            given: vec![Server::given(host, port)],
            learned: Learned::default(),
            tried: None,
        }
    }

    pub(super) fn add(&mut self, host: &str, port: u16) {
        self.given.push(Server::given(host, port));
    }

    pub(super) fn learned(&self) -> &Learned {
        &self.learned
    }

    /// Each server once, in the order in which this attempt should try them.
    pub(super) fn turn(&self) -> Vec<Server> {
        let mut all: Vec<Server> = Vec::new();
        for server in self.given.iter().chain(self.learned.lock().iter()) {
            if !all.iter().any(|known| known.address == server.address) {
                all.push(server.clone());
            }
        }
        let tried = self.tried.as_ref();
        let last = all.iter().position(|server| tried == Some(&server.address));
        all.rotate_left(last.map_or(0, |last| last + 1));
        all
    }

    /// `server` is tried now.
    pub(super) fn trying(&mut self, server: &Server) {
        self.tried = Some(server.address.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(servers: &Servers) -> Vec<String> {
        let turn = servers.turn();
        turn.into_iter().map(|server| server.address.host).collect()
    }

    fn address(host: &str) -> Address {
        Address {
            host: host.to_owned(),
            port: 1,
        }
    }

    #[test]
    fn an_attempt_starts_after_the_server_that_was_tried_last() {
        let mut servers = Servers::of("a", 1);
        servers.add("b", 1);
        servers.add("a", 1);
        assert_eq!(hosts(&servers), ["a", "b"]);
        let first = servers.turn().remove(0);
        servers.trying(&first);
        assert_eq!(hosts(&servers), ["b", "a"]);
        let second = servers.turn().remove(0);
        servers.trying(&second);
        assert_eq!(hosts(&servers), ["a", "b"]);
    }

    #[test]
    fn servers_of_the_cluster_come_after_the_given_and_are_replaced_by_news() {
        let servers = Servers::of("a", 1);
        let teller = servers.turn().remove(0);
        let learned = servers.learned().clone();
        learned.learn(&teller, &[address("c"), address("a"), address("10.0.0.1")]);
        assert_eq!(hosts(&servers), ["a", "c", "10.0.0.1"]);
        let certified: Vec<String> = servers.turn().into_iter().map(|s| s.certified).collect();
        assert_eq!(certified, ["a", "c", "a"]);
        learned.learn(&teller, &[]);
        assert_eq!(hosts(&servers), ["a", "c", "10.0.0.1"]);
        learned.learn(&teller, &[address("d")]);
        assert_eq!(hosts(&servers), ["a", "d"]);
    }

    #[test]
    fn a_tried_server_that_left_the_cluster_does_not_hide_the_others() {
        let mut servers = Servers::of("a", 1);
        let teller = servers.turn().remove(0);
        let learned = servers.learned().clone();
        learned.learn(&teller, &[address("b")]);
        let last = servers.turn().remove(1);
        servers.trying(&last);
        learned.learn(&teller, &[address("c")]);
        assert_eq!(hosts(&servers), ["a", "c"]);
    }
}
