//! What each finding means, in the words that users read.

use rustix::io::Errno;

#[cfg(test)]
mod tests;

use super::Finding;
use super::machine::{Limit, Machine};
use super::ring::{Abilities, Trouble};
use crate::server::config::Cpus;

/// Oldest kernel, as (major, minor).
const KERNEL_MIN: (u32, u32) = (6, 1);

/// Locked memory without which the executor of a shard doesn't start, in bytes.
const LOCKED_MIN_BYTES: u64 = 512 * KIB;

/// Open files of a shard that serves nobody: rings, wake-ups, listener, spares.
const FILES_PER_SHARD: u64 = 32;

/// Open files of a process without shards: standard streams, log, files of the app.
const FILES_OF_PROCESS: u64 = 64;

/// Fewer open pages than this are worth a warning.
const PAGES_EXPECTED: u64 = 10_000;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

pub(super) fn kernel(release: &str) -> Finding {
    let (major, minor) = KERNEL_MIN;
    let mut numbers = release
        .split(|char: char| !char.is_ascii_digit())
        .map_while(|part| part.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(found_major), Some(found_minor)) if (found_major, found_minor) >= KERNEL_MIN => {
            Finding::ok(
                "kernel",
                format!("Linux {release} ({major}.{minor} or newer is needed)"),
            )
        }
        (Some(_), Some(_)) => Finding::fail(
            "kernel",
            format!("Linux {release} is too old, {major}.{minor} or newer is needed"),
            "Update the kernel: Debian 12, Ubuntu 24.04, RHEL 10 and later have a new one"
                .to_owned(),
        ),
        _ => Finding::warn(
            "kernel",
            format!("the release `{release}` can't be read as a version"),
            format!("Make sure that it is Linux {major}.{minor} or newer"),
        ),
    }
}

/// The finding about io_uring, and one about what it can do where it works.
pub(super) fn ring(
    tried: Result<Abilities, Trouble>,
    machine: &Machine,
) -> (Finding, Option<Finding>) {
    const NAME: &str = "io_uring";
    match tried {
        Err(trouble) => (refused(&trouble, machine), None),
        Ok(abilities) if !abilities.missing.is_empty() => (
            Finding::fail(
                NAME,
                format!(
                    "this kernel's io_uring lacks {}",
                    abilities.missing.join(", ")
                ),
                "Update the kernel, or take off the sandbox that restricts io_uring".to_owned(),
            ),
            None,
        ),
        Ok(abilities) => (
            Finding::ok(
                NAME,
                "a ring could be set up, probed and entered".to_owned(),
            ),
            Some(features(&abilities)),
        ),
    }
}

fn features(abilities: &Abilities) -> Finding {
    const NAME: &str = "io_uring features";
    let all = [
        (abilities.multishot_poll, "multishot poll"),
        (abilities.multishot_accept, "multishot accept"),
        (abilities.zero_copy_send, "zero-copy send"),
        (abilities.bundles, "send bundles"),
    ];
    let list = |wanted: bool| {
        let names: Vec<_> = all
            .iter()
            .filter(|(here, _)| *here == wanted)
            .map(|(_, name)| *name)
            .collect();
        names.join(", ")
    };
    let (here, missing) = (list(true), list(false));
    if !abilities.multishot_poll || !abilities.multishot_accept {
        return Finding::fail(
            NAME,
            format!("not here: {missing}"),
            "Update the kernel: 6.1 has multishot poll and accept".to_owned(),
        );
    }
    let rest = if missing.is_empty() {
        String::new()
    } else {
        format!("; not here, not needed: {missing}")
    };
    Finding::ok(NAME, format!("{here}{rest}"))
}

fn refused(trouble: &Trouble, machine: &Machine) -> Finding {
    let call = trouble.call.name();
    let (found, change) = match trouble.error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOSYS) => (
            format!(
                "{call} is not implemented: this kernel is built without it, or a sandbox hides it"
            ),
            "Use a kernel with CONFIG_IO_URING=y, and no sandbox without io_uring (gVisor, WSL 1, \
             old container runtimes)"
                .to_owned(),
        ),
        Some(Errno::PERM | Errno::ACCESS) => forbidden(call, machine),
        Some(Errno::NOMEM) => (
            format!(
                "{call} got no memory; this process may lock {}",
                size(machine.locked_memory.soft)
            ),
            format!("Free memory, or raise the limit of locked memory: {LOCK_MORE}"),
        ),
        Some(Errno::MFILE) => (
            format!(
                "{call} got no file descriptor; this process may have {} open files",
                machine.open_files.soft
            ),
            format!("Raise the limit of open files: {OPEN_MORE}"),
        ),
        _ => (
            format!("{call} failed: {}", trouble.error),
            "This is not one of the usual causes: see the kernel's log (dmesg)".to_owned(),
        ),
    };
    Finding::fail("io_uring", found, change)
}

fn forbidden(call: &str, machine: &Machine) -> (String, String) {
    const SYSCTL: &str = "run `sysctl -w kernel.io_uring_disabled=0` as root, and put \
        `kernel.io_uring_disabled = 0` into a file in /etc/sysctl.d to keep it";
    match machine.io_uring_disabled {
        Some(2) => (
            "it is switched off for all processes (kernel.io_uring_disabled = 2)".to_owned(),
            format!("To switch it on, {SYSCTL}"),
        ),
        Some(1) => (
            "only some users may use it (kernel.io_uring_disabled = 1)".to_owned(),
            format!(
                "Put this user into the group whose number is kernel.io_uring_group; or, for all \
                 users, {SYSCTL}"
            ),
        ),
        _ if machine.seccomp_filter => (
            format!("a seccomp filter forbids {call}, as container runtimes do by default"),
            "Allow io_uring_setup, io_uring_enter and io_uring_register: in Docker and Podman by \
             --security-opt seccomp=PROFILE.json (to try it out, seccomp=unconfined), in Kubernetes \
             by securityContext.seccompProfile, in systemd by SystemCallFilter="
                .to_owned(),
        ),
        _ => (
            format!("{call} is forbidden, but not by seccomp and not by kernel.io_uring_disabled"),
            "Look for a rule of SELinux or AppArmor (`journalctl -k | grep -i denied`) and allow \
             io_uring there"
                .to_owned(),
        ),
    }
}

const LOCK_MORE: &str = "LimitMEMLOCK=infinity in a systemd unit, --ulimit memlock=-1 for Docker, \
    a `memlock` line in /etc/security/limits.conf for a login";

const OPEN_MORE: &str = "LimitNOFILE=1048576 in a systemd unit, --ulimit nofile=1048576 for Docker, \
    a `nofile` line in /etc/security/limits.conf for a login";

/// Judged by the hard limit, since the server raises the soft one to it.
pub(super) fn locked_memory(machine: &Machine, shards: usize) -> Finding {
    const NAME: &str = "locked memory";
    let Limit { soft, hard } = machine.locked_memory;
    let wanted = LOCKED_MIN_BYTES.saturating_mul(shards as u64);
    let found = limit_text(soft, hard, size);
    if hard < LOCKED_MIN_BYTES {
        return Finding::fail(
            NAME,
            format!("{found}; a shard needs {}", size(LOCKED_MIN_BYTES)),
            format!("Raise the hard limit: {LOCK_MORE}"),
        );
    }
    if hard < wanted && !machine.may_lock_any {
        return Finding::warn(
            NAME,
            format!("{found}; {shards} shards may need {}", size(wanted)),
            format!("Raise the hard limit, or run fewer shards: {LOCK_MORE}"),
        );
    }
    Finding::ok(NAME, found)
}

/// Judged by the hard limit, since the server raises the soft one to it.
pub(super) fn open_files(limit: Limit, shards: usize) -> Finding {
    const NAME: &str = "open files";
    let Limit { soft, hard } = limit;
    let own = FILES_OF_PROCESS.saturating_add(FILES_PER_SHARD.saturating_mul(shards as u64));
    let found = limit_text(soft, hard, |count| count.to_string());
    if hard < own {
        return Finding::fail(
            NAME,
            format!(
                "{found}; with --shards {shards}, {own} are needed before the first page is open"
            ),
            format!("Raise the hard limit: {OPEN_MORE}"),
        );
    }
    let pages = hard - own;
    if pages < PAGES_EXPECTED {
        return Finding::warn(
            NAME,
            format!("{found}: room for about {pages} open pages"),
            format!("Raise the hard limit for more: {OPEN_MORE}"),
        );
    }
    if hard == u64::MAX {
        return Finding::ok(NAME, found);
    }
    Finding::ok(NAME, format!("{found}: room for about {pages} open pages"))
}

pub(super) fn cpus(cpus: &Cpus) -> Finding {
    let allowed = cpus.allowed.len();
    let quota = if cpus.usable < allowed {
        format!(", a quota allows the time of {}", cpus.usable)
    } else {
        String::new()
    };
    Finding::ok(
        "CPUs",
        format!(
            "{allowed} may be used{quota}; --shards is {} by default",
            cpus.usable
        ),
    )
}

fn limit_text(soft: u64, hard: u64, shown: impl Fn(u64) -> String) -> String {
    let limited = |value| {
        if value == u64::MAX {
            "no limit".to_owned()
        } else {
            shown(value)
        }
    };
    if soft == hard {
        limited(hard)
    } else {
        format!("{} ({} now, raised at start)", limited(hard), limited(soft))
    }
}

fn size(bytes: u64) -> String {
    if bytes == u64::MAX {
        "any amount".to_owned()
    } else if bytes >= MIB && bytes.is_multiple_of(MIB) {
        format!("{} MiB", bytes / MIB)
    } else {
        format!("{} KiB", bytes / KIB)
    }
}
