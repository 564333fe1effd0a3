//! The few kernel facts that the spikes need and the standard library lacks.

use std::{
    fs,
    io::{self, Read},
    net::{TcpListener, TcpStream},
    time::Instant,
};

use rustix::{
    process::Pid,
    thread::{CpuSet, sched_setaffinity},
    time::{ClockId, clock_gettime},
};

/// Pins the calling thread to one CPU.
pub fn pin(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).expect("pin to a CPU of this machine");
}

/// CPU time of the calling thread so far, in nanoseconds.
pub fn thread_cpu() -> u64 {
    let t = clock_gettime(ClockId::ThreadCPUTime);
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

/// Monotonic time in nanoseconds, comparable between threads of this process.
pub fn now() -> u64 {
    let t = clock_gettime(ClockId::Monotonic);
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

/// CPU time of every ksoftirqd thread so far, in nanoseconds.
pub fn ksoftirqd_cpu() -> u64 {
    let mut total = 0;
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(name) = fs::read_to_string(path.join("comm")) else {
            continue;
        };
        if name.starts_with("ksoftirqd/") {
            let stat = fs::read_to_string(path.join("schedstat")).unwrap_or_default();
            total += stat
                .split(' ')
                .next()
                .and_then(|n| n.parse::<u64>().ok())
                .unwrap_or(0);
        }
    }
    total
}

/// `count` connected loopback pairs: (server side, client side), both non-blocking.
pub fn tcp_pairs(count: usize) -> Vec<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free loopback port");
    let address = listener.local_addr().expect("bound");
    (0..count)
        .map(|_| {
            let client = TcpStream::connect(address).expect("loopback connect");
            let (server, _) = listener.accept().expect("loopback accept");
            for socket in [&client, &server] {
                socket.set_nonblocking(true).expect("non-blocking");
                socket.set_nodelay(true).expect("no delay");
            }
            (server, client)
        })
        .collect()
}

/// Reads and drops everything that waits in a non-blocking socket; the bytes read.
pub fn drain(mut socket: &TcpStream, scratch: &mut [u8]) -> usize {
    let mut total = 0;
    loop {
        match socket.read(scratch) {
            Ok(0) => return total,
            Ok(n) => total += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return total,
        }
    }
}

/// One value of `/proc/slabinfo` after `name`: objects in use × object size, in bytes.
pub fn slab_bytes(name: &str) -> u64 {
    let info = fs::read_to_string("/proc/slabinfo").unwrap_or_default();
    info.lines()
        .find(|line| line.split_whitespace().next() == Some(name))
        .map(|line| {
            let mut words = line.split_whitespace().skip(1);
            let used: u64 = words.next().and_then(|w| w.parse().ok()).unwrap_or(0);
            let size: u64 = words.nth(1).and_then(|w| w.parse().ok()).unwrap_or(0);
            used * size
        })
        .unwrap_or(0)
}

/// A child's id as the kernel calls take it.
pub fn pid_of(child: &std::process::Child) -> Pid {
    Pid::from_child(child)
}

/// Makes `io_uring_setup` answer EPERM in this thread and all it starts, as a
/// container's seccomp profile does.
pub fn forbid_io_uring() {
    const fn op(code: u32, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
        libc::sock_filter {
            code: code as u16,
            jt,
            jf,
            k,
        }
    }
    let mut program = [
        op(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        op(
            libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
            0,
            1,
            libc::SYS_io_uring_setup as u32,
        ),
        op(
            libc::BPF_RET | libc::BPF_K,
            0,
            0,
            libc::SECCOMP_RET_ERRNO | libc::EPERM as u32,
        ),
        op(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: `filter` and the program that it points at live until the call returns;
    // the kernel copies both.
    let refused = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            | libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &filter)
    };
    assert_eq!(refused, 0, "{}", io::Error::last_os_error());
}

/// Lowers locked memory to `bytes` and drops the right to pass the limit (needs root).
pub fn limit_locked_memory(bytes: u64) {
    use rustix::process::{Resource, Rlimit, setrlimit};
    setrlimit(
        Resource::Memlock,
        Rlimit {
            current: Some(bytes),
            maximum: Some(bytes),
        },
    )
    .expect("lower a limit");
    // SAFETY: only this child changes its user; no memory is involved.
    assert_eq!(unsafe { libc::setuid(65534) }, 0, "needs root");
}

/// Spins until `deadline`, for a load that never sleeps.
pub fn spin_until(deadline: Instant) {
    while Instant::now() < deadline {
        std::hint::spin_loop();
    }
}
