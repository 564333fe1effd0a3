//! What an app may know of the link and of the other nodes.

use std::time::Duration;

/// What this node knows of its link, and of the nodes that it hears.
///
/// Times are those of the moment at which it was drawn up, which is at most a second ago.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peers {
    /// The broker's name, as `/_health` has it.
    pub driver: &'static str,
    /// The id of this node: 16 hex digits, drawn at its start.
    pub node: String,
    /// What is published comes back. Without a link to other nodes, always.
    pub connected: bool,
    /// What is said here reaches the broker.
    pub publishing: bool,
    /// What others say reaches this node.
    pub receiving: bool,
    /// How long this node's last beacon took to the broker and back.
    pub lag: Option<Duration>,
    /// Links opened since the start.
    pub links: u64,
    /// Links lost and attempts failed since the start.
    pub failures: u64,
    /// Scopes that wait to be published, or whose publication has not come back.
    pub waiting: u64,
    /// Publications since the start.
    pub published: u64,
    /// Messages of other nodes since the start.
    pub received: u64,
    /// Messages that could not be used.
    pub dropped: u64,
    /// Messages that were found missing, here or on their way to the broker.
    pub gaps: u64,
    /// How often everything was made stale, since something may have been missed.
    pub resyncs: u64,
    /// The nodes that are heard, in the order of their ids.
    pub peers: Vec<Peer>,
    /// What other nodes made stale, the newest first; the last twenty scopes.
    pub heard: Vec<Heard>,
}

/// Another node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// Its id.
    pub id: String,
    /// What it runs.
    pub build: String,
    /// How long its last beacon took to the broker and back, as it says.
    pub lag: Option<Duration>,
    /// How long ago it was heard.
    pub heard_ago: Duration,
    /// How often something of it was missing.
    pub gaps: u64,
}

/// A scope that other nodes made stale.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Heard {
    /// Its name.
    pub scope: String,
    /// How often, since it is listed.
    pub count: u64,
    /// Who did it last.
    pub node: String,
    /// How long ago.
    pub ago: Duration,
}

impl Peers {
    /// Of a node without a link: nothing to be connected to, so nothing that is missing.
    pub(crate) fn without_link(driver: &'static str, node: String) -> Self {
        Self {
            driver,
            node,
            connected: true,
            publishing: true,
            receiving: true,
            lag: None,
            links: 0,
            failures: 0,
            waiting: 0,
            published: 0,
            received: 0,
            dropped: 0,
            gaps: 0,
            resyncs: 0,
            peers: Vec::new(),
            heard: Vec::new(),
        }
    }
}
