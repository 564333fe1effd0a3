//! What can be wrong with a link, without any secret: no password, no host, no address.

use std::io;

/// A direction of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From this node to the broker.
    Publishing,
    /// From the broker to this node.
    Receiving,
}

impl std::fmt::Display for Direction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Publishing => "publishing",
            Self::Receiving => "receiving",
        })
    }
}

/// Why a link was lost, or an attempt to open one failed.
///
/// Nothing in it is secret, so it may be logged and counted as it is: it names no host and no
/// address, and repeats nothing that a broker answered beyond the code word of the refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// The broker's name has no address at the moment.
    #[error("the broker's name could not be resolved: check --broker-url and the resolver")]
    Unresolved,
    /// No address took the connection.
    #[error("the broker can't be reached ({kind}): is it running, and is its port open?")]
    Unreachable {
        /// What the kernel said.
        kind: io::ErrorKind,
    },
    /// A step took too long.
    #[error("the broker did not answer in time while {doing}")]
    TimedOut {
        /// What was waited for, as in "connecting".
        doing: &'static str,
    },
    /// TLS failed.
    #[error("TLS to the broker failed: {reason}")]
    Tls {
        /// What is wrong with the certificate or the handshake.
        reason: String,
    },
    /// The broker refused the login.
    #[error("the broker refused the login ({code}): check user name, password or token")]
    Refused {
        /// The code word of the refusal, as in `WRONGPASS`.
        code: String,
    },
    /// The user lacks a right.
    #[error(
        "the broker denied a right for {direction} ({code}): see the guide for the rights that are needed"
    )]
    Denied {
        /// Which direction it stops.
        direction: Direction,
        /// The code word of the refusal, as in `NOPERM`.
        code: String,
    },
    /// A secret could not be read.
    #[error("the broker's {what} could not be read ({kind})")]
    Secret {
        /// Which secret, as in "password file".
        what: &'static str,
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// The connection ended.
    #[error("the broker closed the connection for {direction}")]
    Closed {
        /// Of which direction.
        direction: Direction,
    },
    /// The connection broke.
    #[error("the connection to the broker broke ({kind})")]
    Broken {
        /// What the kernel said.
        kind: io::ErrorKind,
    },
    /// The broker sent what its protocol does not allow, or more than is taken.
    #[error("the broker broke its protocol: {reason}")]
    Protocol {
        /// What was wrong, without the bytes.
        reason: &'static str,
    },
    /// The link is open, but what was published does not come back.
    #[error("what is published does not come back{}", .broken.map_or_else(String::new, |d| format!(": {d} is broken")))]
    Silent {
        /// Which direction it is, where that can be told.
        broken: Option<Direction>,
    },
    /// The broker asked to be left, or no longer is the one to talk to.
    #[error("the broker is leaving: {reason}")]
    Leaving {
        /// Why, as in "lame duck mode".
        reason: &'static str,
    },
    /// Anything else, of brokers of your own; put no secret into it.
    #[error("{reason}")]
    Other {
        /// What happened.
        reason: String,
    },
}
