//! The kit's proxy between its HTTP client and its tiny origin.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use crate::origin::Origin;
use autovia_testkit::{Client, Cut, Direction, Flow, Page, Proxy};
use serde_json::json;

fn behind_proxy() -> (Origin, Proxy, Client) {
    let origin = Origin::start();
    let proxy = Proxy::start(origin.port);
    let client = Client::new(proxy.port());
    (origin, proxy, client)
}

#[test]
fn bytes_pass_and_connections_are_counted() {
    let (_origin, proxy, client) = behind_proxy();
    assert_eq!(client.get("/hello").text(), "/hello");
    assert_eq!(client.get("/close").text(), "until the end");
    proxy.wait_open(0);
    assert_eq!(client.get("/hello").text(), "/hello");
    proxy.wait_open(1);
    assert_eq!(proxy.accepted(), 2);
}

#[test]
fn a_cut_ends_a_stream_at_once_and_the_next_connection_works() {
    let (origin, proxy, client) = behind_proxy();
    for cut in [Cut::Fin, Cut::Reset] {
        let page = Page::open(&client, "/");
        let mut stream = page.stream();
        let text = format!("before {cut:?}");
        origin.say(&format!("data: {text}\n\n"));
        stream.until(|event| event.data == [text.as_str()]);
        proxy.cut(cut);
        assert_eq!(proxy.open(), 0);
        assert_eq!(stream.next_frame(), None);
    }
    proxy.away();
    let error = client
        .try_request("GET", "/", &[], b"")
        .expect_err("the network is away");
    assert!(
        matches!(
            error.kind(),
            ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof
        ),
        "{error:?}"
    );
    proxy.back();
    assert_eq!(client.get("/hello").status, 200);
}

#[test]
fn what_is_held_comes_later_and_what_is_lost_never() {
    let (origin, proxy, client) = behind_proxy();
    let mut stream = Page::open(&client, "/").stream();

    proxy.flow(Direction::ToClient, Flow::Hold);
    origin.say("data: held\n\n");
    proxy.wait_held(Direction::ToClient);
    proxy.flow(Direction::ToClient, Flow::Pass);
    assert_eq!(stream.next_event().data, ["held"]);

    // The chunk is lost whole, so the stream still makes sense behind it.
    proxy.flow(Direction::ToClient, Flow::Lose);
    origin.say("data: lost\n\n");
    origin.wait_said();
    proxy.flow(Direction::ToClient, Flow::Pass);
    stream.assert_silent_until(
        || origin.say("data: after\n\n"),
        |event| event.data == ["after"],
    );
}

#[test]
fn replies_are_cut_after_the_server_has_worked() {
    let (origin, proxy, client) = behind_proxy();
    let page = Page::open(&client, "/");
    proxy.cut_replies_to("POST /_action/add", 2);
    for _ in 0..2 {
        page.action("add").try_send().expect_err("the reply is cut");
    }
    proxy.wait_replies_cut();
    assert_eq!(page.act("add", json!(null), json!(null)).status, 200);
    assert_eq!(
        origin
            .requests()
            .iter()
            .filter(|request| request.starts_with("POST"))
            .count(),
        3
    );
}

#[test]
fn a_network_that_is_away_for_a_while_comes_back_by_itself() {
    let (_origin, proxy, client) = behind_proxy();
    assert_eq!(client.get("/hello").status, 200);
    let most = proxy.most_open();
    assert!(most >= 1);
    let time = Duration::from_millis(300);
    let begun = Instant::now();
    proxy.away_for(time);
    assert_eq!(proxy.open(), 0);
    proxy.wait_back();
    assert!(begun.elapsed() >= time);
    assert_eq!(client.get("/hello").status, 200);
    assert_eq!(proxy.most_open(), most);
}
