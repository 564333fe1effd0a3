//! Sentinel: which server is the master, and when that changes
//! (<https://redis.io/docs/latest/develop/reference/sentinel-clients/>).
//!
//! A master that was replaced may still take connections, cut off from everybody else. Therefore the
//! connection to the sentinel stays open: its word, or its end, ends the link.

use super::super::{BrokerError, Direction, Link};
use super::connection::{Connection, broken, refused};
use super::login::Visit;
use super::{RedisBroker, joined};
use crate::wire::resp::{Channels, RespError, Subscription, Value, command};

const SWITCHES: &str = "+switch-master";

/// Hears from a sentinel.
pub(super) struct Watch {
    connection: Connection,
    master: String,
}

impl Watch {
    /// Waits for the master to change; never gives a value.
    pub(super) async fn until_switched(&mut self) -> Result<Value, BrokerError> {
        loop {
            let said = self
                .connection
                .next()
                .await
                .map_err(|_| BrokerError::Leaving {
                    reason: "the sentinel that watches it is gone",
                })?;
            if self.is_switch(&said) {
                return Err(BrokerError::Leaving {
                    reason: "the sentinels chose another master",
                });
            }
        }
    }

    /// `message`, the channel, and `<master> <old host> <old port> <new host> <new port>`.
    fn is_switch(&self, said: &Value) -> bool {
        let Value::List(parts) = said else {
            return false;
        };
        let [kind, channel, text] = parts.as_slice() else {
            return false;
        };
        kind.as_text() == Some(b"message")
            && channel.as_text() == Some(SWITCHES.as_bytes())
            && text
                .as_text()
                .and_then(|text| text.strip_prefix(self.master.as_bytes()))
                .is_some_and(|rest| rest.starts_with(b" "))
    }
}

/// Opens a link with the master that the first sentinel that answers names.
pub(super) async fn open(
    broker: &mut RedisBroker,
    visit: &Visit<'_>,
    master: &str,
    sentinels: &[(String, u16)],
) -> Result<Link, BrokerError> {
    let mut last = BrokerError::Unresolved;
    for _ in sentinels {
        let (host, port) = &sentinels[broker.turn % sentinels.len()];
        // Before the first wait: an attempt that is dropped because this one is silent leaves the
        // next attempt to the next one.
        broker.turn = broker.turn.wrapping_add(1);
        match ask(visit, master, host, *port).await {
            Ok((watch, (host, port))) => {
                let mut subscription = Subscription::new(Channels::Plain, &broker.channel);
                let mut home = visit.connect(&host, port).await?;
                home.refuse_replica()?;
                home.subscribe(&mut subscription).await?;
                let (publisher, subscriber) = broker.halves(visit, home, subscription).await?;
                broker.turn = broker.turn.wrapping_sub(1);
                return Ok(joined((publisher, subscriber.watched_by(watch))));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Asks one sentinel, and listens to it from then on.
async fn ask(
    visit: &Visit<'_>,
    master: &str,
    host: &str,
    port: u16,
) -> Result<(Watch, (String, u16)), BrokerError> {
    let mut connection = visit.call(host, port).await?;
    // In one write, so that no change can come between the answer and the subscription.
    let mut questions = Vec::new();
    let address: [&[u8]; 3] = [b"SENTINEL", b"get-master-addr-by-name", master.as_bytes()];
    command(&mut questions, &address);
    command(&mut questions, &[b"SUBSCRIBE", SWITCHES.as_bytes()]);
    connection.send(&questions).await?;
    let mut answer = connection.next().await?;
    if let (true, Some(auth)) = (is_closed(&answer), visit.auth()) {
        connection.next().await?;
        let mut again = Vec::new();
        command(&mut again, &auth);
        again.extend_from_slice(&questions);
        connection.send(&again).await?;
        if let Value::Error(refusal) = connection.next().await? {
            let code = refusal.code().to_owned();
            return Err(BrokerError::Refused { code });
        }
        answer = connection.next().await?;
    }
    let place = place_of(&answer)?;
    match connection.next().await? {
        Value::List(_) => {}
        Value::Error(refusal) => return Err(refused(Direction::Receiving, &refusal)),
        _ => return Err(broken(RespError::Content)),
    }
    let watch = Watch {
        connection,
        master: master.to_owned(),
    };
    Ok((watch, place))
}

/// It wants a login first.
fn is_closed(answer: &Value) -> bool {
    matches!(answer, Value::Error(refusal) if refusal.code() == "NOAUTH")
}

fn place_of(answer: &Value) -> Result<(String, u16), BrokerError> {
    let parts = match answer {
        Value::List(parts) => parts.as_slice(),
        Value::Null => {
            return Err(BrokerError::Other {
                reason: "the sentinel does not know the master: check the name".to_owned(),
            });
        }
        Value::Error(refusal) => return Err(refused(Direction::Receiving, refusal)),
        _ => &[],
    };
    let text = |value: &Value| {
        std::str::from_utf8(value.as_text()?)
            .ok()
            .map(str::to_owned)
    };
    let [host, port] = parts else {
        return Err(broken(RespError::Content));
    };
    let port = text(port).and_then(|port| port.parse().ok());
    text(host).zip(port).ok_or(broken(RespError::Content))
}
