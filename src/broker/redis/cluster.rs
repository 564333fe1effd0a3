//! Sharded publish and subscribe on a Cluster
//! (<https://redis.io/docs/latest/develop/pubsub/#sharded-pubsub>).
//!
//! No map of the slots is kept: any server of the Cluster says by `MOVED` which one the channel
//! belongs to, and asking it so needs no right beyond that of subscribing.

use super::super::{BrokerError, Link};
use super::login::{Home, Visit};
use super::{RedisBroker, joined};
use crate::wire::resp::{Channels, Subscription};

/// How often one attempt goes where it is sent: more means that the servers disagree.
const HOPS_MAX: usize = 5;

/// Opens a link with the server that the channel belongs to.
pub(super) async fn open(
    broker: &mut RedisBroker,
    visit: &Visit<'_>,
    servers: &[(String, u16)],
) -> Result<Link, BrokerError> {
    let mut last = BrokerError::Unresolved;
    for _ in servers {
        let (host, port) = &servers[broker.turn % servers.len()];
        // Before the first wait, as with sentinels.
        broker.turn = broker.turn.wrapping_add(1);
        let mut subscription = Subscription::new(Channels::Sharded, &broker.channel);
        match find(visit, host, *port, &mut subscription).await {
            Ok(home) => {
                broker.turn = broker.turn.wrapping_sub(1);
                return Ok(joined(broker.halves(visit, home, subscription).await?));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Goes where it is sent until a subscription is confirmed.
async fn find(
    visit: &Visit<'_>,
    host: &str,
    port: u16,
    subscription: &mut Subscription,
) -> Result<Home, BrokerError> {
    let mut place = (host.to_owned(), port);
    for _ in 0..HOPS_MAX {
        let mut home = visit.connect(&place.0, place.1).await?;
        let Some(moved) = home.ask_to_subscribe(subscription).await? else {
            return Ok(home);
        };
        if let Some((host, port)) = moved.moved_to() {
            // Without a host it is the one that was asked.
            if !host.is_empty() {
                host.clone_into(&mut place.0);
            }
            place.1 = port;
        }
    }
    Err(BrokerError::Leaving {
        reason: "the servers of the cluster send each other's clients in a circle",
    })
}
