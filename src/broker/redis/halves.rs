//! The two halves of a link.

use futures_lite::future::or;

use super::super::link::{BrokerFuture, Publisher, Subscriber};
use super::super::{BrokerError, Direction};
use super::connection::Connection;
use super::sentinel::Watch;
use crate::wire::resp::{Channels, Heard, Subscription, publish, receivers};

/// Commands that are written at once, in bytes; more go out in several writes.
const WRITE_BYTES: usize = 128 * 1024;

pub(super) struct RedisPublisher {
    connection: Connection,
    channels: Channels,
    channel: String,
    /// Replies that are still to come; of a publication that was dropped in the middle too.
    owed: usize,
    /// This link's own subscription was among the receivers.
    was_heard: bool,
}

impl RedisPublisher {
    pub(super) fn new(connection: Connection, channels: Channels, channel: String) -> Self {
        Self {
            connection,
            channels,
            channel,
            owed: 0,
            was_heard: false,
        }
    }

    async fn hand_over(&mut self, payloads: &[Vec<u8>]) -> Result<(), BrokerError> {
        let mut commands = Vec::new();
        for (index, payload) in payloads.iter().enumerate() {
            publish(&mut commands, self.channels, &self.channel, payload);
            self.owed += 1;
            if commands.len() >= WRITE_BYTES || index + 1 == payloads.len() {
                self.connection.send(&commands).await?;
                commands.clear();
            }
        }
        while self.owed > 0 {
            let said = self.connection.next().await?;
            match receivers(said) {
                Ok(None) => {}
                Ok(Some(count)) => {
                    self.owed -= 1;
                    // A server that hears us on its own has at least one subscriber: this node. Behind
                    // a balancer the two connections may end at different servers, whose counts
                    // don't tell; there it was none from the start.
                    if count == 0 && self.was_heard {
                        return Err(BrokerError::Silent {
                            broken: Some(Direction::Receiving),
                        });
                    }
                    self.was_heard |= count > 0;
                }
                Err(error) => return Err(self.connection.refused(error)),
            }
        }
        Ok(())
    }
}

impl Publisher for RedisPublisher {
    fn publish<'a>(
        &'a mut self,
        payloads: &'a [Vec<u8>],
    ) -> BrokerFuture<'a, Result<(), BrokerError>> {
        Box::pin(self.hand_over(payloads))
    }
}

pub(super) struct RedisSubscriber {
    connection: Connection,
    subscription: Subscription,
    watch: Option<Watch>,
    told_of_long: bool,
}

impl RedisSubscriber {
    pub(super) fn new(connection: Connection, subscription: Subscription) -> Self {
        Self {
            connection,
            subscription,
            watch: None,
            told_of_long: false,
        }
    }

    pub(super) fn watched_by(mut self, watch: Watch) -> Self {
        self.watch = Some(watch);
        self
    }

    async fn hear(&mut self, into: &mut Vec<Vec<u8>>) -> Result<(), BrokerError> {
        let before = into.len();
        loop {
            let said = match self.connection.next_of_read()? {
                Some(said) => said,
                None if into.len() > before => return Ok(()),
                None => match &mut self.watch {
                    None => self.connection.next().await?,
                    Some(watch) => or(self.connection.next(), watch.until_switched()).await?,
                },
            };
            match self.subscription.receive(said) {
                Ok(Heard::Message(payload)) => into.push(payload),
                Ok(Heard::TooLong) => {
                    if !std::mem::replace(&mut self.told_of_long, true) {
                        tracing::warn!(
                            "a message on the broker's channel is too long to be from a node and was left out: does another app use this channel?"
                        );
                    }
                }
                Ok(Heard::Confirmed | Heard::Other) => {}
                Err(error) => return Err(self.connection.refused(error)),
            }
        }
    }
}

impl Subscriber for RedisSubscriber {
    fn receive<'a>(
        &'a mut self,
        into: &'a mut Vec<Vec<u8>>,
    ) -> BrokerFuture<'a, Result<(), BrokerError>> {
        Box::pin(self.hear(into))
    }
}
