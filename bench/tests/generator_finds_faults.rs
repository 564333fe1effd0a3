//! A zero in a table is worth what the generator would have found: servers that lose, double or swap events on
//! purpose are found out, to the event, and one that does neither is not accused.

use std::process::Command;
use std::time::Duration;

use autovia_bench::load::{Dialect, Faults, Load, Report};
use autovia_bench::peers::Running;

const STREAMS: usize = 20;
const TICKS: u64 = 6;
const SENDS: u64 = STREAMS as u64 * TICKS;

/// Where events are lost, a tick is given up after this: it only sets the pace, the count does not depend on it.
const IMPATIENT: Duration = Duration::from_millis(20);
const PATIENT: Duration = Duration::from_secs(60);

fn run(program: &str, arguments: &[&str], streams: usize, ticks: u64, limit: Duration) -> Report {
    let mut command = Command::new(program);
    command.args(arguments);
    let server = Running::start(command, None).expect("the server starts");
    let mut load = Load::open(server.address(), Dialect::Plain, streams).expect("streams open");
    for _ in 0..ticks {
        let tick = load.tick(limit).expect("a tick is answered");
        assert!(
            tick.complete || limit == IMPATIENT,
            "a patient tick reaches everybody"
        );
    }
    server.kill();
    load.finish().expect("streams end with their server")
}

fn floor(arguments: &[&str], limit: Duration) -> Report {
    run(
        env!("CARGO_BIN_EXE_bench-floor"),
        arguments,
        STREAMS,
        TICKS,
        limit,
    )
}

#[test]
fn honest_servers_are_not_accused() {
    assert_eq!(floor(&["--by", "epoll"], PATIENT), Report::default());
    assert_eq!(floor(&["--by", "uring"], PATIENT), Report::default());
    let axum = run(
        env!("CARGO_BIN_EXE_bench-axum"),
        &[],
        STREAMS,
        TICKS,
        PATIENT,
    );
    assert_eq!(axum, Report::default());
}

#[test]
fn each_lost_event_is_found() {
    let report = floor(&["--drop-every", "7"], IMPATIENT);
    assert_eq!(
        report,
        Report {
            faults: Faults {
                lost: SENDS / 7,
                ..Faults::default()
            },
            ..Report::default()
        }
    );
}

#[test]
fn each_doubled_event_is_found() {
    let report = floor(&["--double-every", "7"], PATIENT);
    assert_eq!(
        report,
        Report {
            faults: Faults {
                doubled: SENDS / 7,
                ..Faults::default()
            },
            ..Report::default()
        }
    );
}

#[test]
fn each_swapped_event_is_found() {
    // One stream, so that sends 3 and 6 are held back and follow sends 4 and 7.
    let report = run(
        env!("CARGO_BIN_EXE_bench-floor"),
        &["--swap-every", "3"],
        1,
        7,
        IMPATIENT,
    );
    assert_eq!(
        report,
        Report {
            faults: Faults {
                reordered: 2,
                ..Faults::default()
            },
            ..Report::default()
        }
    );
}

#[test]
fn losing_and_doubling_do_not_cancel_out() {
    let report = floor(&["--drop-every", "5", "--double-every", "3"], IMPATIENT);
    let (lost, doubled) = (SENDS / 5, SENDS / 3 - SENDS / 15);
    assert_eq!(
        report,
        Report {
            faults: Faults {
                lost,
                doubled,
                ..Faults::default()
            },
            ..Report::default()
        }
    );
}
