//! What the kernel says a process has used: CPU time of all its threads, and resident memory.
//!
//! Sending on loopback also runs the receiver's half of TCP. Most of that is charged to the sender, the rest to
//! `ksoftirqd` of the sender's core. A server that batches its sends moves work from the first to the second, so
//! both are read, always.

use std::sync::OnceLock;
use std::time::Duration;
use std::{fs, io};

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// CPU time since a process started, all threads, ended ones included; steps of a clock tick (10 ms).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time in the program itself.
    pub user: Duration,
    /// Time in the kernel on its behalf.
    pub system: Duration,
}

impl Usage {
    /// Both together.
    pub fn total(self) -> Duration {
        self.user + self.system
    }

    /// What was used after `earlier`.
    pub fn since(self, earlier: Usage) -> Usage {
        Usage {
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
        }
    }
}

/// CPU time of process `pid`. Fails if there is no such process.
pub fn usage(pid: u32) -> io::Result<Usage> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parse_stat(&stat).ok_or_else(|| unexpected(&format!("/proc/{pid}/stat"), &stat))
}

/// CPU time of this process.
pub fn own_usage() -> io::Result<Usage> {
    usage(std::process::id())
}

/// Resident bytes (`VmRSS`) of process `pid`.
pub fn resident_bytes(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    parse_resident(&status).ok_or_else(|| unexpected(&format!("/proc/{pid}/status"), &status))
}

/// Bytes that the kernel holds for sockets and their descriptors, on the whole machine: its slabs and TCP's buffers.
pub fn socket_bytes() -> io::Result<u64> {
    let memory = fs::read_to_string("/proc/meminfo")?;
    let slab = field(&memory, "Slab:").and_then(|kib| kib.parse::<u64>().ok());
    let sockets = fs::read_to_string("/proc/net/sockstat")?;
    let line = sockets.lines().find(|line| line.starts_with("TCP:"));
    let pages = line
        .and_then(|line| line.split_once("mem "))
        .and_then(|(_, pages)| pages.trim().parse::<u64>().ok());
    let page_bytes = rustix::param::page_size() as u64;
    match (slab, pages) {
        (Some(slab), Some(pages)) => Ok(slab * 1024 + pages * page_bytes),
        _ => Err(unexpected("/proc/meminfo or /proc/net/sockstat", &memory)),
    }
}

/// Bytes that processes can still get without swapping, on the whole machine.
pub fn available_bytes() -> io::Result<u64> {
    let memory = fs::read_to_string("/proc/meminfo")?;
    let available = field(&memory, "MemAvailable:").and_then(|kib| kib.parse::<u64>().ok());
    available
        .map(|kib| kib * 1024)
        .ok_or_else(|| unexpected("/proc/meminfo", &memory))
}

/// The first word after `name` in lines of `name value unit`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()
}

/// The process number of `ksoftirqd` on `core`; none in a container that can't see kernel threads.
pub fn ksoftirqd(core: usize) -> Option<u32> {
    let name = format!("ksoftirqd/{core}");
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let comm = fs::read_to_string(entry.path().join("comm")).ok()?;
        (comm.trim_end() == name).then_some(pid)
    })
}

/// The cores that this process may use, lowest first.
pub fn allowed_cores() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU)
        .filter(|&core| set.is_set(core))
        .collect())
}

/// The cores that this process may use, though its first thread may be pinned to one of them by now.
pub fn own_cores() -> io::Result<Vec<usize>> {
    static AT_START: OnceLock<Vec<usize>> = OnceLock::new();
    if let Some(cores) = AT_START.get() {
        return Ok(cores.clone());
    }
    let cores = allowed_cores()?;
    Ok(AT_START.get_or_init(|| cores).clone())
}

/// Pins the calling thread; threads and processes that it starts afterwards inherit the pin.
pub fn pin_this_thread(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None::<Pid>, &set)?)
}

/// Runs `start` pinned to `core`, so that a process started in it lives there from its first instruction on,
/// then gives the calling thread its own cores back.
pub fn started_on<T>(core: Option<usize>, start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let Some(core) = core else { return start() };
    let before = sched_getaffinity(None)?;
    pin_this_thread(core)?;
    let started = start();
    sched_setaffinity(None, &before)?;
    started
}

fn parse_stat(stat: &str) -> Option<Usage> {
    // The command's name may hold spaces and parentheses: the numbers start after the last one.
    let mut fields = stat
        .get(stat.rfind(')')? + 1..)?
        .split_ascii_whitespace()
        .skip(11);
    let mut ticks = || {
        Some(Duration::from_secs(
            fields.next()?.parse::<u32>().ok()?.into(),
        ))
    };
    let per_second = u32::try_from(rustix::param::clock_ticks_per_second()).ok()?;
    Some(Usage {
        user: ticks()? / per_second,
        system: ticks()? / per_second,
    })
}

fn parse_resident(status: &str) -> Option<u64> {
    Some(field(status, "VmRSS:")?.parse::<u64>().ok()? * 1024)
}

fn unexpected(path: &str, text: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("{path} has an unexpected form: {text}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_past_a_hostile_command_name() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194304 90 0 0 0 250 50 0 0 20 0 1 0 5 1 1";
        let per_second = u32::try_from(rustix::param::clock_ticks_per_second()).unwrap();
        let usage = parse_stat(stat).unwrap();
        assert_eq!(usage.user, Duration::from_secs(250) / per_second);
        assert_eq!(usage.system, Duration::from_secs(50) / per_second);
    }

    #[test]
    fn resident_memory_is_in_bytes() {
        assert_eq!(
            parse_resident("Name:\tx\nVmRSS:\t    1234 kB\n"),
            Some(1234 * 1024)
        );
        assert_eq!(parse_resident("Name:\tx\n"), None);
    }

    #[test]
    fn a_pinned_start_leaves_the_caller_where_it_was() {
        let before = allowed_cores().unwrap();
        let inside = started_on(Some(before[0]), allowed_cores).unwrap();
        assert_eq!(inside, [before[0]]);
        assert_eq!(allowed_cores().unwrap(), before);
    }
}
