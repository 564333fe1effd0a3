//! Whether a broker keeps the contract of [`Broker`]: for those that you write yourself.
//!
//! ```
//! use autovia::MeshBroker;
//! use autovia::broker::conformance;
//!
//! let broker = MeshBroker::default();
//! conformance::check(move || broker.clone()).expect("it keeps the contract");
//! ```

use std::fmt::Write;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::link::{Broker, BrokerFuture, Link, LinkContext, Reach};
use super::room::apart;
use crate::runtime::timer::Timers;

/// How long one step may take.
const STEP_TIME: Duration = Duration::from_secs(5);

/// Payloads of the check of order.
const MANY: usize = 2_000;

/// A clause of the contract that is not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{clause}: {what}")]
pub struct Failure {
    /// Which clause, as in "hears itself".
    pub clause: &'static str,
    /// What happened instead.
    pub what: String,
}

type Checked = Result<(), Failure>;

fn fail(clause: &'static str, what: impl Into<String>) -> Failure {
    Failure {
        clause,
        what: what.into(),
    }
}

/// Runs all checks on brokers of `make`, each of which is joined to all others that it makes: the
/// same server and the same channel, which nothing else uses. Takes seconds; returns at the first
/// clause that is not kept.
///
/// # Errors
/// [`Failure`].
pub fn check<B: Broker>(make: impl Fn() -> B + Send + 'static) -> Checked {
    let work =
        move |context: Rc<LinkContext>, timers: Rc<Timers>| -> BrokerFuture<'static, Checked> {
            Box::pin(async move {
                let bench = Bench {
                    make,
                    context,
                    timers,
                };
                bench.run().await
            })
        };
    apart("00000000000000c0", work).unwrap_or_else(|text| Err(fail("runs at all", text)))
}

struct Bench<M> {
    make: M,
    context: Rc<LinkContext>,
    timers: Rc<Timers>,
}

impl<B: Broker, M: Fn() -> B> Bench<M> {
    async fn run(&self) -> Checked {
        let mut first = (self.make)();
        let reach = first.reach();
        let driver = first.driver();
        if driver.is_empty() || !driver.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(fail(
                "has a name",
                format!("{driver:?} is no name of ASCII letters and digits"),
            ));
        }
        let mut link = self.open(&mut first).await?;
        self.exchange("hears itself", &mut link, None, &texts("own", 3))
            .await?;
        self.exchange("keeps payloads whole", &mut link, None, &difficult())
            .await?;
        self.exchange("keeps their order", &mut link, None, &texts("order", MANY))
            .await?;
        if reach != Reach::Shard {
            let mut second = (self.make)();
            let mut other = self.open(&mut second).await?;
            let said = texts("other", MANY);
            self.exchange("hears others", &mut link, Some(&mut other), &said)
                .await?;
            // The first link heard the same, in the same order.
            self.hear("hears itself among others", &mut link, &said)
                .await?;
            drop(other);
            let said = texts("alone", 3);
            self.exchange("lives on when another link ends", &mut link, None, &said)
                .await?;
        }
        drop(link);
        let mut again = self.open(&mut first).await?;
        self.exchange(
            "connects again, without history",
            &mut again,
            None,
            &texts("again", 3),
        )
        .await
    }

    async fn open(&self, broker: &mut B) -> Result<Link, Failure> {
        let opened = self
            .timers
            .within(Instant::now() + STEP_TIME, broker.connect(&self.context))
            .await;
        match opened {
            Some(Ok(link)) => Ok(link),
            Some(Err(error)) => Err(fail("connects", error.to_string())),
            None => Err(fail("connects", "it takes longer than five seconds")),
        }
    }

    /// Publishes on `from` and hears on `to`, or on `from` itself.
    async fn exchange(
        &self,
        clause: &'static str,
        from: &mut Link,
        to: Option<&mut Link>,
        said: &[Vec<u8>],
    ) -> Checked {
        let Link {
            publisher,
            subscriber,
        } = from;
        let subscriber = to.map_or(subscriber, |to| &mut to.subscriber);
        let publish = async {
            for batch in said.chunks(97) {
                if let Err(error) = publisher.publish(batch).await {
                    return Err(fail(clause, error.to_string()));
                }
            }
            if let Err(error) = publisher.publish(&[]).await {
                return Err(fail(clause, format!("an empty batch is an error: {error}")));
            }
            Ok(())
        };
        let mut heard = Vec::new();
        let hear = async {
            while heard.len() < said.len() {
                if let Err(error) = subscriber.receive(&mut heard).await {
                    return Err(fail(clause, error.to_string()));
                }
            }
            Ok(())
        };
        let both = async {
            let (published, heard) = futures_lite::future::zip(publish, hear).await;
            published.and(heard)
        };
        let outcome = self.timers.within(Instant::now() + STEP_TIME, both).await;
        compare(clause, outcome, said, &heard)
    }

    async fn hear(&self, clause: &'static str, link: &mut Link, said: &[Vec<u8>]) -> Checked {
        let mut heard = Vec::new();
        let hear = async {
            while heard.len() < said.len() {
                if let Err(error) = link.subscriber.receive(&mut heard).await {
                    return Err(fail(clause, error.to_string()));
                }
            }
            Ok(())
        };
        let outcome = self.timers.within(Instant::now() + STEP_TIME, hear).await;
        compare(clause, outcome, said, &heard)
    }
}

/// What was heard must be what was said.
fn compare(
    clause: &'static str,
    outcome: Option<Checked>,
    said: &[Vec<u8>],
    heard: &[Vec<u8>],
) -> Checked {
    if let Some(Err(failure)) = outcome {
        return Err(failure);
    }
    let wrong = said
        .iter()
        .zip(heard)
        .position(|(said, heard)| said != heard);
    if let Some(index) = wrong {
        return Err(fail(
            clause,
            format!(
                "payload {} of {} came back as another",
                index + 1,
                said.len()
            ),
        ));
    }
    if heard.len() != said.len() {
        return Err(fail(
            clause,
            format!("{} of {} payloads came back", heard.len(), said.len()),
        ));
    }
    Ok(())
}

fn texts(word: &str, count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|index| format!("{{\"{word}\":{index}}}").into_bytes())
        .collect()
}

/// Payloads that break carriers which are not binary-safe, or count characters for bytes.
fn difficult() -> Vec<Vec<u8>> {
    let mut long = String::new();
    for index in 0..500 {
        write!(long, "{index:08}").expect("a String takes all");
    }
    [
        "{}",
        r#"{"a":"$5\r\nhello\r\n"}"#,
        r#"{"a":"*2 +OK -ERR :1 PING MSG via.broadcast 1 5"}"#,
        r#"{"a":"grüße ☃ 𝄞"}"#,
        &format!("{{\"a\":\"{long}\"}}"),
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::{BrokerError, InMemoryBroker, MeshBroker, Publisher, Subscriber};

    #[test]
    fn memory_and_mesh_keep_the_contract() {
        assert_eq!(check(|| InMemoryBroker), Ok(()));
        let mesh = MeshBroker::default();
        assert_eq!(check(move || mesh.clone()), Ok(()));
    }

    /// A broker with a fault.
    #[derive(Clone)]
    struct Faulty {
        mesh: MeshBroker,
        fault: Fault,
    }

    #[derive(Clone, Copy, PartialEq)]
    enum Fault {
        Name,
        Deaf,
        Loses,
        Doubles,
        Cuts,
        Refuses,
        Panics,
    }

    struct FaultyEar(Box<dyn Subscriber>, Fault);

    impl Subscriber for FaultyEar {
        fn receive<'a>(
            &'a mut self,
            into: &'a mut Vec<Vec<u8>>,
        ) -> BrokerFuture<'a, Result<(), BrokerError>> {
            Box::pin(async move {
                let mut heard = Vec::new();
                self.0.receive(&mut heard).await?;
                match self.1 {
                    Fault::Loses => heard.retain(|payload| payload != b"{\"order\":7}"),
                    Fault::Doubles => {
                        let twice = heard.first().cloned();
                        heard.splice(0..0, twice);
                    }
                    Fault::Cuts => heard.iter_mut().for_each(|payload| payload.truncate(1000)),
                    _ => {}
                }
                into.extend(heard);
                Ok(())
            })
        }
    }

    struct Mute;

    impl Publisher for Mute {
        fn publish<'a>(
            &'a mut self,
            _payloads: &'a [Vec<u8>],
        ) -> BrokerFuture<'a, Result<(), BrokerError>> {
            Box::pin(async {
                Err(BrokerError::Other {
                    reason: "mute".to_owned(),
                })
            })
        }
    }

    impl Broker for Faulty {
        fn driver(&self) -> &'static str {
            match self.fault {
                Fault::Name => "a name",
                _ => "Faulty",
            }
        }

        fn connect<'a>(
            &'a mut self,
            context: &'a LinkContext,
        ) -> BrokerFuture<'a, Result<Link, BrokerError>> {
            Box::pin(async move {
                assert!(self.fault != Fault::Panics, "as it was asked to");
                let link = self.mesh.connect(context).await?;
                let publisher = match self.fault {
                    Fault::Deaf => Box::new(Mute),
                    _ => link.publisher,
                };
                if self.fault == Fault::Refuses {
                    return Err(BrokerError::Unresolved);
                }
                Ok(Link {
                    publisher,
                    subscriber: Box::new(FaultyEar(link.subscriber, self.fault)),
                })
            })
        }
    }

    #[test]
    fn each_fault_is_found_and_named() {
        for (fault, clause) in [
            (Fault::Name, "has a name"),
            (Fault::Refuses, "connects"),
            (Fault::Deaf, "hears itself"),
            (Fault::Doubles, "hears itself"),
            (Fault::Cuts, "keeps payloads whole"),
            (Fault::Loses, "keeps their order"),
            (Fault::Panics, "runs at all"),
        ] {
            let mesh = MeshBroker::default();
            let failure = check(move || Faulty {
                mesh: mesh.clone(),
                fault,
            })
            .expect_err(clause);
            assert_eq!(failure.clause, clause, "{failure}");
        }
    }
}
