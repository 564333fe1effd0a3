//! What is wrong on the wire, as what is wrong with the link.

use crate::broker::{BrokerError, Direction};
use crate::wire::nats::{KeyError, Refusal, SessionError};

/// The code word of refusals that have none of their own.
const PERMISSIONS: &str = "Permissions Violation";

impl From<SessionError> for BrokerError {
    fn from(error: SessionError) -> Self {
        let reason = match error {
            SessionError::Refused(refusal) => return refused(refusal),
            SessionError::LameDuck => {
                return Self::Leaving {
                    reason: "lame duck mode",
                };
            }
            SessionError::NoNonce | SessionError::PayloadTooLong { .. } => {
                return Self::Other {
                    reason: error.to_string(),
                };
            }
            SessionError::Frame(_) => {
                "what it sent is no frame of NATS, or a longer one than is taken"
            }
            SessionError::OutOfTurn(what) => what,
            SessionError::Info => "its INFO can't be read",
            SessionError::Subscription => "a message of a subscription that nobody made",
            SessionError::Pings => "it pings without reading the answers",
        };
        Self::Protocol { reason }
    }
}

fn refused(refusal: Refusal) -> BrokerError {
    let denied = |direction| BrokerError::Denied {
        direction,
        code: PERMISSIONS.to_owned(),
    };
    match refusal {
        Refusal::Login(code) => BrokerError::Refused {
            code: code.to_owned(),
        },
        Refusal::Publish => denied(Direction::Publishing),
        Refusal::Subscribe => denied(Direction::Receiving),
        Refusal::TlsRequired => BrokerError::Tls {
            reason: "the server requires TLS".to_owned(),
        },
        Refusal::Stale(reason) => BrokerError::Leaving { reason },
        Refusal::SlowConsumer => BrokerError::Leaving {
            reason: "this node reads more slowly than others publish (Slow Consumer)",
        },
        Refusal::ShuttingDown => BrokerError::Leaving {
            reason: "it shuts down",
        },
        Refusal::Full { code, setting } => BrokerError::Other {
            reason: format!("the NATS server has no room ({code}): raise {setting} on the server"),
        },
        Refusal::PayloadTooLong => BrokerError::Other {
            reason: "a message is longer than the NATS server takes (Maximum Payload Violation): raise max_payload to 65536".to_owned(),
        },
        Refusal::Protocol(reason) => BrokerError::Protocol { reason },
        Refusal::Unknown => BrokerError::Protocol {
            reason: "it refused for a reason that is not known here; its own log tells",
        },
    }
}

/// A key or a credentials file that is of no use.
pub(super) fn unusable(error: KeyError) -> BrokerError {
    BrokerError::Other {
        reason: error.to_string(),
    }
}
