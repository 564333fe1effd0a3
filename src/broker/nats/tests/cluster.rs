//! Several servers: whom a node goes to when one refuses, dies, freezes or asks to be left.

use autovia_testkit::{NatsServer, RunningNats};

use super::*;

fn two() -> (RunningNats, RunningNats) {
    let first = NatsServer::new().cluster(None).start();
    let second = NatsServer::new().cluster(Some(first.route_port())).start();
    (first, second)
}

fn clients(server: &RunningNats) -> u64 {
    let seen = server.monitor("/connz");
    seen["num_connections"].as_u64().expect("a number")
}

#[test]
fn nodes_on_two_servers_of_a_cluster_hear_each_other() {
    let (first, second) = two();
    run(async move |bench| {
        let mut here = bench.open(&mut on(first.port())).await.expect("one up");
        let mut there = bench.open(&mut on(second.port())).await.expect("two up");
        // A subscription travels between servers in its own time.
        let mut heard = Vec::new();
        while heard.is_empty() {
            publish(&mut here, &["from one"]).await.expect("up");
            bench.within(there.subscriber.receive(&mut heard)).await;
        }
        assert_eq!(heard[0], b"from one");
        heard.clear();
        while !heard.contains(&b"from two".to_vec()) {
            publish(&mut there, &["from two"]).await.expect("up");
            bench.within(here.subscriber.receive(&mut heard)).await;
        }
    });
}

#[test]
fn lame_duck_mode_is_left_for_a_server_that_the_cluster_told_of() {
    let (first, second) = two();
    run(async move |bench| {
        // Only the first is given.
        let mut broker = on(first.port());
        let mut link = bench.open(&mut broker).await.expect("it is up");
        // It is asked to go where the cluster is whole: the second is known from then on.
        while broker.servers.turn().len() < 2 {
            drop(link);
            link = bench.open(&mut broker).await.expect("it is up");
        }
        if clients(&first) == 0 {
            drop(link);
            link = bench.open(&mut broker).await.expect("it is up");
        }
        assert_eq!((clients(&first), clients(&second)), (1, 0));
        first.enter_lame_duck_mode();
        let reason = "lame duck mode";
        assert_eq!(end(&mut link).await, BrokerError::Leaving { reason });
        drop(link);
        let mut link = bench.open(&mut broker).await.expect("the other is up");
        assert_eq!(clients(&second), 1);
        publish(&mut link, &["moved"])
            .await
            .expect("the link is up");
        assert_eq!(hear(&mut link, 1).await.expect("the link is up"), ["moved"]);
    });
}

#[test]
fn a_lost_server_is_left_for_the_next_in_the_list() {
    let (mut first, second) = (NatsServer::new().start(), NatsServer::new().start());
    run(async move |bench| {
        let mut broker = on(first.port()).server("127.0.0.1", second.port());
        let mut link = bench.open(&mut broker).await.expect("one is up");
        assert_eq!(clients(&first), 1);
        first.kill();
        end(&mut link).await;
        let mut link = bench.open(&mut broker).await.expect("two is up");
        publish(&mut link, &["moved"])
            .await
            .expect("the link is up");
        assert_eq!(hear(&mut link, 1).await.expect("the link is up"), ["moved"]);
    });
}

#[test]
fn a_frozen_server_does_not_stand_before_a_good_one_for_ever() {
    let (frozen, good) = (NatsServer::new().start(), NatsServer::new().start());
    frozen.freeze();
    run(async move |bench| {
        let mut broker = on(frozen.port()).server("127.0.0.1", good.port());
        // The kernel takes the connection, nobody greets.
        assert!(bench.within(bench.open(&mut broker)).await.is_none());
        let _link = bench.open(&mut broker).await.expect("two is up");
        assert_eq!(clients(&good), 1);
        frozen.thaw();
    });
}

#[test]
fn a_server_that_refuses_tells_more_than_one_that_is_away() {
    let server = NatsServer::new().token("t").start();
    let away = NatsServer::new().start().port();
    for broker in [
        on(server.port()).server("127.0.0.1", away),
        on(away).server("127.0.0.1", server.port()),
    ] {
        assert_eq!(try_link(broker), refused());
    }
}
