//! A cluster of three: the channel's home is found, and followed.

use std::sync::Arc;

use autovia_testkit::RedisCluster;

use super::*;
use crate::broker::conformance;

fn broker(cluster: &RedisCluster, channel: &str) -> RedisBroker {
    let servers = cluster.servers().iter();
    RedisBroker::default()
        .cluster(servers.map(|server| ("127.0.0.1", server.port())))
        .channel(channel)
}

#[test]
fn channels_are_at_home_where_their_slot_is() {
    let cluster = Arc::new(RedisCluster::start());
    let checked = broker(&cluster, "via:broadcast");
    assert_eq!(conformance::check(move || checked.clone()), Ok(()));

    at_desk(async move |desk| {
        let mut homes = [0; 3];
        for channel in ["a", "b", "c", "d", "e", "{a}e"] {
            let mut link = desk
                .connect(&mut broker(&cluster, channel))
                .await
                .expect("a link");
            desk.works(&mut link).await;
            homes[cluster.home_of(channel)] += 1;
        }
        assert!(homes.iter().all(|&channels| channels > 0), "{homes:?}");
    });
}

#[test]
fn a_slot_that_moves_takes_the_link_along() {
    let cluster = Arc::new(RedisCluster::start());
    at_desk(async move |desk| {
        let mut broker = broker(&cluster, "ch");
        let mut link = desk.connect(&mut broker).await.expect("a link");
        desk.works(&mut link).await;
        cluster.move_slot("ch", (cluster.home_of("ch") + 1) % 3);
        let lost = BrokerError::Silent {
            broken: Some(Direction::Receiving),
        };
        assert_eq!(desk.end(&mut link).await, lost);
        let moved = BrokerError::Leaving {
            reason: "the channel's slot of the cluster has moved",
        };
        assert_eq!(desk.publish(&mut link, "{}").await, Err(moved));
        let mut link = desk.connect_at_last(&mut broker).await;
        desk.works(&mut link).await;
    });
}

#[test]
fn a_plain_channel_reaches_all_servers_of_a_cluster() {
    let cluster = Arc::new(RedisCluster::start());
    at_desk(async move |desk| {
        let at = |index: usize| RedisBroker::new("127.0.0.1", cluster.servers()[index].port());
        let mut here = desk.connect(&mut at(0)).await.expect("a link");
        let mut there = desk.connect(&mut at(1)).await.expect("a link");
        assert_eq!(desk.publish(&mut here, "{}").await, Ok(()));
        assert_eq!(desk.receive(&mut there).await, Ok(vec![b"{}".to_vec()]));
    });
}

#[test]
fn a_server_without_sharded_channels_is_told() {
    let server = autovia_testkit::Redis::new()
        .args(&["--rename-command", "SSUBSCRIBE", ""])
        .start();
    let broker = RedisBroker::default().cluster([("127.0.0.1", server.port())]);
    let error = refusal(broker);
    assert!(error.to_string().contains("Redis 7"), "{error}");
}
