//! One connection: commands out, replies in; and what refusals mean for a link.

use super::super::tls::Wire;
use super::super::{BrokerError, Direction};
use crate::wire::resp::{Decoder, Protocol, PubSubError, Refusal, RespError, Value};

/// Room for one read, in bytes.
const READ_BYTES: usize = 16 * 1024;

pub(super) struct Connection {
    wire: Wire,
    decoder: Decoder,
    room: Box<[u8]>,
    pub direction: Direction,
}

impl Connection {
    pub(super) fn new(wire: Wire, protocol: Protocol) -> Self {
        Self {
            wire,
            decoder: Decoder::new(protocol),
            room: vec![0; READ_BYTES].into(),
            direction: Direction::Receiving,
        }
    }

    pub(super) fn speak(&mut self, protocol: Protocol) {
        self.decoder.speak(protocol);
    }

    pub(super) async fn send(&self, bytes: &[u8]) -> Result<(), BrokerError> {
        self.wire.write_all(bytes).await
    }

    /// The next reply.
    pub(super) async fn next(&mut self) -> Result<Value, BrokerError> {
        loop {
            if let Some(value) = self.next_of_read()? {
                return Ok(value);
            }
            let direction = self.direction;
            match self.wire.read(&mut self.room).await? {
                0 => return Err(BrokerError::Closed { direction }),
                count => self.decoder.feed(&self.room[..count]),
            }
        }
    }

    /// The next reply of what was read already.
    pub(super) fn next_of_read(&mut self) -> Result<Option<Value>, BrokerError> {
        self.decoder.next().map_err(broken)
    }

    pub(super) fn refused(&self, error: PubSubError) -> BrokerError {
        match error {
            PubSubError::Refused(refusal) => refused(self.direction, &refusal),
            PubSubError::Unsubscribed => BrokerError::Silent {
                broken: Some(Direction::Receiving),
            },
            PubSubError::Unexpected => broken(RespError::Content),
        }
    }
}

pub(super) fn broken(error: RespError) -> BrokerError {
    BrokerError::Protocol {
        reason: error.reason(),
    }
}

/// What it means for a link that the server refuses a command.
pub(super) fn refused(direction: Direction, refusal: &Refusal) -> BrokerError {
    let code = refusal.code().to_owned();
    let leaving = |reason| BrokerError::Leaving { reason };
    match code.as_str() {
        "NOPERM" => BrokerError::Denied { direction, code },
        "NOAUTH" | "WRONGPASS" => BrokerError::Refused { code },
        "LOADING" | "MASTERDOWN" => leaving("it is not ready: it loads its data, or its master is gone"),
        "READONLY" => leaving("it became a replica"),
        "MOVED" | "ASK" | "TRYAGAIN" => leaving("the channel's slot of the cluster has moved"),
        "CLUSTERDOWN" => leaving("the cluster is down"),
        "BUSY" => leaving("a script or a function keeps it busy"),
        _ if refusal.is_unknown_command() => BrokerError::Other {
            reason: "the broker does not know a command: sharded publish and subscribe needs Redis 7 or Valkey, and a proxy in between must pass it on".to_owned(),
        },
        _ => BrokerError::Other {
            reason: format!("the broker refused a command for {direction} ({code})"),
        },
    }
}
