//! 0001: glommio-ng beside glommio 0.9.0. Does an executor park while it has work, does
//! one timer in flight cure that, and what does a refused io_uring look like?
//!
//! `glommio parked [rounds] [seconds]`, `glommio refused`.
//! Build with `--features original` to have 0.9.0 in the table.

use std::{
    env, fs,
    io::{Read, Write},
    os::{
        fd::{FromRawFd, IntoRawFd},
        unix::net::UnixStream,
    },
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use autovia_spikes::{stats::Runs, sys};
use futures_lite::{AsyncReadExt, AsyncWriteExt, future::yield_now};
use rustix::process::{Signal, kill_process};

const FORK: &str = "ng";
const ORIGINAL: &str = "original";

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let number = |i: usize, default: u64| {
        args.get(i)
            .map_or(default, |a| a.parse().expect("a number"))
    };
    match args.first().map(String::as_str) {
        Some("parked") => parked(number(1, 3), number(2, 5)),
        Some("refused") => refused(),
        Some("child-parked") => child_parked(
            &args[1],
            number(2, 0),
            number(3, 0),
            args[4] == "echo",
            number(5, 0),
        ),
        Some("child-refused") => child_refused(&args[1], &args[2]),
        _ => panic!("say parked or refused"),
    }
}

fn versions() -> Vec<&'static str> {
    if cfg!(feature = "original") {
        vec![FORK, ORIGINAL]
    } else {
        vec![FORK]
    }
}

/// Work that must never stand still. With `echo`, one task writes to a thread outside and
/// waits for its answer, so the executor sleeps and wakes all the time and the short
/// span between arming the preempt timer and the first look at it comes up often.
/// Without it, the task only yields.
macro_rules! load {
    ($glommio:ident, $preempt:expr, $timer:expr, $echo:expr, $turns:expr) => {{
        let (preempt, timer, echo, turns) = ($preempt, $timer, $echo, $turns);
        move || {
            $glommio::LocalExecutorBuilder::new($glommio::Placement::Fixed(0))
                .preempt_timer(preempt)
                .io_memory(65536)
                .make()
                .expect("io_uring is allowed here")
                .run(async move {
                    if !timer.is_zero() {
                        $glommio::spawn_local(async move {
                            loop {
                                $glommio::timer::sleep(timer).await;
                            }
                        })
                        .detach();
                    }
                    let (near, mut far) = UnixStream::pair().expect("a socket pair");
                    near.set_nonblocking(true).expect("non-blocking");
                    thread::spawn(move || {
                        sys::pin(1);
                        let mut byte = [0];
                        while far.read_exact(&mut byte).is_ok() {
                            far.write_all(&byte).expect("echo");
                        }
                    });
                    // SAFETY: `into_raw_fd` gives up the only owner of the descriptor.
                    let mut near =
                        unsafe { $glommio::net::UnixStream::from_raw_fd(near.into_raw_fd()) };
                    loop {
                        if echo {
                            near.write_all(&[1]).await.expect("write");
                            near.read_exact(&mut [0]).await.expect("the answer");
                        } else {
                            yield_now().await;
                        }
                        turns.fetch_add(1, SeqCst);
                    }
                })
        }
    }};
}

/// Prints the longest stall of the executor in ticks of 1 ms that the watching thread
/// itself lived through, so that a stopped process is no stall.
fn child_parked(version: &str, preempt_us: u64, timer_ms: u64, echo: bool, seconds: u64) {
    let turns = Arc::new(AtomicU64::new(0));
    let (preempt, timer) = (
        Duration::from_micros(preempt_us),
        Duration::from_millis(timer_ms),
    );
    let seen = turns.clone();
    match version {
        #[cfg(feature = "original")]
        ORIGINAL => drop(thread::spawn(load!(
            glommio_original,
            preempt,
            timer,
            echo,
            seen
        ))),
        _ => drop(thread::spawn(load!(glommio, preempt, timer, echo, seen))),
    }
    while turns.load(SeqCst) == 0 {
        thread::yield_now();
    }
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut last, mut still, mut longest) = (0, 0u64, 0);
    while Instant::now() < end {
        thread::sleep(Duration::from_millis(1));
        let turn = turns.load(SeqCst);
        still = if turn == last { still + 1 } else { 0 };
        last = turn;
        longest = longest.max(still);
    }
    println!("{longest} {still} {last}");
    std::process::exit(0);
}

/// What is done to a running child from outside.
#[derive(Clone, Copy, PartialEq)]
enum Trouble {
    None,
    /// Stopped for longer than the preempt timer, 5 ms running, again and again.
    Stops,
    /// 20 ms of CPU in each 400 ms.
    Quota,
}

/// A CPU controller group of our own (version 1), removed when dropped.
struct Group(std::path::PathBuf);

impl Group {
    fn with(child: &Child) -> Option<Self> {
        let path = std::path::PathBuf::from(format!("/sys/fs/cgroup/cpu/spike-{}", child.id()));
        fs::create_dir(&path).ok()?;
        let group = Self(path);
        let write = |file: &str, text: &str| fs::write(group.0.join(file), text).is_ok();
        (write("cpu.cfs_period_us", "400000")
            && write("cpu.cfs_quota_us", "20000")
            && write("cgroup.procs", &child.id().to_string()))
        .then_some(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

fn again(arguments: &[&str]) -> Child {
    Command::new(env::current_exe().expect("own path"))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("start a child of our own")
}

fn parked(rounds: u64, seconds: u64) {
    println!(
        "| version | preempt timer | trouble | timer in flight | ended stuck | longest stall, ms |"
    );
    println!("|---|---|---|---|---|---|");
    for (preempt_us, trouble, name) in [
        (100, Trouble::None, "none"),
        (1_000, Trouble::Stops, "SIGSTOP 6 ms, SIGCONT 5 ms"),
        (100_000, Trouble::Stops, "SIGSTOP 125 ms, SIGCONT 5 ms"),
        (100_000, Trouble::Quota, "quota 20 ms of 400 ms"),
    ] {
        let arms: Vec<_> = versions()
            .into_iter()
            .flat_map(|v| [(v, 0), (v, 50)])
            .collect();
        let mut stuck = vec![0; arms.len()];
        let mut stalls = vec![Runs::default(); arms.len()];
        for _ in 0..rounds {
            for (i, (version, timer)) in arms.iter().enumerate() {
                let child = again(&[
                    "child-parked",
                    version,
                    &preempt_us.to_string(),
                    &timer.to_string(),
                    if trouble == Trouble::None {
                        "yield"
                    } else {
                        "echo"
                    },
                    &seconds.to_string(),
                ]);
                let (longest, still) = disturb(child, trouble, preempt_us, seconds);
                stuck[i] += u64::from(still > 200);
                stalls[i].push(longest);
            }
        }
        for (i, (version, timer)) in arms.iter().enumerate() {
            println!(
                "| {version} | {} ms | {name} | {} | {} of {rounds} | {} |",
                preempt_us as f64 / 1e3,
                if *timer == 0 { "no" } else { "50 ms" },
                stuck[i],
                stalls[i]
            );
        }
    }
}

fn disturb(child: Child, trouble: Trouble, preempt_us: u64, seconds: u64) -> (f64, u64) {
    let group = (trouble == Trouble::Quota)
        .then(|| Group::with(&child).expect("a writable cpu controller"));
    let end = Instant::now()
        + Duration::from_millis(seconds * 1000).saturating_sub(Duration::from_millis(1000));
    while trouble == Trouble::Stops && Instant::now() < end {
        let _ = kill_process(sys::pid_of(&child), Signal::STOP);
        thread::sleep(Duration::from_millis(5) + Duration::from_micros(preempt_us * 6 / 5));
        let _ = kill_process(sys::pid_of(&child), Signal::CONT);
        thread::sleep(Duration::from_millis(5));
    }
    let out = child.wait_with_output().expect("the child ends by itself");
    drop(group);
    let text = String::from_utf8_lossy(&out.stdout);
    let mut words = text
        .split_whitespace()
        .map(|w| w.parse::<u64>().expect("a count"));
    (
        words.next().expect("longest") as f64,
        words.next().expect("still"),
    )
}

fn refused() {
    for why in ["seccomp", "memlock"] {
        for version in versions() {
            let out = Command::new(env::current_exe().expect("own path"))
                .args(["child-refused", version, why])
                .output()
                .expect("start a child of our own");
            println!(
                "{version}, {why}: exit {:?}\n  stdout: {}\n  stderr: {}",
                out.status.code(),
                String::from_utf8_lossy(&out.stdout).trim(),
                String::from_utf8_lossy(&out.stderr)
                    .trim()
                    .replace('\n', "\n          ")
            );
        }
    }
}

fn child_refused(version: &str, why: &str) {
    match why {
        "seccomp" => sys::forbid_io_uring(),
        _ => sys::limit_locked_memory(64 * 1024),
    }
    macro_rules! attempt {
        ($glommio:ident) => {
            match $glommio::LocalExecutorBuilder::new($glommio::Placement::Unbound)
                .io_memory(65536)
                .make()
            {
                Ok(executor) => executor.run(async { "started" }),
                Err(error) => {
                    println!("error: {error} / {error:?}");
                    return;
                }
            }
        };
    }
    let said = match version {
        #[cfg(feature = "original")]
        ORIGINAL => attempt!(glommio_original),
        _ => attempt!(glommio),
    };
    println!("{said}");
}
