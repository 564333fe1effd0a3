//! `/examples/game-of-life`: one board and one clock for everybody.

use std::collections::{BTreeMap, BTreeSet};

use autovia_testkit::{Page, Window};
use serde_json::{Value, json};

use crate::stage::{Stage, assert_first_html, is_marked, values, watch_values};

const PATH: &str = "/examples/game-of-life";
const SIDE: u64 = 50;

/// Generation and living cells, as the page shows them.
const BOARD: &str = "[Number(document.querySelector('#generation').textContent),
    [...document.querySelectorAll('#board path')].flatMap((path) =>
        [...path.getAttribute('d').matchAll(/M(\\d+) (\\d+)h(\\d+)v1h-\\d+z/g)].flatMap(([, x, y, long]) =>
            Array.from({ length: Number(long) }, (_, more) => Number(y) * 50 + Number(x) + more)))]";

type Cells = BTreeSet<u64>;

/// The boards that a window has shown, by generation.
fn boards(window: &Window) -> BTreeMap<u64, Cells> {
    let seen = values(window).into_iter();
    seen.map(|value| serde_json::from_value::<(u64, Cells)>(value).expect("a board"))
        .collect()
}

/// Conway's rules on a board without edges.
fn next(cells: &Cells) -> Cells {
    let around = |cell: u64| {
        let (x, y) = (cell % SIDE, cell / SIDE);
        let near = [SIDE - 1, 0, 1];
        near.into_iter()
            .flat_map(move |dy| near.into_iter().map(move |dx| (dx, dy)))
            .filter(|step| *step != (0, 0))
            .map(move |(dx, dy)| (y + dy) % SIDE * SIDE + (x + dx) % SIDE)
    };
    let mut neighbours: BTreeMap<u64, u32> = BTreeMap::new();
    for neighbour in cells.iter().flat_map(|cell| around(*cell)) {
        *neighbours.entry(neighbour).or_default() += 1;
    }
    neighbours
        .into_iter()
        .filter(|(cell, count)| *count == 3 || *count == 2 && cells.contains(cell))
        .map(|(cell, _)| cell)
        .collect()
}

/// Clicks in the middle of a cell, as a hand does.
fn tap(window: &Window, x: f64, y: f64) {
    let script = "const [x, y] = arguments;
        const hit = document.querySelector('#hit');
        hit.scrollIntoView({ block: 'center', behavior: 'instant' });
        const { left, top, width, height } = hit.getBoundingClientRect();
        return [left + (x + 0.5) / 50 * width, top + (y + 0.5) / 50 * height];";
    let at = window.run(script, json!([x, y]));
    for kind in ["mousePressed", "mouseReleased"] {
        let click =
            json!({ "type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1 });
        window.cdp("Input.dispatchMouseEvent", &click);
    }
}

/// Stops the clock of everybody and clears the board.
fn clear(all: [&Window; 2]) {
    all[0].click("#life-reset");
    for window in all {
        window.wait_text("#generation", "0");
        window.wait_text("#alive", "0");
        window.wait_text("#toggle", "Run");
    }
}

#[test]
fn two_strangers_draw_on_one_board_that_follows_the_rules() {
    let stage = Stage::showcase();
    let (first, second) = stage.two(PATH);
    let all = [first, &second];
    clear(all);
    assert_first_html(first, "#generation", "0");

    // When one draws a cross, then the clock starts, and both see the same board each time,
    for window in all {
        watch_values(window, BOARD);
    }
    tap(first, 10.0, 20.0);
    let cross: Cells = [(10, 20), (9, 20), (11, 20), (10, 19), (10, 21)]
        .into_iter()
        .map(|(x, y)| y * SIDE + x)
        .collect();
    for window in all {
        // A browser that is slow to be asked may be past it.
        window.wait("generation 12", |window| {
            let generation: u64 = window.text("#generation").parse().ok()?;
            (generation >= 12).then_some(())
        });
    }
    first.click("#toggle");
    for window in all {
        window.wait_text("#toggle", "Run");
    }
    // which is what the rules make of a cross: at last four rows of three that turn.
    let (of_first, of_second) = (boards(first), boards(&second));
    let mut expected = cross;
    for generation in 0..=*of_first.keys().next_back().expect("boards were seen") {
        for seen in [&of_first, &of_second] {
            // The empty board was generation 0 as well.
            if let Some(cells) = seen.get(&generation).filter(|cells| !cells.is_empty()) {
                assert_eq!(*cells, expected, "generation {generation}");
            }
        }
        expected = next(&expected);
    }
    assert!(
        of_first.len() > 3 && of_second.len() > 3,
        "few boards were seen"
    );
    assert_eq!((next(&next(&expected)), expected.len()), (expected, 12));
    assert!(is_marked(first) && is_marked(&second));
    stage.assert_calm(&all);
}

#[test]
fn the_clock_stops_and_goes_on_for_everybody_and_wrong_cells_do_nothing() {
    let stage = Stage::showcase();
    let (first, second) = stage.two(PATH);
    let all = [first, &second];
    let generation = |window: &Window| -> u64 {
        let text = window.text("#generation");
        text.parse().expect("a generation is a number")
    };

    // Given a clock that one has stopped, then it stands at the same generation in both windows,
    first.click("#toggle");
    for window in all {
        window.wait_text("#toggle", "Run");
    }
    let stopped = generation(first);
    assert_eq!(generation(&second), stopped);
    for window in all {
        watch_values(window, BOARD);
    }
    // and nothing moves it that is no cell,
    let outside = Page::open(&stage.server.client(), PATH);
    for cell in [json!(-1), json!(2500), json!("x"), Value::Null] {
        assert_eq!(
            outside.act("tapCell", json!([cell]), Value::Null).status,
            200
        );
    }
    // until the other lets it go on, from where it stood.
    second.click("#toggle");
    first.wait("a later generation", |window| {
        (generation(window) > stopped).then_some(())
    });
    let seen = boards(first);
    assert_eq!(seen.keys().next(), Some(&stopped));
    assert!(
        seen.keys().nth(1).is_some_and(|next| *next <= stopped + 3),
        "{:?}",
        seen.keys()
    );

    // Drawing in the other window, by keyboard: the cell under the cursor.
    clear(all);
    second.run("document.querySelector('#hit').focus();", json!([]));
    second.press(autovia_testkit::Key::Enter);
    first.wait_true("Number(document.querySelector('#generation').textContent) > 2");
    // A page that is loaded again or come back to shows the same board.
    first.reload();
    first.wait_streaming();
    first.click("a.brand");
    first.wait_true("location.pathname === '/'");
    first.back();
    first.wait_streaming();
    first.click("#toggle");
    for window in all {
        window.wait_text("#toggle", "Run");
    }
    assert_eq!(first.eval(BOARD), second.eval(BOARD));
    assert_ne!(first.text("#colour"), second.text("#colour"));
    stage.assert_calm(&all);
}
