//! What a number of open streams needs of this machine: have, need, and the command that closes the gap.
//!
//! Finding out (`Settings::read`) is kept apart from judging (`judge`), as in the rest of doctor.

use std::path::Path;

use super::machine::Limit;
use super::{Finding, render};
use crate::server::config::Cpus;
use crate::server::config::settings::CONTEXTS_MAX;

/// Resident bytes of the server per stream with its page's context (docs/benchmarks/streams.md).
const USER_BYTES: u64 = 2_500;

/// Bytes of the kernel per stream: the socket, its file, its entry in the epoll set.
const KERNEL_BYTES: u64 = 4_500;

/// Resident bytes of a server without a stream, and what the machine's other processes are left.
const BASE_BYTES: u64 = 256 * 1024 * 1024;

/// Descriptors of a table that are no stream: the shard's own, copies of the others', and what is kept free.
const NO_STREAMS: u64 = 512;

/// Pages that one event in flight takes of the kernel's TCP memory.
const PAGES_IN_FLIGHT: u64 = 1;

/// The queue of each listener.
const BACKLOG: u64 = 4096;

/// Shards are filled evenly, but for so many in a hundred.
const UNEVEN_PERCENT: u64 = 5;

/// What the kernel allows; `None` is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settings {
    open_files: Limit,
    nr_open: Option<u64>,
    file_max: Option<u64>,
    somaxconn: Option<u64>,
    syn_backlog: Option<u64>,
    tcp_pages: Option<u64>,
    conntrack: Option<u64>,
    available_bytes: Option<u64>,
    shards: u64,
}

impl Settings {
    fn read() -> Self {
        let words = |path: &str| std::fs::read_to_string(Path::new("/proc/sys").join(path)).ok();
        let number = |path: &str, index: usize| {
            let text = words(path)?;
            text.split_whitespace().nth(index)?.parse().ok()
        };
        let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        Self {
            open_files: Limit::of(rustix::process::Resource::Nofile),
            nr_open: number("fs/nr_open", 0),
            file_max: number("fs/file-max", 0),
            somaxconn: number("net/core/somaxconn", 0),
            syn_backlog: number("net/ipv4/tcp_max_syn_backlog", 0),
            tcp_pages: number("net/ipv4/tcp_mem", 2),
            conntrack: number("net/netfilter/nf_conntrack_max", 0),
            available_bytes: memory
                .lines()
                .find_map(|line| line.strip_prefix("MemAvailable:"))
                .and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok())
                .map(|kib| kib * 1024),
            shards: Cpus::of_this_process().usable as u64,
        }
    }
}

/// Prints what `streams` open streams need here; the exit code is 1 where something is missing.
pub fn report(streams: u64) -> i32 {
    let findings = judge(streams, &Settings::read());
    let missing = findings.iter().any(|finding| !finding.change.is_empty());
    let verdict = if missing {
        format!("This machine does not hold {streams} streams yet: see the changes above.\n")
    } else {
        format!("This machine holds {streams} streams.\n")
    };
    let table = render(&findings);
    let table = table.split("\n\n").next().unwrap_or_default();
    let _ = std::io::Write::write_all(
        &mut std::io::stdout(),
        format!("{table}\n\n{verdict}").as_bytes(),
    );
    i32::from(missing)
}

fn judge(streams: u64, settings: &Settings) -> Vec<Finding> {
    let mut findings = vec![tables(streams, settings)];
    let all_files = streams + streams / 10 + 65_536;
    let sysctl =
        |name, have, need: u64| have_need(name, have, need, || format!("sysctl -w {name}={need}"));
    findings.extend(sysctl("fs.file-max", settings.file_max, all_files));
    findings.extend(sysctl("net.core.somaxconn", settings.somaxconn, BACKLOG));
    findings.extend(sysctl(
        "net.ipv4.tcp_max_syn_backlog",
        settings.syn_backlog,
        BACKLOG.min(streams.max(128)),
    ));
    let pages = streams * PAGES_IN_FLIGHT;
    findings.extend(have_need(
        "net.ipv4.tcp_mem",
        settings.tcp_pages,
        pages,
        || {
            format!(
                "sysctl -w net.ipv4.tcp_mem=\"{} {} {pages}\"",
                pages / 2,
                pages / 4 * 3
            )
        },
    ));
    findings.extend(sysctl(
        "net.netfilter.nf_conntrack_max",
        settings.conntrack,
        streams + streams / 10,
    ));
    let bytes = BASE_BYTES + streams * (USER_BYTES + KERNEL_BYTES);
    findings.push(memory(settings.available_bytes, bytes));
    if streams > CONTEXTS_MAX.default {
        findings.push(Finding::warn(
            "pages",
            format!("have {} by default, need {streams}", CONTEXTS_MAX.default),
            format!("start the server with --{} {streams}", CONTEXTS_MAX.name),
        ));
    }
    findings
}

/// One table for all, or as many as it takes.
fn tables(streams: u64, settings: &Settings) -> Finding {
    const NAME: &str = "descriptors";
    let hard = settings.open_files.hard;
    let one = streams + NO_STREAMS;
    if hard >= one {
        return Finding::ok(NAME, format!("have {hard} in a table, need {one} in one"));
    }
    let room = hard.saturating_sub(NO_STREAMS);
    let with_slack = streams + streams * UNEVEN_PERCENT / 100;
    let raise = match settings.nr_open {
        Some(most) if most < one => {
            format!("sysctl -w fs.nr_open={one}, then LimitNOFILE={one} in the systemd unit")
        }
        _ => format!("LimitNOFILE={one} in the systemd unit, or --ulimit nofile={one} for Docker"),
    };
    if room == 0 {
        return Finding::warn(NAME, format!("have {hard} in a table, need {one}"), raise);
    }
    let shards = with_slack.div_ceil(room);
    let found = format!(
        "have {hard} in a table, need {one} in one, or {shards} tables (--shards {shards} --descriptor-tables per-shard)"
    );
    if shards <= settings.shards {
        Finding::ok(NAME, found)
    } else {
        Finding::warn(
            NAME,
            found,
            format!(
                "start the server with --shards {shards} --descriptor-tables per-shard (the default here is {} shards); or {raise}",
                settings.shards
            ),
        )
    }
}

/// A number that has to be so large; nothing where the kernel doesn't have it.
fn have_need(
    name: &'static str,
    have: Option<u64>,
    need: u64,
    command: impl FnOnce() -> String,
) -> Option<Finding> {
    let have = have?;
    let found = format!("have {have}, need {need}");
    Some(if have >= need {
        Finding::ok(name, found)
    } else {
        Finding::warn(name, found, command())
    })
}

fn memory(have: Option<u64>, need: u64) -> Finding {
    const NAME: &str = "memory";
    const MIB: u64 = 1024 * 1024;
    let need_text = format!(
        "need {} MiB ({USER_BYTES} B and {KERNEL_BYTES} B of the kernel per stream)",
        need / MIB
    );
    match have {
        None => Finding::warn(
            NAME,
            format!("what is available can't be read; {need_text}"),
            "look into /proc/meminfo".to_owned(),
        ),
        Some(have) if have < need => Finding::warn(
            NAME,
            format!("have {} MiB available, {need_text}", have / MIB),
            "add memory, or spread the pages over more nodes (docs/scaling.md)".to_owned(),
        ),
        Some(have) => Finding::ok(
            NAME,
            format!("have {} MiB available, {need_text}", have / MIB),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    const ROOMY: Settings = Settings {
        open_files: Limit {
            soft: 1024,
            hard: 2_000_000,
        },
        nr_open: Some(2_000_000),
        file_max: Some(u64::MAX),
        somaxconn: Some(4096),
        syn_backlog: Some(8192),
        tcp_pages: Some(2_000_000),
        conntrack: None,
        available_bytes: Some(16 << 30),
        shards: 8,
    };

    fn of(name: &str, streams: u64, settings: &Settings) -> Finding {
        let findings = judge(streams, settings);
        let found = findings.into_iter().find(|finding| finding.name == name);
        found.unwrap_or_else(|| panic!("no finding about {name}"))
    }

    #[test]
    fn a_roomy_machine_holds_a_million() {
        for finding in judge(1_000_000, &ROOMY) {
            assert_eq!(finding.state, State::Ok, "{finding:?}");
        }
    }

    #[test]
    fn a_small_table_asks_for_more_of_them() {
        let small = Settings {
            open_files: Limit {
                soft: 20_000,
                hard: 20_000,
            },
            shards: 2,
            ..ROOMY
        };
        assert_eq!(of("descriptors", 10_000, &small).state, State::Ok);
        let many = of("descriptors", 100_000, &small);
        assert_eq!(many.state, State::Warn);
        assert!(many.change.contains("--shards 6 "), "{}", many.change);
        let enough = Settings { shards: 6, ..small };
        assert_eq!(of("descriptors", 100_000, &enough).state, State::Ok);
    }

    #[test]
    fn each_gap_names_its_command() {
        let bare = Settings {
            open_files: Limit { soft: 64, hard: 64 },
            nr_open: Some(1000),
            file_max: Some(1000),
            somaxconn: Some(128),
            syn_backlog: Some(128),
            tcp_pages: Some(1000),
            conntrack: Some(65_536),
            available_bytes: Some(1 << 30),
            shards: 1,
        };
        for (name, change) in [
            ("descriptors", "fs.nr_open=1000512"),
            ("fs.file-max", "sysctl -w fs.file-max=1165536"),
            ("net.core.somaxconn", "net.core.somaxconn=4096"),
            ("net.ipv4.tcp_max_syn_backlog", "tcp_max_syn_backlog=4096"),
            ("net.ipv4.tcp_mem", "\"500000 750000 1000000\""),
            ("net.netfilter.nf_conntrack_max", "=1100000"),
            ("memory", "more nodes"),
        ] {
            let finding = of(name, 1_000_000, &bare);
            assert_eq!(finding.state, State::Warn, "{finding:?}");
            assert!(finding.change.contains(change), "{finding:?}");
        }
        assert_eq!(of("pages", 2_000_000, &ROOMY).state, State::Warn);
    }
}
