//! Real Redis servers on free ports: alone, behind sentinels, as a cluster.
//!
//! `AUTOVIA_TEST_REDIS_SERVER` names another program than `redis-server`: an older one, or Valkey.

mod groups;
mod talk;

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use rustix::process::Signal;

use crate::ca::{Authority, Certificate};
use crate::deadline::eventually;
use crate::folder::Folder;
use crate::process::Process;
pub use groups::{RedisCluster, RedisSentinels};
pub use talk::Reply;
use talk::Talk;

/// Ports that are tried: another program may take one between the choice and the start.
const PORTS_TRIED: usize = 10;

/// A port that nobody listens on at the moment.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("the system has a free port")
        .port()
}

/// A Redis server and how to start it: `Redis::new().start()`.
#[derive(Clone, Default)]
pub struct Redis {
    arguments: Vec<String>,
    /// For the port that speaks TLS.
    tls: Vec<String>,
    acl: Vec<String>,
    password: Option<String>,
}

impl Redis {
    /// A server without a login.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an argument of `redis-server`, as in `--maxclients`.
    #[must_use]
    pub fn args(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    /// Asks everybody for this password.
    #[must_use]
    pub fn requirepass(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self.args(&["--requirepass", password])
    }

    /// Adds a line of an ACL file, as in `user node on >secret resetchannels &ch +publish`. The user
    /// `admin` is for [`RunningRedis::command`].
    #[must_use]
    pub fn acl(mut self, line: &str) -> Self {
        self.acl.push(line.to_owned());
        self
    }

    /// One more port, which speaks TLS with this certificate; clients need none.
    #[must_use]
    pub fn tls(mut self, certificate: &Certificate) -> Self {
        let path = |path: &Path| path.display().to_string();
        self.tls = vec![
            "--tls-cert-file".to_owned(),
            path(&certificate.chain_file),
            "--tls-key-file".to_owned(),
            path(&certificate.key_file),
            "--tls-auth-clients".to_owned(),
            "no".to_owned(),
        ];
        self
    }

    /// On the TLS port clients need a certificate of this authority.
    #[must_use]
    pub fn only_clients_of(mut self, authority: &Authority) -> Self {
        self.tls.pop();
        let ca_file = authority.ca_file().display().to_string();
        self.tls
            .extend(["yes".to_owned(), "--tls-ca-cert-file".to_owned(), ca_file]);
        self
    }

    /// Starts it and waits until it takes connections.
    pub fn start(&self) -> RunningRedis {
        let folder = Folder::new("redis");
        for _ in 0..PORTS_TRIED {
            let port = free_port();
            let tls_port = if self.tls.is_empty() { 0 } else { free_port() };
            if let Some(process) = self.spawn(&folder, port, tls_port) {
                return RunningRedis {
                    redis: self.clone(),
                    process: Mutex::new(process),
                    port,
                    tls_port,
                    folder,
                };
            }
        }
        panic!("redis-server takes none of {PORTS_TRIED} free ports");
    }

    fn spawn(&self, folder: &Folder, port: u16, tls_port: u16) -> Option<Process> {
        let mut command = server_command();
        command
            .current_dir(folder.path())
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .args(&self.arguments);
        // A server that was built without TLS does not know the word.
        if tls_port != 0 {
            command
                .args(["--tls-port", &tls_port.to_string()])
                .args(&self.tls);
        }
        if !self.acl.is_empty() {
            // The users stay as they are over a restart, changed ones too.
            let path = folder.path().join("users.acl");
            if !path.exists() {
                let admin = "user admin on nopass ~* &* +@all".to_owned();
                let lines: Vec<String> = self.acl.iter().cloned().chain([admin]).collect();
                folder.write("users.acl", lines.join("\n") + "\n");
            }
            command.arg("--aclfile").arg(path);
        }
        // The last word may not stay empty.
        command.args(["--daemonize", "no"]);
        started(command)
    }
}

/// The program, without arguments.
pub(crate) fn server_command() -> Command {
    let program = std::env::var_os("AUTOVIA_TEST_REDIS_SERVER");
    Command::new(program.unwrap_or_else(|| "redis-server".into()))
}

/// Starts a server; `None` when it could not take its port.
pub(crate) fn started(command: Command) -> Option<Process> {
    let process = Process::spawn(command);
    let is_up = process.wait_said(crate::DEADLINE, "a server that takes connections", |said| {
        said.stdout.iter().find_map(|line| {
            let is_up = line.contains("Ready to accept connections")
                || line.contains("monitor master")
                || line.contains("Sentinel ID is");
            let is_down =
                line.contains("Address already in use") || line.contains("Failed listening");
            (is_up || is_down).then_some(is_up)
        })
    });
    is_up.then_some(process)
}

/// A Redis server that runs. Dropping it kills it.
pub struct RunningRedis {
    redis: Redis,
    process: Mutex<Process>,
    port: u16,
    tls_port: u16,
    folder: Folder,
}

impl RunningRedis {
    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its port that speaks TLS.
    pub fn tls_port(&self) -> u16 {
        assert!(self.tls_port != 0, "this server has no TLS");
        self.tls_port
    }

    /// What it answers to a command of an administrator.
    pub fn command(&self, words: &[&str]) -> Reply {
        let mut talk = Talk::with(self.port).expect("the server takes connections");
        if !self.redis.acl.is_empty() {
            talk.ask(&["AUTH", "admin", "any"])
                .expect("the server answers");
        } else if let Some(password) = &self.redis.password {
            talk.ask(&["AUTH", password]).expect("the server answers");
        }
        talk.ask(words).expect("the server answers")
    }

    /// The same, and panics with a refusal.
    pub fn must(&self, words: &[&str]) -> Reply {
        let reply = self.command(words);
        assert!(!matches!(reply, Reply::Error(_)), "{words:?}: {reply:?}");
        reply
    }

    /// Waits until so many clients subscribe to `channel`.
    pub fn wait_subscribers(&self, channel: &str, count: i64) {
        eventually("a number of subscribers", || {
            let reply = self.must(&["PUBSUB", "NUMSUB", channel]);
            (reply.at(1) == &Reply::Number(count)).then_some(())
        });
    }

    /// SIGKILL, then waits for the end.
    pub fn kill9(&self) {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.signal(Signal::KILL);
        process.wait_exit();
    }

    /// Starts it again on the same ports, after [`RunningRedis::kill9`].
    pub fn restart(&self) {
        let process = eventually("the old ports", || {
            self.redis.spawn(&self.folder, self.port, self.tls_port)
        });
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = process;
    }

    /// SIGSTOP, then waits until it stands still; its sockets stay open.
    pub fn stop(&self) {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.signal(Signal::STOP);
        process.wait_stopped();
    }

    /// SIGCONT after [`RunningRedis::stop`].
    pub fn cont(&self) {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.signal(Signal::CONT);
    }
}
