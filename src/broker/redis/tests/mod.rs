//! The driver on real servers, and on ones that misbehave.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::*;
use crate::broker::{Direction, PAYLOAD_MAX_BYTES, room};
use crate::runtime::timer::Timers;

mod cluster;
mod hostile;
mod real;
mod sentinel;
mod tls;

/// Whatever takes longer never comes.
const DEADLINE: Duration = Duration::from_secs(20);

/// The place where a test has its links.
struct Desk {
    context: Rc<LinkContext>,
    timers: Rc<Timers>,
}

/// Runs `work` where links can live.
fn at_desk<T: Send + 'static>(work: impl AsyncFnOnce(Desk) -> T + Send + 'static) -> T {
    let result = room::apart("0123456789abcdef", move |context, timers| {
        Box::pin(async move { work(Desk { context, timers }).await })
    });
    result.unwrap_or_else(|error| panic!("{error}"))
}

impl Desk {
    async fn soon<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        let deadline = Instant::now() + DEADLINE;
        let done = self.timers.within(deadline, work).await;
        done.unwrap_or_else(|| panic!("{what} was waited for, in vain"))
    }

    async fn connect(&self, broker: &mut RedisBroker) -> Result<Link, BrokerError> {
        self.soon("a link", broker.connect(&self.context)).await
    }

    /// Connects until it works, as the supervisor does.
    async fn connect_at_last(&self, broker: &mut RedisBroker) -> Link {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self.connect(broker).await {
                Ok(link) => return link,
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
            let pause = Instant::now() + Duration::from_millis(50);
            self.timers.sleep_until(pause).await;
        }
    }

    async fn receive(&self, link: &mut Link) -> Result<Vec<Vec<u8>>, BrokerError> {
        let mut payloads = Vec::new();
        let received = link.subscriber.receive(&mut payloads);
        self.soon("a payload", received).await.map(|()| payloads)
    }

    async fn publish(&self, link: &mut Link, payload: &str) -> Result<(), BrokerError> {
        let payloads = [payload.as_bytes().to_owned()];
        self.soon("a publication", link.publisher.publish(&payloads))
            .await
    }

    /// Publishes and waits for the same to come back.
    async fn works(&self, link: &mut Link) {
        let published = self.publish(link, "{\"a\":1}").await;
        assert_eq!(published, Ok(()));
        assert_eq!(self.receive(link).await, Ok(vec![b"{\"a\":1}".to_vec()]));
    }

    /// Receives until the link ends.
    async fn end(&self, link: &mut Link) -> BrokerError {
        loop {
            if let Err(error) = self.receive(link).await {
                return error;
            }
        }
    }
}

/// The error of one attempt.
fn refusal(mut broker: RedisBroker) -> BrokerError {
    let attempt = at_desk(async move |desk| desk.connect(&mut broker).await.map(|_| ()));
    let error = attempt.expect_err("no link");
    let shown = format!("{error} {error:?}");
    assert!(
        !shown.contains("geheim") && !shown.contains("127.0.0.1"),
        "{shown}"
    );
    error
}

fn shape(url: &str) -> Result<String, BrokerUrlError> {
    RedisBroker::from_url(url).map(|broker| {
        let servers = |servers: &[(String, u16)]| {
            let servers: Vec<String> = servers
                .iter()
                .map(|(host, port)| format!("{host}:{port}"))
                .collect();
            servers.join(" ")
        };
        let place = match &broker.place {
            Place::One(host, port) => format!("{host}:{port}"),
            Place::Sentinel { master, sentinels } => format!("{master} of {}", servers(sentinels)),
            Place::Cluster(list) => format!("cluster {}", servers(list)),
        };
        let tls = if broker.tls.is_some() { " tls" } else { "" };
        let user = broker.username.unwrap_or_default();
        format!("{user}@{place}{tls}")
    })
}

#[test]
fn urls() {
    for (url, broker) in [
        ("redis://h", "@h:6379"),
        ("redis://h:1/0", "@h:1"),
        ("rediss://u:p@h:1", "u@h:1 tls"),
        ("redis-sentinel://a,b:2/m", "@m of a:26379 b:2"),
        ("rediss-sentinel://a/m", "@m of a:26379 tls"),
        ("redis-cluster://a,b:2", "@cluster a:6379 b:2"),
        ("rediss-cluster://a/", "@cluster a:6379 tls"),
    ] {
        assert_eq!(shape(url).as_deref(), Ok(broker), "{url}");
    }
    for url in [
        "redis://a,b",
        "redis://a/x",
        "redis-sentinel://a",
        "redis-cluster://a/x",
    ] {
        let error = shape(url);
        assert!(matches!(error, Err(BrokerUrlError::Shape(_))), "{error:?}");
    }
    let scheme = shape("nats://a");
    assert!(matches!(scheme, Err(BrokerUrlError::Scheme { .. })));
}

#[test]
fn secrets_are_not_shown() {
    let broker = RedisBroker::from_url("redis://geheim1:geheim2@geheim3").expect("a good URL");
    assert!(!format!("{broker:?}").contains("geheim"), "{broker:?}");
}
