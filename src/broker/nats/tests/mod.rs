//! Links to real `nats-server` processes, and to servers that are up to no good.

mod cluster;
mod hostile;
mod links;
mod logins;
mod setup;
mod tls;

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::NatsBroker;
use crate::broker::link::{Broker as _, Link, LinkContext};
use crate::broker::room::apart;
use crate::broker::{BrokerError, SecretSource};
use crate::runtime::timer::Timers;

const NODE: &str = "0123456789abcdef";

/// How long one test may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// A room for one test.
struct Bench {
    context: Rc<LinkContext>,
    timers: Rc<Timers>,
}

impl Bench {
    async fn open(&self, broker: &mut NatsBroker) -> Result<Link, BrokerError> {
        broker.connect(&self.context).await
    }

    /// What `work` gives within a moment; `None` when it is still at it.
    async fn within<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let moment = Instant::now() + Duration::from_millis(300);
        self.timers.within(moment, work).await
    }
}

/// Runs `work` on a thread with a link's room.
fn run<T: Send + 'static>(work: impl AsyncFnOnce(&Bench) -> T + Send + 'static) -> T {
    apart(NODE, move |context, timers| {
        Box::pin(async move {
            let bench = Bench { context, timers };
            let end = Instant::now() + PATIENCE;
            bench
                .timers
                .within(end, work(&bench))
                .await
                .expect("it ends in time")
        })
    })
    .expect("the room runs")
}

fn on(port: u16) -> NatsBroker {
    NatsBroker::new("127.0.0.1", port)
}

async fn publish(link: &mut Link, texts: &[&str]) -> Result<(), BrokerError> {
    let payloads: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    link.publisher.publish(&payloads).await
}

/// The next `count` payloads, as text.
async fn hear(link: &mut Link, count: usize) -> Result<Vec<String>, BrokerError> {
    let mut heard = Vec::new();
    while heard.len() < count {
        link.subscriber.receive(&mut heard).await?;
    }
    let texts = heard.into_iter().map(String::from_utf8);
    Ok(texts.map(|text| text.expect("it is text")).collect())
}

/// What ends the link.
async fn end(link: &mut Link) -> BrokerError {
    let mut heard = Vec::new();
    loop {
        if let Err(error) = link.subscriber.receive(&mut heard).await {
            return error;
        }
    }
}

/// Connects and hears itself.
fn try_link(mut broker: NatsBroker) -> Result<(), BrokerError> {
    run(async move |bench| {
        let mut link = bench.open(&mut broker).await?;
        publish(&mut link, &["own"]).await?;
        assert_eq!(hear(&mut link, 1).await?, ["own"]);
        Ok(())
    })
}

fn refused() -> Result<(), BrokerError> {
    Err(BrokerError::Refused {
        code: "Authorization Violation".to_owned(),
    })
}
