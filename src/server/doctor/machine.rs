//! What the kernel says about itself and about this process.

use rustix::process::{Resource, getrlimit};

/// Bit of `CAP_IPC_LOCK` in a capability mask: such a process may lock any amount of memory.
const CAP_IPC_LOCK_BIT: u32 = 14;

/// A resource limit; `u64::MAX` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) soft: u64,
    pub(super) hard: u64,
}

impl Limit {
    pub(super) fn of(resource: Resource) -> Self {
        let limit = getrlimit(resource);
        Self {
            soft: limit.current.unwrap_or(u64::MAX),
            hard: limit.maximum.unwrap_or(u64::MAX),
        }
    }
}

/// What the judgements need to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Machine {
    /// Release as in `uname -r`.
    pub(super) kernel: String,
    /// `kernel.io_uring_disabled`, where the kernel has it.
    pub(super) io_uring_disabled: Option<u32>,
    /// Whether a seccomp filter is on this process.
    pub(super) seccomp_filter: bool,
    /// Whether the limit of locked memory doesn't bind this process.
    pub(super) may_lock_any: bool,
    pub(super) locked_memory: Limit,
    pub(super) open_files: Limit,
}

pub(super) fn look() -> Machine {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    };
    Machine {
        kernel: rustix::system::uname()
            .release()
            .to_string_lossy()
            .into_owned(),
        io_uring_disabled: std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled")
            .ok()
            .and_then(|text| text.trim().parse().ok()),
        seccomp_filter: field("Seccomp") == Some("2"),
        may_lock_any: field("CapEff")
            .and_then(|mask| u64::from_str_radix(mask, 16).ok())
            .is_some_and(|mask| mask >> CAP_IPC_LOCK_BIT & 1 == 1),
        locked_memory: Limit::of(Resource::Memlock),
        open_files: Limit::of(Resource::Nofile),
    }
}
