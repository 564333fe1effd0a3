//! The report of the shards suite: a table and a chart per part, and what a reader must know to judge them.

use std::fmt::Write as _;
use std::path::Path;

use super::{Cores, Part, Sample};
use crate::machine::Facts;
use crate::suites::{SuiteError, write_all};
use crate::svg::{Bar, Chart, Group};
use crate::table::{Spread, Table};

/// All samples of one structure in one case.
struct Row<'a> {
    case: &'a str,
    subject: &'static str,
    ns: Spread,
    /// Its time relative to that of the first structure of the case, in the same round.
    ratio: Spread,
}

/// The rows of a part, in the order in which cases and structures first came.
fn rows(samples: &[Sample], part: Part) -> Vec<Row<'_>> {
    let mut keys: Vec<(&str, &'static str)> = Vec::new();
    for sample in samples.iter().filter(|sample| sample.part == part) {
        let key = (sample.case.as_str(), sample.subject);
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys.iter()
        .map(|&(case, subject)| {
            let of = |subject| {
                samples.iter().filter(move |sample| {
                    (sample.part, sample.case.as_str(), sample.subject) == (part, case, subject)
                })
            };
            let first = keys
                .iter()
                .find(|key| key.0 == case)
                .map_or("", |key| key.1);
            let ratios = of(subject).filter_map(|sample| {
                let ours = of(first).find(|ours| ours.round == sample.round)?;
                Some(sample.ns / ours.ns)
            });
            Row {
                case,
                subject,
                ns: Spread::of(of(subject).map(|sample| sample.ns)).expect("a row has samples"),
                ratio: Spread::of(ratios).expect("each round measures the first structure too"),
            }
        })
        .collect()
}

/// The table of one part.
pub fn table(samples: &[Sample], part: Part) -> Table {
    let mut table = Table::new(&["case", "on", "ns", "× first"]);
    let mut before = "";
    for row in rows(samples, part) {
        let case = if row.case == before { "" } else { row.case };
        before = row.case;
        table.row(vec![
            case.to_owned(),
            row.subject.to_owned(),
            format!("{:.1}", row.ns),
            row.ratio.to_string(),
        ]);
    }
    table
}

/// The chart of one part.
pub fn chart(samples: &[Sample], part: Part) -> Chart {
    let mut groups: Vec<Group> = Vec::new();
    for row in rows(samples, part) {
        let bar = Bar {
            label: row.subject.to_owned(),
            parts: vec![row.ns.median],
            low: row.ns.low,
            high: row.ns.high,
            note: format!("{:.1} ns · {:.2} ×", row.ns.median, row.ratio.median),
        };
        match groups.last_mut().filter(|group| group.title == row.case) {
            Some(group) => group.bars.push(bar),
            None => groups.push(Group {
                title: row.case.to_owned(),
                bars: vec![bar],
            }),
        }
    }
    Chart {
        title: format!("{}, ns per operation", part.title()),
        label_width: 180.0,
        parts: vec!["median, lowest to highest".to_owned()],
        groups,
    }
}

/// Writes `shards.md` and a chart per part into `folder`.
pub fn write(
    folder: &Path,
    samples: &[Sample],
    facts: &Facts,
    cores: Cores,
) -> Result<(), SuiteError> {
    let page = ("shards.md".to_owned(), page(samples, facts, cores));
    let charts = parts(samples).into_iter();
    let charts = charts.map(|part| (picture(part), chart(samples, part).to_svg()));
    write_all(folder, charts.chain([page]))
}

fn parts(samples: &[Sample]) -> Vec<Part> {
    let measured = |part: &Part| samples.iter().any(|sample| sample.part == *part);
    Part::ALL.into_iter().filter(measured).collect()
}

fn picture(part: Part) -> String {
    format!("shards-{part}.svg")
}

fn page(samples: &[Sample], facts: &Facts, cores: Cores) -> String {
    let rounds = samples.iter().map(|sample| sample.round).max().unwrap_or(0);
    let mut page = String::new();
    let mut line = |text: &str| writeln!(page, "{text}").expect("a String takes everything");
    line("# What the threads share, beside its peers\n");
    line(&format!(
        "{} Nanoseconds per operation, median of {rounds} interleaved rounds, lowest and highest in brackets.\n",
        facts.line(&format!(
            "threads pinned to cores {} and {}",
            cores[0], cores[1]
        ))
    ));
    for part in parts(samples) {
        line(&format!("## {}\n", part.title()));
        line(&format!("![{}]({})\n", part.title(), picture(part)));
        line(&format!("{}\n", part.explanation()));
        line(&table(samples, part).to_string());
    }
    line("## How to read it\n");
    line(
        "- `× first` is the time relative to the first structure of the case, which is ours, taken within a round: above 1 \
         ours is faster. Machines are noisy: compare ratios, not nanoseconds.",
    );
    line(
        "- Within a round each figure is the middle one of 15 slices of 2 ms, so what else ran meanwhile spoils slices. A load \
         average above 0.5 says that something did.",
    );
    line(
        "- Two threads are two pinned threads. With `both` and `each`, the operations of both count, and the figure is the time of \
         one operation of one thread, twice what passes between two operations of either: starving the other gains nothing, and \
         a thread that is kept from its core makes it too high. With `the other …` the first thread alone is timed.\n",
    );
    line("Again:\n");
    line(&format!(
        "```sh\ncargo run --release -p autovia-bench -- shards --rounds {rounds}\n```"
    ));
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(subject: &'static str, round: u32, ns: f64) -> Sample {
        Sample {
            part: Part::Rings,
            case: "one by one".to_owned(),
            subject,
            round,
            ns,
        }
    }

    /// The machine was half as fast in round 2: the ratio does not see it.
    fn samples() -> Vec<Sample> {
        vec![
            sample("ours", 1, 10.0),
            sample("theirs", 1, 15.0),
            sample("ours", 2, 20.0),
            sample("theirs", 2, 30.0),
        ]
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let samples = samples();
        let rows = rows(&samples, Part::Rings);
        let flat = |value| Spread {
            median: value,
            low: value,
            high: value,
        };
        assert_eq!(rows[0].subject, "ours");
        assert_eq!(rows[0].ratio, flat(1.0));
        assert_eq!(rows[1].ratio, flat(1.5));
        assert_eq!(
            rows[1].ns,
            Spread {
                median: 22.5,
                low: 15.0,
                high: 30.0
            }
        );
    }

    #[test]
    fn a_case_is_named_once_and_parts_do_not_mix() {
        let table = table(&samples(), Part::Rings).to_string();
        assert_eq!(table.matches("one by one").count(), 1, "{table}");
        assert!(
            table.contains("| 22.5 (15.0–30.0) | 1.50 (1.50–1.50) |"),
            "{table}"
        );
        assert!(rows(&samples(), Part::Slots).is_empty());
        let chart = chart(&samples(), Part::Rings);
        assert_eq!(chart.groups.len(), 1);
        assert_eq!(chart.groups[0].bars.len(), 2);
    }

    #[test]
    fn a_page_shows_only_the_parts_that_ran() {
        let page = page(&samples(), &Facts::read(), [0, 1]);
        assert!(page.contains("shards-rings.svg"));
        assert!(!page.contains("shards-slots.svg"));
        assert!(page.contains("median of 2 interleaved rounds"));
    }
}
