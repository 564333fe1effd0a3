//! The real binary, started on a free port, looked at from outside, and stopped.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::Signal;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};
use serde_json::Value;

use crate::ca::Certificate;
use crate::deadline::DEADLINE;
use crate::http::Client;
use crate::process::Process;

const READY_PREFIX: &str = "autovia listening on ";

/// A server binary and how to start it.
#[derive(Clone)]
pub struct Server {
    binary: PathBuf,
    shards: Option<usize>,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    working_folder: Option<PathBuf>,
    /// Numbers of system calls that fail.
    forbidden: Vec<i64>,
}

impl Server {
    /// A server from the binary at this path: `Server::new(env!("CARGO_BIN_EXE_autovia"))`.
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        Self {
            binary: binary.into(),
            shards: None,
            arguments: Vec::new(),
            environment: Vec::new(),
            working_folder: None,
            forbidden: Vec::new(),
        }
    }

    /// Where the binary is, to be started in another way.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// Adds `--shards`.
    #[must_use]
    pub fn shards(mut self, shards: usize) -> Self {
        self.shards = Some(shards);
        self
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Has it speak TLS with this certificate.
    #[must_use]
    pub fn tls(self, certificate: &Certificate) -> Self {
        self.arg("--tls-cert")
            .arg(&certificate.chain_file)
            .arg("--tls-key")
            .arg(&certificate.key_file)
    }

    /// Sets an environment variable; no `AUTOVIA_*` one is taken from the tests' own environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Sets the working folder.
    #[must_use]
    pub fn current_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.working_folder = Some(folder.into());
        self
    }

    /// Forbids io_uring to it by a seccomp filter, as container runtimes do.
    #[must_use]
    pub fn without_io_uring(mut self) -> Self {
        // Setup, enter, register: the same numbers on all architectures.
        self.forbidden.extend([425, 426, 427]);
        self
    }

    /// Forbids `unshare` to it, and with it descriptor tables of its threads' own, as sandboxes do.
    #[must_use]
    pub fn without_unshare(mut self) -> Self {
        self.forbidden.push(libc::SYS_unshare);
        self
    }

    /// Starts it on a free port (unless the arguments name one) and waits until all shards accept.
    /// Panics with what the server said when it doesn't come up.
    pub fn start(&self) -> Running {
        let mut command = self.command();
        if let Some(shards) = self.shards {
            command.arg("--shards").arg(shards.to_string());
        }
        if !self.arguments.iter().any(|argument| argument == "--port") {
            command.args(["--port", "0"]);
        }
        command.args(&self.arguments);
        let process = self.spawn(command);
        let line = process.wait_first_line("the line that says it is listening");
        let address = line
            .strip_prefix(READY_PREFIX)
            .and_then(|url| url.split_once("://127.0.0.1:"))
            .and_then(|(scheme, port)| Some((scheme, port.trim_end_matches('/').parse().ok()?)));
        let (scheme, port) = match address {
            Some((scheme @ ("http" | "https"), port)) => (scheme.to_owned(), port),
            _ => {
                panic!("the first line on stdout is {line:?}, not {READY_PREFIX:?} and an address")
            }
        };
        Running {
            process,
            scheme,
            port,
        }
    }

    /// Runs it with these arguments (none are added) and the builder's environment until it ends by
    /// itself: for starts that must fail, `--help`, `doctor`. Panics when it doesn't end.
    pub fn run_to_end<A: Into<OsString>>(&self, arguments: impl IntoIterator<Item = A>) -> Output {
        let mut command = self.command();
        command.args(arguments.into_iter().map(Into::into));
        let process = self.spawn(command);
        let status = process.wait_exit();
        let (stdout, stderr) = process.wait_all_said();
        Output {
            status,
            stdout,
            stderr,
        }
    }

    fn spawn(&self, command: Command) -> Process {
        if self.forbidden.is_empty() {
            return Process::spawn(command);
        }
        // A filter holds for the thread that sets it and for the children of that thread.
        let forbidden = self.forbidden.clone();
        let filtered = thread::spawn(move || {
            forbid(&forbidden);
            Process::spawn(command)
        });
        filtered.join().expect("the filtered thread starts it")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AUTOVIA_") {
                command.env_remove(name);
            }
        }
        command.env_remove("RUST_LOG").env("NO_COLOR", "1");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &self.working_folder {
            command.current_dir(folder);
        }
        command
    }
}

/// Makes these system calls fail with EPERM for this thread and its children.
fn forbid(calls: &[i64]) {
    let calls: BTreeMap<_, _> = calls.iter().map(|&call| (call, Vec::new())).collect();
    let filter = SeccompFilter::new(
        calls,
        SeccompAction::Allow,
        SeccompAction::Errno(Errno::PERM.raw_os_error().unsigned_abs()),
        TargetArch::try_from(std::env::consts::ARCH).expect("seccomp knows this architecture"),
    );
    let program: BpfProgram = filter
        .and_then(TryInto::try_into)
        .expect("the filter is well formed");
    seccompiler::apply_filter(&program).expect("a thread may always give rights up");
}

/// What a server that ended by itself said.
#[derive(Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// Everything on its standard output.
    pub stdout: String,
    /// Everything on its standard error.
    pub stderr: String,
}

/// A server that runs. Dropping it kills it.
pub struct Running {
    process: Process,
    scheme: String,
    port: u16,
}

impl Running {
    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `http://127.0.0.1:PORT`, or `https://…`.
    pub fn base_url(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.port)
    }

    /// A new browser's client.
    pub fn client(&self) -> Client {
        Client::new(self.port)
    }

    /// What `/_health` says.
    pub fn health(&self) -> Value {
        Client::without_cookies(self.port).get("/_health").json()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The lines of its standard error so far.
    pub fn log(&self) -> Vec<String> {
        self.process.stderr_lines()
    }

    /// Waits for a line of its standard error that holds `text`, and gives that line. A line that
    /// came earlier counts.
    pub fn wait_log(&self, text: &str) -> String {
        self.process
            .wait_said(DEADLINE, &format!("a log line with {text:?}"), |said| {
                said.stderr.iter().find(|line| line.contains(text)).cloned()
            })
    }

    /// SIGTERM, then waits for the end.
    pub fn terminate(&self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait_exit()
    }

    /// SIGTERM alone, for tests that look at the server while it drains.
    pub fn ask_to_stop(&self) {
        self.signal(Signal::TERM);
    }

    /// SIGINT alone.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// SIGKILL, then waits for the end.
    pub fn kill9(&self) -> ExitStatus {
        self.signal(Signal::KILL);
        self.wait_exit()
    }

    /// SIGSTOP, then waits until the process stands still; its sockets stay open.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
        self.process.wait_stopped();
    }

    /// SIGCONT after [`Running::stop`].
    pub fn cont(&self) {
        self.signal(Signal::CONT);
    }

    /// Waits until it ends; panics with its log when it doesn't.
    pub fn wait_exit(&self) -> ExitStatus {
        self.process.wait_exit()
    }

    /// Whether it still runs.
    pub fn is_running(&self) -> bool {
        !self.process.has_ended(Duration::ZERO)
    }

    /// Its resident memory in bytes.
    pub fn resident_bytes(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The most that was ever resident, in bytes.
    pub fn peak_resident_bytes(&self) -> u64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, what: &str) -> u64 {
        let status = self.read_proc("status");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(what))
            .unwrap_or_else(|| panic!("status holds no {what}"));
        let kib: u64 = line
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .expect("it is a number of kB");
        kib * 1024
    }

    /// How many file descriptors it holds open.
    pub fn open_files(&self) -> usize {
        fs::read_dir(self.proc("fd"))
            .expect("the process runs")
            .count()
    }

    /// The names of its threads.
    pub fn thread_names(&self) -> Vec<String> {
        let tasks = fs::read_dir(self.proc("task")).expect("the process runs");
        // A thread may end between the listing and the reading.
        tasks
            .filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok())
            .map(|name| name.trim_end().to_owned())
            .collect()
    }

    fn read_proc(&self, name: &str) -> String {
        fs::read_to_string(self.proc(name)).expect("the process runs")
    }

    fn proc(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.pid()))
    }

    fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }
}
