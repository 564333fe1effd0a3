//! The brokers keep the contract of brokers, as any app can check its own.

use autovia::broker::{NatsBroker, RedisBroker, conformance};

use crate::stage::{Broker, KINDS, Kind, on_each};

#[test]
fn every_broker_keeps_the_contract() {
    on_each(&KINDS, |kind| {
        let server = Broker::start(kind);
        let port = server.port();
        let checked = match kind {
            Kind::Redis => conformance::check(move || RedisBroker::new("127.0.0.1", port)),
            Kind::Nats => conformance::check(move || NatsBroker::new("127.0.0.1", port)),
        };
        assert_eq!(checked, Ok(()), "{kind:?}");
    });
}
