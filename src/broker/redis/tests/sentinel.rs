//! Three sentinels, a master and a replica: who is asked, and what a change of the master does.

use std::sync::Arc;

use autovia_testkit::{RedisSentinels, Reply};

use super::*;

fn broker(ports: Vec<u16>) -> RedisBroker {
    let sentinels = ports.into_iter().map(|port| ("127.0.0.1", port));
    RedisBroker::default().sentinel(RedisSentinels::MASTER, sentinels)
}

#[test]
fn the_link_goes_where_the_sentinels_point() {
    let group = Arc::new(RedisSentinels::start());
    at_desk(async move |desk| {
        // Given a link to the master
        let mut broker = broker(group.ports());
        let mut link = desk.connect(&mut broker).await.expect("a link");
        desk.works(&mut link).await;
        group.first().wait_subscribers("via:broadcast", 1);

        // When the sentinels choose the other one, it ends
        group.fail_over();
        let error = desk.end(&mut link).await;
        let is_end = matches!(
            error,
            BrokerError::Leaving { .. } | BrokerError::Closed { .. } | BrokerError::Broken { .. }
        );
        assert!(is_end, "{error:?}");
        drop(link);

        // Then the next one is with the new master
        group.wait_master(group.second().port());
        let mut link = desk.connect_at_last(&mut broker).await;
        desk.works(&mut link).await;
        group.second().wait_subscribers("via:broadcast", 1);

        // When that one dies, it is the first again
        group.second().kill9();
        desk.end(&mut link).await;
        group.wait_master(group.first().port());
        let mut link = desk.connect_at_last(&mut broker).await;
        desk.works(&mut link).await;
        group.first().wait_subscribers("via:broadcast", 1);
    });
}

#[test]
fn a_master_that_was_replaced_while_it_was_cut_off_is_left() {
    let group = Arc::new(RedisSentinels::start());
    at_desk(async move |desk| {
        // Given a link to a master that nobody else reaches: it stands still
        let mut broker = broker(group.ports());
        let mut link = desk.connect(&mut broker).await.expect("a link");
        group.first().stop();
        // When the sentinels choose another, their word alone ends the link
        let error = desk.end(&mut link).await;
        let switched = BrokerError::Leaving {
            reason: "the sentinels chose another master",
        };
        assert_eq!(error, switched);
        let mut link = desk.connect_at_last(&mut broker).await;
        desk.works(&mut link).await;
        group.first().cont();
    });
}

#[test]
fn sentinels_may_be_dead_and_names_wrong() {
    let group = Arc::new(RedisSentinels::start());
    let mut stranger = broker(group.ports());
    if let Place::Sentinel { master, .. } = &mut stranger.place {
        *master = "nobody".to_owned();
    }
    let error = refusal(stranger);
    assert!(matches!(error, BrokerError::Other { .. }), "{error:?}");

    at_desk(async move |desk| {
        group.kill_sentinel(0);
        let mut broker = broker(group.ports());
        let mut link = desk.connect(&mut broker).await.expect("a link");
        desk.works(&mut link).await;
        // The one that watches goes: another takes over.
        group.kill_sentinel(1);
        let gone = BrokerError::Leaving {
            reason: "the sentinel that watches it is gone",
        };
        assert_eq!(desk.end(&mut link).await, gone);
        let mut link = desk.connect(&mut broker).await.expect("a link");
        desk.works(&mut link).await;
        let role = group.first().must(&["ROLE"]);
        assert_eq!(role.at(0), &Reply::Text("master".to_owned()));
    });
}
