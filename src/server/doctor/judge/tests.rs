//! Each judgement on a machine that is made up, so that every fault can be seen.

use super::super::State;
use super::super::ring::Call;
use super::*;

fn machine() -> Machine {
    Machine {
        kernel: "6.8.0".to_owned(),
        io_uring_disabled: Some(0),
        seccomp_filter: false,
        may_lock_any: false,
        locked_memory: Limit {
            soft: 8 * MIB,
            hard: 8 * MIB,
        },
        open_files: Limit {
            soft: 1024,
            hard: 1_048_576,
        },
    }
}

fn refusal_of(errno: Errno, machine: &Machine) -> Finding {
    let trouble = Trouble {
        call: Call::Setup,
        error: errno.into(),
    };
    let (finding, features) = ring(Err(trouble), machine);
    assert_eq!(finding.state, State::Fail);
    assert!(!finding.change.is_empty());
    assert_eq!(features, None);
    finding
}

#[test]
fn kernels_are_compared_as_numbers() {
    for (release, state) in [
        ("6.1.0-28-amd64", State::Ok),
        ("6.10.3", State::Ok),
        ("7.0", State::Ok),
        ("6.0.19", State::Fail),
        ("5.15.0-1057-aws", State::Fail),
        ("4.19.112+", State::Fail),
        ("custom", State::Warn),
        ("", State::Warn),
    ] {
        assert_eq!(kernel(release).state, state, "{release}");
    }
}

#[test]
fn each_way_to_forbid_io_uring_is_told_apart() {
    let off = Machine {
        io_uring_disabled: Some(2),
        seccomp_filter: true,
        ..machine()
    };
    let some = Machine {
        io_uring_disabled: Some(1),
        ..machine()
    };
    let filtered = Machine {
        seccomp_filter: true,
        ..machine()
    };
    let old = Machine {
        io_uring_disabled: None,
        ..filtered.clone()
    };
    for (errno, machine, found, change) in [
        (
            Errno::NOSYS,
            machine(),
            "not implemented",
            "CONFIG_IO_URING",
        ),
        (
            Errno::PERM,
            off,
            "io_uring_disabled = 2",
            "sysctl -w kernel.io_uring_disabled=0",
        ),
        (
            Errno::PERM,
            some,
            "io_uring_disabled = 1",
            "kernel.io_uring_group",
        ),
        (
            Errno::PERM,
            filtered,
            "seccomp filter forbids io_uring_setup",
            "--security-opt",
        ),
        (
            Errno::PERM,
            old,
            "seccomp filter forbids io_uring_setup",
            "--security-opt",
        ),
        (Errno::ACCESS, machine(), "not by seccomp", "SELinux"),
        (Errno::NOMEM, machine(), "may lock 8 MiB", "LimitMEMLOCK"),
        (Errno::MFILE, machine(), "1024 open files", "LimitNOFILE"),
        (Errno::INVAL, machine(), "io_uring_setup failed", "dmesg"),
    ] {
        let finding = refusal_of(errno, &machine);
        assert!(finding.found.contains(found), "{errno}: {}", finding.found);
        assert!(
            finding.change.contains(change),
            "{errno}: {}",
            finding.change
        );
    }
}

#[test]
fn a_ring_is_judged_by_what_it_can_do() {
    let lacking = Abilities {
        missing: vec!["STATX", "CLOSE"],
        ..Abilities::default()
    };
    let (finding, _) = ring(Ok(lacking), &machine());
    assert_eq!(finding.state, State::Fail);
    assert!(finding.found.ends_with("lacks STATX, CLOSE"));

    let of_6_1 = Abilities {
        multishot_poll: true,
        multishot_accept: true,
        zero_copy_send: true,
        ..Abilities::default()
    };
    let (finding, features) = ring(Ok(of_6_1), &machine());
    assert_eq!(finding.state, State::Ok);
    assert_eq!(
        features.unwrap().found,
        "multishot poll, multishot accept, zero-copy send; not here, not needed: send bundles"
    );
    let (_, features) = ring(Ok(Abilities::default()), &machine());
    assert_eq!(features.unwrap().state, State::Fail);
}

#[test]
fn locked_memory_is_judged_by_shards() {
    let with = |soft, hard, may_lock_any| Machine {
        locked_memory: Limit { soft, hard },
        may_lock_any,
        ..machine()
    };
    for (machine, shards, state) in [
        (with(64 * KIB, 64 * KIB, false), 1, State::Fail),
        (with(64 * KIB, 64 * KIB, true), 1, State::Fail),
        (with(64 * KIB, 8 * MIB, false), 16, State::Ok),
        (with(8 * MIB, 8 * MIB, false), 17, State::Warn),
        (with(8 * MIB, 8 * MIB, true), 17, State::Ok),
        (with(u64::MAX, u64::MAX, false), 1024, State::Ok),
    ] {
        let finding = locked_memory(&machine, shards);
        assert_eq!(finding.state, state, "{finding:?}");
    }
    assert_eq!(
        locked_memory(&with(64 * KIB, 8 * MIB, false), 2).found,
        "8 MiB (64 KiB now, raised at start)"
    );
}

#[test]
fn open_files_are_judged_by_the_pages_they_have_room_for() {
    for (hard, shards, state) in [
        (1_048_576, 2, State::Ok),
        (u64::MAX, 2, State::Ok),
        (4096, 2, State::Warn),
        (127, 2, State::Fail),
        (128, 2, State::Warn),
    ] {
        let finding = open_files(Limit { soft: 64, hard }, shards);
        assert_eq!(finding.state, state, "{finding:?}");
    }
    assert_eq!(
        open_files(
            Limit {
                soft: 1024,
                hard: 4096
            },
            2
        )
        .found,
        "4096 (1024 now, raised at start): room for about 3968 open pages"
    );
}

#[test]
fn a_quota_is_told() {
    let found = cpus(&Cpus {
        allowed: (0..8).collect(),
        usable: 2,
    });
    assert_eq!(
        found.found,
        "8 may be used, a quota allows the time of 2; --shards is 2 by default"
    );
}
