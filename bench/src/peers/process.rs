//! A server as a process of its own: built with the bench's own profile, started on its core, ended with its owner.
//!
//! Each of the programs here says on its first line of output where it listens and ends when its standard input
//! is closed, so none outlives a bench that is killed.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use clap::ValueEnum;

use super::nchan::{self, Folder};
use crate::cpu;
use crate::load::{Board, Dialect};

const LISTENING: &str = "listening on ";

/// One shard on any port. The rate limit would measure its own pauses; sessions have one page each.
pub const ARGUMENTS_OF_AUTOVIA: [&str; 8] = [
    "--shards",
    "1",
    "--port",
    "0",
    "--scope-rate",
    "0",
    "--log-level",
    "warn",
];

/// A server to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub enum Peer {
    /// One thread, epoll, one `send(2)` per stream.
    FloorEpoll,
    /// The same with batched io_uring sends.
    FloorUring,
    /// axum + tokio, server-sent events from a broadcast channel.
    Axum,
    /// nginx with the nchan module; left out where it is not installed.
    Nchan,
    /// autovia with one page of the bench's own app.
    Autovia,
}

/// Why a server could not be built or started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// cargo failed.
    #[error(
        "cargo could not build {programs:?} ({reason}): run the command above by hand, or leave the server out with --servers"
    )]
    Build {
        /// What was to be built.
        programs: Vec<String>,
        /// How cargo ended.
        reason: String,
    },
    /// The program is not there or may not run.
    #[error("{program} can't be started ({source}): build it first, or give its path")]
    Spawn {
        /// The path tried.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It ended, or said something else.
    #[error("{program} began with {line:?} instead of \"{LISTENING}<address>\"")]
    NotListening {
        /// The path tried.
        program: PathBuf,
        /// Its first line.
        line: String,
    },
}

impl Peer {
    /// All of them, the floor first: the others are compared with it.
    pub const ALL: [Peer; 5] = [
        Peer::FloorEpoll,
        Peer::FloorUring,
        Peer::Axum,
        Peer::Nchan,
        Peer::Autovia,
    ];

    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Peer::FloorEpoll => "floor-epoll",
            Peer::FloorUring => "floor-uring",
            Peer::Axum => "axum",
            Peer::Nchan => "nchan",
            Peer::Autovia => "autovia",
        }
    }

    /// Those of `peers` that this machine can start; the others are named on standard error.
    pub fn available(peers: &[Peer]) -> Vec<Peer> {
        let has = |peer: Peer| peer != Peer::Nchan || nchan::is_here();
        if peers.iter().any(|&peer| !has(peer)) {
            eprintln!("nchan is left out: apt-get install nginx libnginx-mod-nchan");
        }
        peers.iter().copied().filter(|&peer| has(peer)).collect()
    }

    /// How its clients talk to it.
    pub fn dialect(self) -> Dialect {
        match self {
            Peer::Autovia => Dialect::Autovia(Board::One),
            Peer::Nchan => Dialect::Nchan,
            _ => Dialect::Plain,
        }
    }

    fn program(self) -> &'static str {
        match self {
            Peer::FloorEpoll | Peer::FloorUring => "bench-floor",
            Peer::Axum => "bench-axum",
            Peer::Nchan => "nginx",
            Peer::Autovia => "bench-app",
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Peer::FloorEpoll => &["--by", "epoll"],
            Peer::FloorUring => &["--by", "uring"],
            Peer::Axum | Peer::Nchan => &[],
            Peer::Autovia => &ARGUMENTS_OF_AUTOVIA,
        }
    }
}

/// Where the programs are.
#[derive(Debug, Clone)]
pub struct Programs {
    folder: PathBuf,
    autovia: Option<PathBuf>,
}

impl Programs {
    /// Beside this executable; `autovia` replaces the bench's own app by another program with the same page.
    pub fn beside_this(autovia: Option<PathBuf>) -> io::Result<Programs> {
        let folder = std::env::current_exe()?
            .parent()
            .map(Path::to_owned)
            .unwrap_or_default();
        Ok(Programs { folder, autovia })
    }

    /// Builds what `peers` need with the profile that this program was built with.
    pub fn build(&self, peers: &[Peer]) -> Result<(), StartError> {
        let given = |peer: &Peer| *peer == Peer::Autovia && self.autovia.is_some();
        let mut programs: Vec<&str> = peers
            .iter()
            .filter(|peer| !given(peer) && **peer != Peer::Nchan)
            .map(|peer| peer.program())
            .collect();
        programs.sort_unstable();
        programs.dedup();
        if programs.is_empty() {
            return Ok(());
        }
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .arg("build")
            .arg("--manifest-path")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
        cargo
            .arg("--target-dir")
            .arg(self.folder.parent().unwrap_or(&self.folder));
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        // What an outer `cargo run` tells this program about itself is an input of some build scripts.
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_of_package(name)) {
            cargo.env_remove(name);
        }
        for program in &programs {
            cargo.args(["--bin", program]);
        }
        let reason = match cargo.status() {
            Ok(status) if status.success() => return Ok(()),
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        Err(StartError::Build {
            programs: programs.into_iter().map(str::to_owned).collect(),
            reason,
        })
    }

    /// The program of `peer`.
    pub fn path(&self, peer: Peer) -> PathBuf {
        match &self.autovia {
            Some(path) if peer == Peer::Autovia => path.clone(),
            _ => self.folder.join(peer.program()),
        }
    }

    /// Starts `peer` on `core`, or anywhere if there is none to spare.
    pub fn start(&self, peer: Peer, core: Option<usize>) -> Result<Running, StartError> {
        self.start_with(peer, core, &[])
    }

    /// The same with further arguments; for autovia they stand for the number of shards too.
    pub fn start_with(
        &self,
        peer: Peer,
        core: Option<usize>,
        extra: &[&str],
    ) -> Result<Running, StartError> {
        if peer == Peer::Nchan {
            return Running::start_nchan(core);
        }
        let mut command = Command::new(self.path(peer));
        let arguments = peer.arguments();
        let replaced = if extra.contains(&"--shards") { 2 } else { 0 };
        command.args(&arguments[replaced..]).args(extra);
        Running::start(command, core)
    }
}

fn is_of_package(variable: &OsStr) -> bool {
    let variable = variable.as_encoded_bytes();
    variable.starts_with(b"CARGO_PKG_") || variable.starts_with(b"CARGO_MANIFEST_")
}

/// A server that answers. Dropped: killed.
#[derive(Debug)]
pub struct Running {
    child: Child,
    address: SocketAddr,
    /// Only held: the files go with the server.
    _files: Option<Folder>,
}

impl Running {
    /// Starts `command` on `core` and waits for the line that says where it listens.
    pub fn start(mut command: Command, core: Option<usize>) -> Result<Running, StartError> {
        let program = PathBuf::from(command.get_program());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child =
            cpu::started_on(core, || command.spawn()).map_err(|source| StartError::Spawn {
                program: program.clone(),
                source,
            })?;
        let mut line = String::new();
        if let Some(output) = child.stdout.as_mut() {
            // An unreadable line is an empty one: the message below says the same.
            _ = BufReader::new(output).read_line(&mut line);
        }
        let address = line
            .trim_end()
            .split_once(LISTENING)
            .map(|(_, address)| address.trim_start_matches("http://"))
            .and_then(|address| address.parse().ok());
        let Some(address) = address else {
            stop(&mut child);
            return Err(StartError::NotListening { program, line });
        };
        Ok(Running {
            child,
            address,
            _files: None,
        })
    }

    /// Starts nchan and waits until it takes connections, since it says nothing.
    fn start_nchan(core: Option<usize>) -> Result<Running, StartError> {
        let spawn = |source| StartError::Spawn {
            program: "nginx".into(),
            source,
        };
        let (mut command, address, files) = nchan::prepare().map_err(spawn)?;
        command.stdin(Stdio::null());
        let child = cpu::started_on(core, || command.spawn()).map_err(spawn)?;
        let mut running = Running {
            child,
            address,
            _files: Some(files),
        };
        loop {
            if TcpStream::connect(address).is_ok() {
                return Ok(running);
            }
            if running.child.try_wait().map_err(spawn)?.is_some() {
                return Err(StartError::NotListening {
                    program: "nginx".into(),
                    line: "nothing, since it ended".to_owned(),
                });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Closes its standard input and waits until it has left by itself.
    pub fn finish(mut self) -> io::Result<()> {
        drop(self.child.stdin.take());
        self.child.wait().map(drop)
    }

    /// Kills it. What the kernel had taken for the streams still reaches them, then they end.
    pub fn kill(mut self) {
        stop(&mut self.child);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        stop(&mut self.child);
    }
}

fn stop(child: &mut Child) {
    // Both fail only where the process has already been waited for.
    _ = child.kill();
    _ = child.wait();
}

/// Says where this program listens: the line that [`Running::start`] waits for.
pub fn announce(address: SocketAddr) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{LISTENING}{address}")?;
    output.flush()
}
