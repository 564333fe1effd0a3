//! `/nodes` in a real browser: the link in both directions, the other nodes, and what they made stale;
//! and a click on one node that changes a page on another.
//!
//! With `AUTOVIA_SCREENSHOTS=FOLDER` it leaves pictures there.

use std::path::PathBuf;

use autovia_testkit::{Browser, Key, Proxy, Redis, Running, RunningRedis, Window};

use crate::common::autovia;
use crate::stage::{SHARDS, Store};

const LOBBY: &str = "/examples/chat-room/room/lobby";

/// Two nodes of the showcase, which share the chat's file, and a browser.
///
/// Its cookies are those of a host: the first node is at 127.0.0.1 and the second at app.test, so that
/// neither takes the other's.
struct Showcase {
    browser: Browser,
    nodes: [Running; 2],
    proxy: Proxy,
    _redis: RunningRedis,
    _store: Store,
}

impl Showcase {
    fn start() -> Self {
        let (redis, store) = (Redis::new().start(), Store::new());
        let proxy = Proxy::start(redis.port());
        let node = |port: u16| {
            autovia()
                .shards(SHARDS.into())
                .args(["--broker-url", &format!("redis://127.0.0.1:{port}")])
                .arg("--chat-db")
                .arg(store.path().join("chat.db"))
                .start()
        };
        let nodes = [node(proxy.port()), node(redis.port())];
        Self {
            browser: Browser::start(),
            nodes,
            proxy,
            _redis: redis,
            _store: store,
        }
    }

    fn open(&self, node: usize, path: &str) -> Window {
        let host = ["127.0.0.1", "app.test"][node];
        let window = self.browser.new_window();
        window.goto(&format!("http://{host}:{}{path}", self.nodes[node].port()));
        window.wait_streaming();
        window
    }
}

/// As it looks on a desk and on a phone, where nothing scrolls sideways.
fn look_at(window: &Window, name: &str) {
    let folder = std::env::var_os("AUTOVIA_SCREENSHOTS").map(PathBuf::from);
    for (size, width, height) in [("desktop", 1440, 1000), ("phone", 375, 1400)] {
        window.set_size(width, height);
        window.wait_true(&format!("innerWidth === {width}"));
        let scrolls = window.eval("document.documentElement.scrollWidth > innerWidth");
        assert_eq!(scrolls, false, "{name} on a {size}");
        if let Some(folder) = &folder {
            window.screenshot(folder.join(format!("{name}-{size}.png")));
        }
    }
}

#[test]
fn it_shows_the_link_the_others_and_what_they_made_stale() {
    // Given two nodes with a window each on the page,
    let showcase = Showcase::start();
    let [first, second] = [0, 1].map(|node| showcase.open(node, "/nodes"));
    // then each is connected and shows the other,
    for window in [&first, &second] {
        window.wait_text("#state", "Connected");
        window.wait_text("#publishing", "works");
        window.wait_text("#receiving", "works");
        window.wait_true("document.querySelectorAll('#peers tbody tr').length === 1");
    }
    for (window, other) in [(&first, &second), (&second, &first)] {
        assert_eq!(window.text("#peers tbody code"), other.text("#node"));
    }
    // and when somebody writes in the chat of the second,
    let chat = showcase.open(1, LOBBY);
    chat.type_text("#message-input", "hello");
    chat.press(Key::Enter);
    chat.wait_text("#messages li p", "hello");
    // then the first shows whose scope that was,
    let node = second.text("#node");
    first.wait_true(&format!(
        "[...document.querySelectorAll('#heard tbody tr')].some(row => row.innerText.includes('chat') && row.innerText.includes('{node}'))"
    ));
    look_at(&first, "nodes");
    // When its link goes, it says so, and when it comes back, too.
    showcase.proxy.away();
    first.wait_text("#state", "Degraded");
    first.wait_text("#publishing", "down");
    first.wait_text("#receiving", "down");
    look_at(&first, "nodes-degraded");
    second.wait_true("document.querySelector('#no-peers') !== null");
    showcase.proxy.back();
    first.wait_text("#state", "Connected");
    second.wait_true("document.querySelectorAll('#peers tbody tr').length === 1");
    showcase.browser.assert_no_console_errors();
}

#[test]
fn a_click_on_one_node_changes_a_page_on_another() {
    let showcase = Showcase::start();
    let [first, second] = [0, 1].map(|node| showcase.open(node, LOBBY));
    for (number, window) in [&first, &second].into_iter().enumerate() {
        let text = format!("hello from {number}");
        window.type_text("#message-input", &text);
        window.click("#send");
        for reader in [&first, &second] {
            reader.wait_text("#messages li:last-child p", &text);
        }
    }
    showcase.browser.assert_no_console_errors();
}
