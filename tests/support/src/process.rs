//! A child process of a test: what it says, how it ends, signals that hit nobody else.
//!
//! Signals go through a pidfd, so that a test can never hit a stranger that got the same number.
//! Dropping the value kills the child and waits for it.

use std::io::{BufRead, BufReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open,
    pidfd_send_signal, waitid,
};

use crate::deadline::{DEADLINE, Deadline};

/// How long a debug build may take to start or to drain on a busy machine.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// What the child has said so far.
#[derive(Default)]
pub(crate) struct Said {
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: Vec<String>,
    open_pipes: usize,
}

/// A running child.
pub(crate) struct Process {
    name: String,
    child: Mutex<Child>,
    pid: Pid,
    pidfd: OwnedFd,
    said: Arc<(Mutex<Said>, Condvar)>,
}

impl Process {
    /// Starts it as the leader of a process group of its own.
    pub(crate) fn spawn(mut command: Command) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let pid = Pid::from_child(&child);
        let pidfd =
            pidfd_open(pid, PidfdFlags::empty()).expect("the child is ours and not yet waited for");
        let said = Arc::new((
            Mutex::new(Said {
                open_pipes: 2,
                ..Said::default()
            }),
            Condvar::new(),
        ));
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        collect(stdout, Arc::clone(&said), |said| &mut said.stdout);
        collect(stderr, Arc::clone(&said), |said| &mut said.stderr);
        Self {
            name,
            child: Mutex::new(child),
            pid,
            pidfd,
            said,
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    pub(crate) fn stderr_lines(&self) -> Vec<String> {
        self.said().stderr.clone()
    }

    /// The first line on standard output.
    pub(crate) fn wait_first_line(&self, wanted: &str) -> String {
        self.wait_said(START_DEADLINE, wanted, |said| said.stdout.first().cloned())
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `found` finds something in what the child has said; panics with all of it otherwise.
    pub(crate) fn wait_said<T>(
        &self,
        limit: Duration,
        wanted: &str,
        found: impl Fn(&Said) -> Option<T>,
    ) -> T {
        let deadline = Deadline::after(limit);
        let mut said = self.said();
        loop {
            if let Some(value) = found(&said) {
                return value;
            }
            let left = deadline.left();
            if said.open_pipes == 0 || left.is_err() {
                let why = if left.is_err() {
                    "the deadline passed"
                } else {
                    "it ended"
                };
                panic!(
                    "{} was waited for: {wanted}, but {why}; it said:\n{}",
                    self.name,
                    shown(&said)
                );
            }
            said = self
                .said
                .1
                .wait_timeout(said, left.unwrap_or_default())
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Everything on standard output and standard error, once both are closed.
    pub(crate) fn wait_all_said(&self) -> (String, String) {
        self.wait_said(DEADLINE, "the end of its output", |said| {
            (said.open_pipes == 0).then(|| (said.stdout.join("\n"), said.stderr.join("\n")))
        })
    }

    pub(crate) fn wait_exit(&self) -> ExitStatus {
        if !self.has_ended(START_DEADLINE) {
            panic!(
                "{} doesn't end; it said:\n{}",
                self.name,
                shown(&self.said())
            );
        }
        self.child
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .wait()
            .expect("the child is ours")
    }

    /// Whether it ends within `limit`.
    pub(crate) fn has_ended(&self, limit: Duration) -> bool {
        ends_within(&self.pidfd, limit)
    }

    /// Waits until a SIGSTOP has taken hold.
    pub(crate) fn wait_stopped(&self) {
        let wanted = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::PidFd(self.pidfd.as_fd()), wanted).expect("the child is ours");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        match pidfd_send_signal(&self.pidfd, signal) {
            // One that has ended already needs no signal.
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => panic!("cannot signal {}: {error}", self.name),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The group too: a browser has children. Its number is ours until the leader is waited for.
        if self
            .child
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .try_wait()
            .is_ok_and(|end| end.is_none())
        {
            let _ = kill_process_group(self.pid, Signal::KILL);
        }
        let _ = self
            .child
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .wait();
        if thread::panicking() {
            // The test failed: its author wants to see what the server said.
            eprintln!("--- {} said:\n{}", self.name, shown(&self.said()));
        }
    }
}

/// Whether a process ends within `limit`: its pidfd becomes readable then.
pub(crate) fn ends_within(pidfd: &OwnedFd, limit: Duration) -> bool {
    let deadline = Deadline::after(limit);
    loop {
        let timeout =
            Timespec::try_from(deadline.left().unwrap_or_default()).expect("a minute fits");
        let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(count) if count > 0 => return true,
            Ok(_) if deadline.passed() => return false,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("cannot wait for a process: {error}"),
        }
    }
}

fn collect(
    pipe: impl Read + Send + 'static,
    said: Arc<(Mutex<Said>, Condvar)>,
    lines_of: fn(&mut Said) -> &mut Vec<String>,
) {
    thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(count) if count > 0) {
            let text = String::from_utf8_lossy(&line)
                .trim_end_matches(['\n', '\r'])
                .to_owned();
            line.clear();
            lines_of(&mut said.0.lock().unwrap_or_else(PoisonError::into_inner)).push(text);
            said.1.notify_all();
        }
        said.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .open_pipes -= 1;
        said.1.notify_all();
    });
}

fn shown(said: &Said) -> String {
    format!(
        "stdout:\n  {}\nstderr:\n  {}",
        said.stdout.join("\n  "),
        said.stderr.join("\n  ")
    )
}
