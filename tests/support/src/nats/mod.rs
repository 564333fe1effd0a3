//! Real `nats-server` processes on free ports of loopback, and what is needed to log in to them.

mod jwt;
mod peer;

use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

pub use jwt::{NatsOperator, NkeyPair};
pub use peer::NatsPeer;

use crate::ca::Certificate;
use crate::deadline::DEADLINE;
use crate::folder::Folder;
use crate::http::Client;
use crate::process::Process;

/// Debian puts it where only the superuser's `PATH` looks.
const BINARY: &str = "/usr/sbin/nats-server";

/// How to start a server: lines of its configuration.
#[derive(Clone, Default)]
pub struct NatsServer {
    lines: Vec<String>,
    cluster: Option<Option<u16>>,
}

impl NatsServer {
    /// A server without login and TLS.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds lines to its configuration.
    #[must_use]
    pub fn config(mut self, lines: impl Into<String>) -> Self {
        self.lines.push(lines.into());
        self
    }

    /// Wants a token.
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        self.config(format!("authorization {{ token: \"{token}\" }}"))
    }

    /// Knows one user; `permissions` is the block of that name, or nothing.
    #[must_use]
    pub fn user(self, name: &str, password: &str, permissions: &str) -> Self {
        self.config(format!(
            "authorization {{ users = [ {{ user: \"{name}\", password: \"{password}\" {permissions} }} ] }}"
        ))
    }

    /// Has TLS with this certificate; `more` is further lines of the block, or nothing.
    #[must_use]
    pub fn tls(self, certificate: &Certificate, more: &str) -> Self {
        self.config(format!(
            "tls {{ cert_file: {:?}, key_file: {:?} {more} }}",
            certificate.chain_file, certificate.key_file
        ))
    }

    /// Makes a cluster of it: the first of one, or another with the first's [`RunningNats::route_port`].
    #[must_use]
    pub fn cluster(mut self, joins: Option<u16>) -> Self {
        self.cluster = Some(joins);
        self
    }

    /// Starts it and waits until it is ready.
    #[must_use]
    pub fn start(&self) -> RunningNats {
        let mut running = RunningNats {
            process: None,
            folder: Folder::new("nats"),
            server: self.clone(),
            ports: Ports::default(),
            asked: Ports::default(),
        };
        running.restart();
        running
    }
}

#[derive(Clone, Copy, Default)]
struct Ports {
    client: Option<u16>,
    route: Option<u16>,
    monitor: Option<u16>,
}

/// A running server. Dropping it kills it.
pub struct RunningNats {
    process: Option<Process>,
    folder: Folder,
    server: NatsServer,
    ports: Ports,
    /// The ports in its configuration: none at first, so that the server takes free ones; those
    /// that it took when it is started again. One that runs must not be given others.
    asked: Ports,
}

impl RunningNats {
    /// Where clients connect.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.ports.client.expect("it has started")
    }

    /// Where servers of its cluster connect.
    #[must_use]
    pub fn route_port(&self) -> u16 {
        self.ports.route.expect("it is one of a cluster")
    }

    fn process(&self) -> &Process {
        self.process.as_ref().expect("it runs")
    }

    fn write_config(&self) -> PathBuf {
        let listen = |port: Option<u16>| format!("\"127.0.0.1:{}\"", port.map_or(-1, i32::from));
        let mut text = format!(
            "listen: {}\nhttp: {}\nlame_duck_duration: \"30s\"\nlame_duck_grace_period: \"20s\"\n",
            listen(self.asked.client),
            listen(self.asked.monitor),
        );
        if let Some(joins) = self.server.cluster {
            let routes = joins.map(|port| format!("routes: [ \"nats://127.0.0.1:{port}\" ]"));
            text += &format!(
                "cluster {{ name: c, listen: {}, {} }}\n",
                listen(self.asked.route),
                routes.unwrap_or_default(),
            );
        }
        text += &self.server.lines.join("\n");
        text.push('\n');
        self.folder.write("server.conf", text)
    }

    /// Starts it again on the same ports, after [`RunningNats::kill`] or an end of its own.
    pub fn restart(&mut self) {
        self.process = None;
        self.asked = self.ports;
        let mut command = Command::new(BINARY);
        command.arg("-c").arg(self.write_config());
        let process = Process::spawn(command);
        let listening = |what: &'static str| {
            process.wait_said(DEADLINE, what, |said| {
                said.stderr.iter().find_map(|line| {
                    let (_, port) = line.split_once(what)?;
                    port.strip_prefix(" on 127.0.0.1:")?.parse::<u16>().ok()
                })
            })
        };
        self.ports = Ports {
            monitor: Some(listening("Starting http monitor")),
            client: Some(listening("Listening for client connections")),
            route: self
                .server
                .cluster
                .map(|_| listening("Listening for route connections")),
        };
        self.process = Some(process);
    }

    /// Has it read another configuration (of login, TLS, limits) while it runs, and waits until it has.
    pub fn reload(&mut self, server: NatsServer) {
        let before = self.count_said("Reloaded server configuration");
        self.server.lines = server.lines;
        self.write_config();
        self.process().signal(Signal::HUP);
        let process = self.process();
        process.wait_said(DEADLINE, "the new configuration", |said| {
            let count = said
                .stderr
                .iter()
                .filter(|line| line.contains("Reloaded server configuration"))
                .count();
            (count > before).then_some(())
        });
    }

    fn count_said(&self, text: &str) -> usize {
        let said = self.process().stderr_lines();
        said.iter().filter(|line| line.contains(text)).count()
    }

    /// Kills it, as a crash would.
    pub fn kill(&mut self) {
        let process = self.process();
        process.signal(Signal::KILL);
        process.wait_exit();
        self.process = None;
    }

    /// Freezes it: its connections stay open, and nothing is read or said.
    pub fn freeze(&self) {
        self.process().signal(Signal::STOP);
        self.process().wait_stopped();
    }

    /// Lets a frozen one go on.
    pub fn thaw(&self) {
        self.process().signal(Signal::CONT);
    }

    /// Tells it to leave in an orderly way: it asks its clients to go, and closes what stays much later.
    pub fn enter_lame_duck_mode(&self) {
        self.process().signal(Signal::USR2);
    }

    /// Shuts it down at once, in an orderly way.
    pub fn terminate(&mut self) {
        self.process().signal(Signal::TERM);
        self.process().wait_exit();
        self.process = None;
    }

    /// What its monitor says at a path, as in `/connz?subs=1`.
    #[must_use]
    pub fn monitor(&self, path: &str) -> Value {
        let port = self.ports.monitor.expect("it has started");
        let response = Client::new(port).get(path);
        serde_json::from_slice(&response.body).expect("the monitor answers with JSON")
    }
}
