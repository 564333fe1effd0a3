//! What the small suites share: a plan, figures by case and subject, one table and one chart.
//!
//! Invariant: a ratio is taken within one round, so it compares neighbours in time and not two states of the machine.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::SuiteError;
use super::rig::Rig;
use crate::machine::Facts;
use crate::peers::Peer;
use crate::svg::{Bar, Chart, Group};
use crate::table::{Spread, Table};

/// How a small suite is run.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// How often each subject is measured.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// The largest number of streams; what a suite needs less of, it scales down from it.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1_000..=15_000))]
    pub streams: u32,
    /// Where the report goes.
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/benchmarks"))]
    pub out: PathBuf,
}

/// What a suite measures and how it is told.
pub struct Plan {
    /// Name of the suite and of its files.
    pub name: &'static str,
    /// Heading of the page.
    pub title: &'static str,
    /// Columns of figures; the first one is charted and related to the floor.
    pub columns: &'static [&'static str],
    /// The subject that the others of its case are related to.
    pub floor: &'static str,
    /// How to read the table, a point each.
    pub notes: &'static [&'static str],
    /// Servers that have to be built.
    pub peers: &'static [Peer],
    /// Measures one round.
    pub round: fn(&Rig, &Options) -> Result<Vec<Figure>, SuiteError>,
}

/// One subject in one case, in one round; a value for each column, NaN where there is none.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// The load.
    pub case: String,
    /// Who was measured.
    pub subject: String,
    /// In the order of the columns.
    pub values: Vec<f64>,
}

impl Figure {
    /// A figure.
    pub fn new(case: impl Into<String>, subject: impl Into<String>, values: &[f64]) -> Figure {
        Figure {
            case: case.into(),
            subject: subject.into(),
            values: values.to_vec(),
        }
    }
}

/// Runs a suite and writes its page and chart. Gives the table.
pub fn run(plan: &Plan, options: &Options) -> Result<Table, SuiteError> {
    let facts = Facts::read();
    let rig = Rig::build(plan.peers)?;
    let mut rounds = Vec::new();
    for round in 1..=options.rounds {
        let figures = (plan.round)(&rig, options)?;
        for figure in &figures {
            eprintln!(
                "{} · round {round} · {} · {}: {:.2} {}",
                plan.name, figure.case, figure.subject, figure.values[0], plan.columns[0]
            );
        }
        rounds.push(figures);
    }
    let table = table(plan, &rounds);
    let files = [
        ("svg", chart(plan, &rounds).to_svg()),
        ("md", page(plan, options, &facts, &rig, &table)),
    ];
    let named = files.map(|(ending, text)| (format!("{}.{ending}", plan.name), text));
    super::write_all(&options.out, named)?;
    Ok(table)
}

/// All rounds of one subject in one case.
struct Row<'a> {
    figures: Vec<&'a Figure>,
    ratio: Option<Spread>,
}

impl Row<'_> {
    fn spread(&self, column: usize) -> Option<Spread> {
        let values = self.figures.iter().map(|figure| figure.values[column]);
        Spread::of(values.filter(|value| !value.is_nan()))
    }
}

/// In the order of the first round.
fn rows<'a>(plan: &Plan, rounds: &'a [Vec<Figure>]) -> Vec<Row<'a>> {
    let first = rounds.first().map_or(&[][..], Vec::as_slice);
    let find = |round: &'a [Figure], case: &str, subject: &str| {
        round
            .iter()
            .find(|figure| figure.case == case && figure.subject == subject)
    };
    let row = |key: &Figure| {
        let figures = rounds
            .iter()
            .filter_map(|round| find(round, &key.case, &key.subject));
        let ratios = rounds.iter().filter_map(|round| {
            let own = find(round, &key.case, &key.subject)?.values[0];
            let floor = find(round, &key.case, plan.floor)?.values[0];
            (floor > 0.0).then_some(own / floor)
        });
        Row {
            figures: figures.collect(),
            ratio: Spread::of(ratios),
        }
    };
    first.iter().map(row).collect()
}

fn table(plan: &Plan, rounds: &[Vec<Figure>]) -> Table {
    let ratio = format!("× {}", plan.floor);
    let mut columns = vec!["case", "server", plan.columns[0], &ratio];
    columns.extend(&plan.columns[1..]);
    let mut table = Table::new(&columns);
    let cell =
        |spread: Option<Spread>| spread.map_or("–".to_owned(), |spread| spread.to_string());
    for row in rows(plan, rounds) {
        let mut cells = vec![
            row.figures[0].case.clone(),
            row.figures[0].subject.clone(),
            cell(row.spread(0)),
            cell(row.ratio),
        ];
        cells.extend((1..plan.columns.len()).map(|column| cell(row.spread(column))));
        table.row(cells);
    }
    table
}

fn chart(plan: &Plan, rounds: &[Vec<Figure>]) -> Chart {
    let mut groups: Vec<Group> = Vec::new();
    for row in rows(plan, rounds) {
        let (Some(spread), key) = (row.spread(0), row.figures[0]) else {
            continue;
        };
        let ratio = row
            .ratio
            .map_or(String::new(), |ratio| format!(" · {:.2} ×", ratio.median));
        let bar = Bar {
            label: key.subject.clone(),
            parts: vec![spread.median],
            low: spread.low,
            high: spread.high,
            note: format!("{:.2}{ratio}", spread.median),
        };
        match groups.last_mut().filter(|group| group.title == key.case) {
            Some(group) => group.bars.push(bar),
            None => groups.push(Group {
                title: key.case.clone(),
                bars: vec![bar],
            }),
        }
    }
    Chart {
        title: format!("{}: {}", plan.title, plan.columns[0]),
        label_width: 140.0,
        parts: vec![plan.columns[0].to_owned()],
        groups,
    }
}

fn page(plan: &Plan, options: &Options, facts: &Facts, rig: &Rig, table: &Table) -> String {
    let name = plan.name;
    let mut page = format!(
        "# {}\n\n{} Median of {} interleaved \
         rounds, lowest and highest in brackets.\n\n![{}]({name}.svg)\n\n{table}\nHow to read it:\n\n",
        plan.title,
        facts.line(&rig.pinning()),
        options.rounds,
        plan.title,
    );
    for note in plan.notes {
        writeln!(page, "- {note}").expect("a String takes everything");
    }
    page + &format!(
        "\nAgain:\n\n```sh\ncargo run --release -p autovia-bench -- {name} --streams {} --rounds {}\n```\n",
        options.streams, options.rounds
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan {
        name: "test",
        title: "Test",
        columns: &["µs", "ms"],
        floor: "floor",
        notes: &[],
        peers: &[],
        round: |_, _| Ok(Vec::new()),
    };

    #[test]
    fn ratios_are_taken_within_a_round_and_gaps_are_shown() {
        let rounds = [
            vec![
                Figure::new("a", "floor", &[10.0, f64::NAN]),
                Figure::new("a", "own", &[15.0, 1.0]),
            ],
            vec![
                Figure::new("a", "floor", &[20.0, f64::NAN]),
                Figure::new("a", "own", &[30.0, 1.0]),
            ],
        ];
        let rows = rows(&PLAN, &rounds);
        assert_eq!(
            rows[1].ratio,
            Some(Spread {
                median: 1.5,
                low: 1.5,
                high: 1.5
            })
        );
        let text = table(&PLAN, &rounds).to_string();
        assert!(text.contains("22.50 (15.00–30.00)"), "{text}");
        assert!(text.contains(" – "), "{text}");
    }
}
