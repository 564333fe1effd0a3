//! The generator's other tabs: those of many scopes, those that hide and come back, readers that freeze. What they
//! miss by intent is no loss, and what the server loses still is.

use std::process::Command;
use std::time::Duration;

use autovia_bench::load::{Board, Dialect, Faults, Load, Report};
use autovia_bench::peers::Running;
use autovia_bench::peers::process::ARGUMENTS_OF_AUTOVIA;

const STREAMS: usize = 12;
const PATIENT: Duration = Duration::from_secs(60);
/// Where events get lost it only sets the pace.
const IMPATIENT: Duration = Duration::from_millis(20);

fn autovia() -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench-app"));
    command.args(ARGUMENTS_OF_AUTOVIA);
    Running::start(command, None).expect("autovia starts")
}

fn tick(load: &mut Load) {
    assert!(load.tick(PATIENT).expect("a tick is answered").complete);
}

#[test]
fn every_board_gives_each_tab_what_is_meant_for_it() {
    for board in [
        Board::One,
        Board::Own,
        Board::Rooms(3),
        Board::Sparse(4),
        Board::Large,
    ] {
        let server = autovia();
        let mut load =
            Load::open(server.address(), Dialect::Autovia(board), STREAMS).expect("streams open");
        for _ in 0..6 {
            tick(&mut load);
            let sparse = matches!(board, Board::Sparse(_));
            let reached = if sparse { STREAMS / 4 } else { STREAMS };
            assert_eq!(load.reached(), reached, "{board:?}");
        }
        server.kill();
        assert_eq!(
            load.finish().unwrap().faults,
            Faults::default(),
            "{board:?}"
        );
    }
}

#[test]
fn tabs_that_hide_come_back_to_the_newest() {
    let server = autovia();
    let mut load =
        Load::open(server.address(), Dialect::Autovia(Board::One), STREAMS).expect("streams open");
    tick(&mut load);
    load.hide(0..5).unwrap();
    assert_eq!(load.live(), STREAMS - 5);
    tick(&mut load);
    tick(&mut load);
    load.show(0..5).unwrap();
    assert_eq!(load.live(), STREAMS);
    tick(&mut load);
    server.kill();
    let report = load.finish().unwrap();
    assert!(report.is_clean(), "{report:?}");
}

#[test]
fn hiding_excuses_nobody_else() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench-floor"));
    command.args(["--by", "epoll", "--drop-every", "7"]);
    let server = Running::start(command, None).expect("the floor starts");
    let mut load = Load::open(server.address(), Dialect::Plain, STREAMS).expect("streams open");
    load.hide(0..2).unwrap();
    // Whether the floor still sends to those two, and so which sends are dropped, is a race; that some are is none.
    for _ in 0..6 {
        load.tick(IMPATIENT).expect("a tick is answered");
    }
    server.kill();
    let report = load.finish().unwrap();
    assert_ne!(report.faults.lost, 0);
    assert_eq!((report.faults.doubled, report.closed), (0, 0));
}

#[test]
fn a_frozen_reader_holds_nobody_up_and_reads_on() {
    let server = autovia();
    let mut load = Load::open(server.address(), Dialect::Autovia(Board::Large), STREAMS)
        .expect("streams open");
    tick(&mut load);
    load.freeze(0..1).unwrap();
    for _ in 0..8 {
        tick(&mut load);
        assert_eq!(load.reached(), STREAMS - 1);
    }
    assert!(
        load.thaw(0).unwrap().is_some(),
        "it gets to the newest event"
    );
    server.kill();
    let report = load.finish().unwrap();
    assert_eq!(
        report,
        Report {
            unnumbered: report.unnumbered,
            ..Report::default()
        }
    );
}
