//! Two nodes behind a real HAProxy and a real Caddy, with the files of `docs/balancers/`: a browser
//! stays on its node, a node that has lost its link is left, and no page load fails when the broker
//! is gone for all.

mod common;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use autovia_testkit::{Client, Page, Proxy, Redis, Running, RunningRedis};
use common::{eventually, probe};
use serde_json::{Value, json};

/// A balancer as it runs for one test.
struct Balancer {
    process: Child,
    port: u16,
    folder: PathBuf,
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    HaProxy,
    Caddy,
}

impl Kind {
    const ALL: [Self; 2] = [Self::HaProxy, Self::Caddy];

    /// Starts it with the documented file, in which only the ports are others.
    fn start(self, nodes: [u16; 2]) -> Balancer {
        let name = match self {
            Self::HaProxy => "haproxy.cfg",
            Self::Caddy => "Caddyfile",
        };
        let documented = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("docs/balancers")
            .join(name);
        let port = free_port();
        let mut text = std::fs::read_to_string(documented).unwrap();
        for (written, real) in [("8080", port), ("3001", nodes[0]), ("3002", nodes[1])] {
            assert!(text.contains(written), "{name} has the port {written}");
            text = text.replace(&format!(":{written}"), &format!(":{real}"));
        }
        let folder = std::env::temp_dir().join(format!("autovia-balancer-{port}"));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join(name);
        std::fs::write(&file, text).unwrap();
        let mut command = match self {
            Self::HaProxy => {
                let mut command = Command::new("haproxy");
                command.arg("-db").arg("-f").arg(&file);
                command
            }
            Self::Caddy => {
                let mut command = Command::new("caddy");
                command.args(["run", "--adapter", "caddyfile", "--config"]);
                command.arg(&file).env("HOME", &folder);
                command
            }
        };
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{self:?} can't be started: {error}"));
        let balancer = Balancer {
            process,
            port,
            folder,
        };
        eventually("an answer through the balancer", || {
            let answer = Client::new(port).try_request("GET", "/_live", &[], b"");
            answer.ok().filter(|answer| answer.status == 200).map(drop)
        });
        balancer
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Two nodes on one Redis, each by a proxy that can cut its link.
struct Site {
    redis: RunningRedis,
    links: [Proxy; 2],
    nodes: [Running; 2],
    balancer: Balancer,
}

impl Site {
    fn start(kind: Kind) -> Self {
        let redis = Redis::new().start();
        let links = [(); 2].map(|()| Proxy::start(redis.port()));
        let nodes = links.each_ref().map(|link| {
            let url = format!("redis://127.0.0.1:{}", link.port());
            probe().shards(2).args(["--broker-url", &url]).start()
        });
        let balancer = kind.start(nodes.each_ref().map(Running::port));
        let site = Self {
            redis,
            links,
            nodes,
            balancer,
        };
        for node in [0, 1] {
            site.wait_connected(node, true);
            site.wait_chosen(node);
        }
        site
    }

    fn wait_connected(&self, node: usize, connected: bool) {
        eventually(&format!("node {node} connected: {connected}"), || {
            let health = self.nodes[node].client().get("/_health");
            (health.json()["broker"]["connected"] == connected).then_some(())
        });
    }

    fn pages(&self, node: usize) -> u64 {
        let health = self.nodes[node].client().get("/_health");
        health.json()["connections"]["contexts"].as_u64().unwrap()
    }

    /// A page that a new visitor loads through the balancer; which node it came from.
    fn visit(&self) -> usize {
        let before = [self.pages(0), self.pages(1)];
        self.load(&Client::new(self.balancer.port));
        let after = [self.pages(0), self.pages(1)];
        let node = after.iter().zip(before).position(|(now, then)| *now > then);
        node.expect("the page is on one of the nodes")
    }

    fn load(&self, browser: &Client) {
        let page = browser.get("/");
        assert_eq!(page.status, 200, "a page load failed: {}", page.text());
    }

    /// Waits until the balancer sends a new visitor to `node`.
    fn wait_chosen(&self, node: usize) {
        eventually(&format!("a visitor for node {node}"), || {
            (self.visit() == node).then_some(())
        });
    }
}

#[test]
fn a_browser_stays_on_its_node() {
    for kind in Kind::ALL {
        // Given two browsers that came by one address, one on each node,
        let site = Site::start(kind);
        let visitors = [0, 1].map(|node| {
            eventually("a page on each node", || {
                let before = site.pages(node);
                let page = Page::open(&Client::new(site.balancer.port), "/");
                (site.pages(node) > before).then_some(page)
            })
        });
        // when they click, then each click finds its page, and the stream shows it.
        let mut streams = visitors.each_ref().map(Page::stream);
        for count in 1..=10 {
            for (page, stream) in visitors.iter().zip(&mut streams) {
                let answer = page.act("add", json!([]), Value::Null);
                assert_eq!(answer.status, 200, "{kind:?}: {}", answer.text());
                stream.until(|event| event.is_signals() && event.signals()["count"] == count);
            }
        }
    }
}

#[test]
fn a_node_that_has_lost_its_link_is_left_and_taken_back() {
    for kind in Kind::ALL {
        let site = Site::start(kind);
        // Given a browser on node 0, when that node loses its link,
        let browser = eventually("a browser on node 0", || {
            let browser = Client::new(site.balancer.port);
            let before = site.pages(0);
            site.load(&browser);
            (site.pages(0) > before).then_some(browser)
        });
        site.links[0].away();
        site.wait_connected(0, false);
        // then new visitors come to node 1 only, and nobody's page load fails.
        let mut in_a_row = 0;
        eventually("twenty visitors in a row for node 1", || {
            site.load(&browser);
            in_a_row = if site.visit() == 1 { in_a_row + 1 } else { 0 };
            (in_a_row == 20).then_some(())
        });
        // When the link is back, then node 0 has visitors again.
        site.links[0].back();
        site.wait_connected(0, true);
        site.wait_chosen(0);
    }
}

#[test]
fn no_page_load_fails_when_the_broker_is_gone_for_all() {
    for kind in Kind::ALL {
        let site = Site::start(kind);
        let regular = Client::new(site.balancer.port);
        // When the broker dies, and stays dead until long after the balancer has noticed,
        site.redis.kill9();
        for node in [0, 1] {
            site.wait_connected(node, false);
        }
        // then each page load works: of a browser that knows its node, and of new ones.
        for _ in 0..400 {
            site.load(&regular);
            site.load(&Client::new(site.balancer.port));
        }
        // When it is back, then all is as before.
        site.redis.restart();
        for node in [0, 1] {
            site.wait_connected(node, true);
            site.wait_chosen(node);
        }
    }
}
