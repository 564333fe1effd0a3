//! Publishing and subscribing: one channel, plain or sharded.

use super::{Refusal, Value, command};

/// Which of the two kinds of channels; they don't hear each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    /// Those of `PUBLISH`, which reach all nodes of a cluster.
    Plain,
    /// Those of `SPUBLISH`, which stay in the shard of a cluster that the name belongs to.
    Sharded,
}

impl Channels {
    const fn words(self) -> Words {
        match self {
            Self::Plain => Words {
                subscribe: "SUBSCRIBE",
                publish: "PUBLISH",
                subscribed: "subscribe",
                unsubscribed: "unsubscribe",
                message: "message",
            },
            Self::Sharded => Words {
                subscribe: "SSUBSCRIBE",
                publish: "SPUBLISH",
                subscribed: "ssubscribe",
                unsubscribed: "sunsubscribe",
                message: "smessage",
            },
        }
    }
}

struct Words {
    subscribe: &'static str,
    publish: &'static str,
    subscribed: &'static str,
    unsubscribed: &'static str,
    message: &'static str,
}

/// Why a subscription or a publication failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PubSubError {
    /// The server refused it.
    #[error("the server refused ({})", .0.code())]
    Refused(Refusal),
    /// The server took the subscription away.
    #[error("the server took the subscription away")]
    Unsubscribed,
    /// An answer that fits no question.
    #[error("the server answered with something else")]
    Unexpected,
}

/// What a subscription heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// From now on messages come.
    Confirmed,
    /// A message.
    Message(Vec<u8>),
    /// A message that was too long to keep.
    TooLong,
    /// Something that is none of its business.
    Other,
}

/// A subscription to one channel.
#[derive(Debug)]
pub struct Subscription {
    channels: Channels,
    channel: Vec<u8>,
    confirmed: bool,
}

impl Subscription {
    /// A subscription that is still to be asked for.
    #[must_use]
    pub fn new(channels: Channels, channel: &str) -> Self {
        Self {
            channels,
            channel: channel.as_bytes().to_owned(),
            confirmed: false,
        }
    }

    /// Which kind of channel it is.
    #[must_use]
    pub fn channels(&self) -> Channels {
        self.channels
    }

    /// Appends the command that asks for it.
    pub fn request(&self, out: &mut Vec<u8>) {
        let subscribe = self.channels.words().subscribe.as_bytes();
        command(out, &[subscribe, &self.channel]);
    }

    /// Takes what the server said.
    ///
    /// # Errors
    /// [`PubSubError`].
    pub fn receive(&mut self, said: Value) -> Result<Heard, PubSubError> {
        let parts = match said {
            Value::Push(parts) | Value::List(parts) => parts,
            Value::TooLong if self.confirmed => return Ok(Heard::TooLong),
            Value::Error(refusal) => return Err(PubSubError::Refused(refusal)),
            _ => return Err(PubSubError::Unexpected),
        };
        let words = self.channels.words();
        let mut parts = parts.into_iter();
        let (Some(Value::Text(kind)), channel) = (parts.next(), parts.next()) else {
            return Err(PubSubError::Unexpected);
        };
        let is = |word: &str| kind == word.as_bytes();
        let is_ours = matches!(&channel, Some(Value::Text(name)) if *name == self.channel);
        if is(words.message) {
            return match parts.next() {
                Some(Value::Text(payload)) if is_ours && self.confirmed => {
                    Ok(Heard::Message(payload))
                }
                Some(Value::Text(_)) => Ok(Heard::Other),
                _ => Err(PubSubError::Unexpected),
            };
        }
        if is(words.subscribed) && is_ours {
            self.confirmed = true;
            return Ok(Heard::Confirmed);
        }
        // With a null instead of a channel: there was none left to leave.
        if is(words.unsubscribed) && (is_ours || channel == Some(Value::Null)) {
            return Err(PubSubError::Unsubscribed);
        }
        Ok(Heard::Other)
    }
}

/// Appends the command that publishes a payload.
pub fn publish(out: &mut Vec<u8>, channels: Channels, channel: &str, payload: &[u8]) {
    let word = channels.words().publish.as_bytes();
    command(out, &[word, channel.as_bytes(), payload]);
}

/// How many clients a publication reached; `None` when `said` is no reply to one.
///
/// # Errors
/// [`PubSubError`].
pub fn receivers(said: Value) -> Result<Option<u64>, PubSubError> {
    match said {
        Value::Number(count) => u64::try_from(count)
            .map(Some)
            .map_err(|_| PubSubError::Unexpected),
        Value::Push(_) => Ok(None),
        Value::Error(refusal) => Err(PubSubError::Refused(refusal)),
        _ => Err(PubSubError::Unexpected),
    }
}

#[cfg(test)]
mod tests;
