//! A real broker on a free port of loopback, ended with its owner.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::Kind;

/// A server that does not answer by then won't.
const START_LIMIT: Duration = Duration::from_secs(10);
/// Between two attempts to reach a server that starts: nothing announces it.
const START_STEP: Duration = Duration::from_millis(10);

/// A running server. Dropped: killed.
#[derive(Debug)]
pub(super) struct Broker {
    child: Child,
    kind: Kind,
    port: u16,
    version: String,
}

impl Broker {
    /// Starts the server of `kind`; none if it is not installed.
    pub fn start(kind: Kind) -> io::Result<Option<Broker>> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        for program in programs(kind) {
            let mut command = Command::new(program);
            command.args(arguments(kind, port));
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            let child = match command.spawn() {
                Ok(child) => child,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let mut broker = Broker {
                child,
                kind,
                port,
                version: version(program),
            };
            broker.wait_until_up()?;
            return Ok(Some(broker));
        }
        Ok(None)
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it listens, on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What its program says of itself.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// How a node is told of it.
    pub fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", self.kind, self.port)
    }

    fn wait_until_up(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        while let Err(error) = greeted(self.kind, self.port) {
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("it ended at once: {status}")));
            }
            if Instant::now() > deadline {
                return Err(error);
            }
            thread::sleep(START_STEP);
        }
        Ok(())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Both fail only where it has already been waited for.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn programs(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Redis => &["redis-server", "valkey-server"],
        Kind::Nats => &["nats-server"],
    }
}

fn arguments(kind: Kind, port: u16) -> Vec<String> {
    let port = port.to_string();
    let words: &[&str] = match kind {
        // Nothing is written to disk.
        Kind::Redis => &[
            "--bind",
            "127.0.0.1",
            "--port",
            &port,
            "--save",
            "",
            "--appendonly",
            "no",
        ],
        Kind::Nats => &["--addr", "127.0.0.1", "--port", &port],
    };
    words.iter().map(|&word| word.to_owned()).collect()
}

fn version(program: &str) -> String {
    let output = Command::new(program).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    // Redis adds how it was built.
    let short = text
        .ok()
        .map(|text| text.split(" sha=").next().unwrap_or_default().to_owned());
    short
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| program.to_owned())
}

/// Redis answers a `PING`, NATS greets by itself.
fn greeted(kind: Kind, port: u16) -> io::Result<()> {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    socket.set_read_timeout(Some(START_LIMIT))?;
    if kind == Kind::Redis {
        socket.write_all(b"PING\r\n")?;
    }
    let mut first = [0];
    socket.read_exact(&mut first)?;
    match (kind, first[0]) {
        (Kind::Redis, b'+') | (Kind::Nats, b'I') => Ok(()),
        (_, byte) => Err(io::Error::other(format!(
            "it greets with byte {byte:#04x}, which no {kind} does"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_falls_back_to_the_name() {
        assert_eq!(
            version("no-such-program-anywhere"),
            "no-such-program-anywhere"
        );
    }

    #[test]
    fn a_server_listens_on_loopback_at_its_port() {
        for kind in Kind::ALL {
            let arguments = arguments(kind, 4321);
            assert!(arguments.contains(&"127.0.0.1".to_owned()), "{arguments:?}");
            assert!(arguments.contains(&"4321".to_owned()), "{arguments:?}");
        }
    }
}
