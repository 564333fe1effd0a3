//! Generators on several threads are one: what a server loses or doubles is found over all of them, to the event, and
//! together they hold more streams than one descriptor table does.

use std::process::Command;
use std::time::Duration;

use autovia_bench::load::{Audience, Board, Crowd, Dialect, Faults, Report};
use autovia_bench::peers::Running;
use autovia_bench::peers::process::ARGUMENTS_OF_AUTOVIA;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const STREAMS: usize = 21;
const TICKS: u64 = 6;
const SENDS: u64 = STREAMS as u64 * TICKS;
/// Where events are lost it only sets the pace.
const IMPATIENT: Duration = Duration::from_millis(20);
const PATIENT: Duration = Duration::from_secs(60);

fn autovia() -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench-app"));
    command.args(ARGUMENTS_OF_AUTOVIA);
    Running::start(command, None).expect("autovia starts")
}

fn crowd(server: &Running, dialect: Dialect, streams: usize) -> Crowd {
    let crowd = Crowd::connect(server.address(), dialect, 2).expect("two threads with own tables");
    crowd.grow(streams).expect("streams open");
    assert_eq!(crowd.live().unwrap(), streams);
    crowd
}

fn floor(arguments: &[&str], limit: Duration) -> Report {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench-floor"));
    command.args(arguments);
    let server = Running::start(command, None).expect("the server starts");
    let mut crowd = crowd(&server, Dialect::Plain, STREAMS);
    for _ in 0..TICKS {
        let tick = crowd.tick(limit).expect("a tick is answered");
        assert!(tick.complete || limit == IMPATIENT);
        assert_eq!(crowd.reached(), STREAMS);
    }
    server.kill();
    crowd.finish().expect("streams end with their server")
}

#[test]
fn faults_are_counted_over_all_threads() {
    assert_eq!(floor(&["--by", "epoll"], PATIENT), Report::default());
    let lost = Faults {
        lost: SENDS / 7,
        ..Faults::default()
    };
    assert_eq!(floor(&["--drop-every", "7"], IMPATIENT).faults, lost);
    let doubled = Faults {
        doubled: SENDS / 7,
        ..Faults::default()
    };
    assert_eq!(floor(&["--double-every", "7"], PATIENT).faults, doubled);
}

#[test]
fn a_crowd_grows_changes_and_leaves_without_a_fault() {
    let server = autovia();
    let mut crowd = crowd(&server, Dialect::Autovia(Board::One), STREAMS);
    assert!(crowd.tick(PATIENT).unwrap().complete);
    crowd.grow(5).unwrap();
    assert!(crowd.tick(PATIENT).unwrap().complete);
    assert_eq!(crowd.reached(), STREAMS + 5);
    crowd.replace(8).unwrap();
    assert_eq!(crowd.live().unwrap(), STREAMS + 5);
    assert!(crowd.tick(PATIENT).unwrap().complete);
    assert_eq!(crowd.leave().unwrap(), Report::default());
}

#[test]
fn two_tables_hold_more_than_one() {
    // Given a server, and a limit for this process's tables that is below the streams,
    let server = autovia();
    let before = getrlimit(Resource::Nofile);
    let low = Rlimit {
        current: Some(200),
        ..before
    };
    setrlimit(Resource::Nofile, low).unwrap();
    // when two threads open 150 each,
    let mut crowd = crowd(&server, Dialect::Autovia(Board::One), 300);
    // then all are open and told.
    assert!(crowd.tick(PATIENT).unwrap().complete);
    assert_eq!(crowd.reached(), 300);
    setrlimit(Resource::Nofile, before).unwrap();
    assert_eq!(crowd.leave().unwrap(), Report::default());
}
