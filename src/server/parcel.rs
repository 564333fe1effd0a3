//! What travels whole between shards: requests, their answers, sockets, scopes by name.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::http::Response;
use crate::http::tls::Session;
use crate::peers::Peers;
use crate::runtime::mailbox::Ticket;
use crate::wire::id::ContextId;

/// One thing on its way to another shard.
pub(crate) enum Parcel {
    /// Work for a context that lives there, or is to live there.
    Request { reply: usize, work: Box<Work> },
    /// The answer to it.
    Response {
        reply: usize,
        response: Box<Response>,
    },
    /// A socket that becomes a stream there, and its TLS session, if it has one.
    Stream(Box<HandedStream>, Option<Box<Session>>),
    /// A broadcast whose scope has to be named.
    Broadcast(String),
    /// Scopes for the other nodes: to the link shard.
    Publish(Vec<String>),
    /// What the link shard knows of the other nodes.
    Peers(Arc<Peers>),
}

/// What a shard does for a context.
pub(crate) enum Work {
    Page(PageRequest),
    Action(ActionRequest),
    /// The browser leaves the page.
    Close {
        id: ContextId,
        session: Option<[u8; 16]>,
    },
}

/// A page to be rendered.
pub(crate) struct PageRequest {
    pub page: u16,
    pub path: String,
    pub params: Vec<String>,
    pub session: [u8; 16],
    /// The `Set-Cookie` line of its session, where it is made or renewed.
    pub set_cookie: Option<String>,
    pub theme: &'static str,
}

/// A click.
pub(crate) struct ActionRequest {
    pub id: ContextId,
    pub session: Option<[u8; 16]>,
    pub name: String,
    pub key: Option<u64>,
    pub arguments: Vec<Box<RawValue>>,
    pub inputs: Vec<(String, Box<RawValue>)>,
}

/// A stream on its way to the shard of its page.
pub(crate) struct HandedStream {
    pub socket: HandedSocket,
    pub target: StreamTarget,
}

/// What a request for a stream says.
#[derive(Clone, Copy)]
pub(crate) struct StreamTarget {
    pub id: ContextId,
    pub session: Option<[u8; 16]>,
    pub last_event: Option<u64>,
    /// Its events are to be compressed.
    pub gzip: bool,
    /// No proxy is between: the browser's own limit of connections counts.
    pub direct: bool,
}

/// The descriptor of a socket on its way to another shard.
pub(crate) enum HandedSocket {
    /// Of the sender's table, which is the receiver's too, or not yet sent ahead.
    Own(OwnedFd),
    /// It lies in the receiver's mailbox.
    Sent(Ticket),
}
