//! The board and its clock: made once, shared by all shards, each change under one lock.
//!
//! Cells are numbered row by row; the board has no edges, its left and right meet, and so do
//! its top and bottom.

use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Cells per row, and rows.
pub const SIDE: usize = 50;
const CELLS: usize = SIDE * SIDE;

/// Players' colours are 1 to this; 0 is a dead cell.
pub const COLOURS: u8 = 6;

/// Five cells from which much grows: what the first visitor finds.
const FIRST: [usize; 5] = [
    cell(24, 23),
    cell(25, 23),
    cell(23, 24),
    cell(24, 24),
    cell(24, 25),
];

const fn cell(x: usize, y: usize) -> usize {
    y * SIDE + x
}

/// One board for everybody.
pub struct Board {
    world: Mutex<World>,
}

struct World {
    cells: [u8; CELLS],
    generation: u64,
    running: bool,
    viewers: usize,
}

/// The board as one generation shows it.
pub struct Frame {
    /// For each colour, an SVG path with one rectangle per run of cells.
    pub paths: [String; COLOURS as usize],
    /// Steps since the board was cleared.
    pub generation: u64,
    /// Living cells.
    pub alive: usize,
    /// The clock goes.
    pub running: bool,
}

impl Default for Board {
    /// A board with something on it, already running.
    fn default() -> Self {
        let mut cells = [0; CELLS];
        for (cell, colour) in FIRST.into_iter().zip(1..) {
            cells[cell] = colour;
        }
        let world = World {
            cells,
            generation: 0,
            running: true,
            viewers: 0,
        };
        Self {
            world: Mutex::new(world),
        }
    }
}

impl Board {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more page shows the board.
    pub fn enter(&self) {
        self.world().viewers += 1;
    }

    /// One page fewer does.
    pub fn leave(&self) {
        self.world().viewers -= 1;
    }

    /// One tick of the clock; tells whether there is something new to see. It stands still while
    /// nobody watches, and stops when nothing lives.
    pub fn tick(&self) -> bool {
        let mut world = self.world();
        if world.viewers == 0 {
            return false;
        }
        let ran = world.running;
        if ran {
            world.step();
        }
        ran
    }

    /// Stops the clock, or lets it go on.
    pub fn toggle(&self) {
        let mut world = self.world();
        world.running = !world.running;
    }

    /// Clears the board and stops the clock.
    pub fn reset(&self) {
        let mut world = self.world();
        world.cells = [0; CELLS];
        world.generation = 0;
        world.running = false;
    }

    /// Draws a cross of five cells and starts the clock; a number outside the board does nothing.
    pub fn tap(&self, cell: usize, colour: u8) -> bool {
        if cell >= CELLS || !(1..=COLOURS).contains(&colour) {
            return false;
        }
        let mut world = self.world();
        for (dx, dy) in [(0, 0), (1, 0), (SIDE - 1, 0), (0, 1), (0, SIDE - 1)] {
            world.cells[moved(cell, dx, dy)] = colour;
        }
        world.running = true;
        true
    }

    /// What there is to see now.
    pub fn frame(&self) -> Frame {
        let world = self.world();
        let mut paths = [const { String::new() }; COLOURS as usize];
        for (y, row) in world.cells.chunks(SIDE).enumerate() {
            let mut x = 0;
            for run in row.chunk_by(|left, right| left == right) {
                if let Some(path) = usize::from(run[0])
                    .checked_sub(1)
                    .and_then(|colour| paths.get_mut(colour))
                {
                    let long = run.len();
                    write!(path, "M{x} {y}h{long}v1h-{long}z").expect("a String takes all");
                }
                x += run.len();
            }
        }
        Frame {
            paths,
            generation: world.generation,
            alive: world.alive(),
            running: world.running,
        }
    }
}

impl World {
    fn alive(&self) -> usize {
        self.cells.iter().filter(|colour| **colour > 0).count()
    }

    /// Conway's rules; a new cell takes the colour of a living neighbour.
    fn step(&mut self) {
        if self.alive() > 0 {
            let mut next = [0; CELLS];
            for (cell, new) in next.iter_mut().enumerate() {
                let mut living = neighbours(cell)
                    .map(|neighbour| self.cells[neighbour])
                    .filter(|colour| *colour > 0);
                let first = living.next();
                *new = match (self.cells[cell], first, living.count() + 1) {
                    (0, Some(colour), 3) => colour,
                    (own, Some(_), 2 | 3) => own,
                    _ => 0,
                };
            }
            self.cells = next;
            self.generation += 1;
        }
        self.running = self.alive() > 0;
    }
}

fn moved(cell: usize, dx: usize, dy: usize) -> usize {
    let (x, y) = (cell % SIDE + dx, cell / SIDE + dy);
    y % SIDE * SIDE + x % SIDE
}

fn neighbours(cell: usize) -> impl Iterator<Item = usize> {
    const BACK: usize = SIDE - 1;
    [BACK, 0, 1]
        .into_iter()
        .flat_map(|dy| [BACK, 0, 1].into_iter().map(move |dx| (dx, dy)))
        .filter(|step| *step != (0, 0))
        .map(move |(dx, dy)| moved(cell, dx, dy))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(living: &[(usize, u8)]) -> World {
        let mut cells = [0; CELLS];
        for (cell, colour) in living {
            cells[*cell] = *colour;
        }
        World {
            cells,
            generation: 0,
            running: true,
            viewers: 0,
        }
    }

    fn living(world: &World) -> Vec<usize> {
        (0..CELLS).filter(|cell| world.cells[*cell] > 0).collect()
    }

    #[test]
    fn a_row_of_three_oscillates() {
        let row = [cell(10, 10), cell(11, 10), cell(12, 10)];
        let mut world = world(&row.map(|cell| (cell, 2)));
        world.step();
        assert_eq!(
            living(&world),
            [cell(11, 9), cell(11, 10), cell(11, 11)],
            "the row did not turn"
        );
        world.step();
        assert_eq!(living(&world), row);
        assert_eq!((world.generation, world.running), (2, true));
    }

    #[test]
    fn a_square_stays_also_over_the_edges() {
        let last = SIDE - 1;
        let mut square = [cell(0, 0), cell(last, 0), cell(0, last), cell(last, last)];
        square.sort_unstable();
        let mut world = world(&square.map(|cell| (cell, 1)));
        world.step();
        assert_eq!(living(&world), square);
    }

    #[test]
    fn a_new_cell_takes_the_colour_of_a_neighbour() {
        let mut world = world(&[(cell(5, 5), 4), (cell(6, 5), 4), (cell(7, 5), 4)]);
        world.step();
        assert_eq!(world.cells[cell(6, 4)], 4);
    }

    #[test]
    fn the_clock_stops_when_all_are_dead() {
        let mut world = world(&[(cell(5, 5), 1)]);
        world.step();
        assert_eq!(
            (world.alive(), world.generation, world.running),
            (0, 1, false)
        );
    }

    #[test]
    fn a_tap_draws_a_cross_and_starts_the_clock() {
        let board = Board::default();
        board.reset();
        assert!(board.tap(0, 3));
        let frame = board.frame();
        assert_eq!((frame.alive, frame.running), (5, true));
        assert!(frame.paths[2].starts_with("M0 0h2v1h-2z"));
        assert!(!board.tap(CELLS, 3) && !board.tap(7, 0) && !board.tap(7, COLOURS + 1));
        assert_eq!(board.frame().alive, 5);
    }

    #[test]
    fn the_clock_stands_still_while_nobody_watches() {
        let board = Board::default();
        assert!(!board.tick());
        assert_eq!(board.frame().generation, 0);
        board.enter();
        assert!(board.tick());
        assert_eq!(board.frame().generation, 1);
        board.leave();
        assert!(!board.tick());
        assert_eq!(board.frame().generation, 1);
    }
}
