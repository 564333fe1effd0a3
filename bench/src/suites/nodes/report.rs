//! The report of the nodes suite: one table, two charts, and what a reader must know to judge them.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::{Kind, Options, Outcome, Sample, Subject};
use crate::machine::Facts;
use crate::suites::{SuiteError, write_all};
use crate::svg::{Bar, Chart, Group};
use crate::table::{Spread, Table, thousands};

/// All samples of one subject on one broker.
struct Row<'a> {
    broker: Kind,
    subject: Subject,
    /// Each with the bare loop of its round.
    samples: Vec<(&'a Sample, &'a Sample)>,
}

/// The rows that have samples, brokers together, the floor first.
fn rows(samples: &[Sample]) -> Vec<Row<'_>> {
    let keys = Kind::ALL
        .into_iter()
        .flat_map(|broker| Subject::ALL.map(|subject| (broker, subject)));
    keys.map(|(broker, subject)| {
        let of = |subject| {
            samples
                .iter()
                .filter(move |sample| (sample.broker, sample.subject) == (broker, subject))
        };
        let samples = of(subject).filter_map(|sample| {
            let floor = of(Subject::Bare).find(|floor| floor.round == sample.round)?;
            Some((sample, floor))
        });
        Row {
            broker,
            subject,
            samples: samples.collect(),
        }
    })
    .filter(|row| !row.samples.is_empty())
    .collect()
}

impl Row<'_> {
    fn spread(&self, value: impl Fn(&Sample) -> f64) -> Spread {
        Spread::of(self.samples.iter().map(|(sample, _)| value(sample))).expect("a row has samples")
    }

    /// Relative to the floor of the same round.
    fn ratio(&self, value: impl Fn(&Sample) -> f64) -> Spread {
        let ratios = self.samples.iter();
        Spread::of(ratios.map(|(sample, floor)| value(sample) / value(floor)))
            .expect("a row has samples")
    }

    fn cells(&self) -> Vec<String> {
        let cpu = |value: fn(&Sample) -> f64| format!("{:.2}", self.spread(value));
        vec![
            format!("{}, {}", self.broker, self.subject.name()),
            format!("{:.0}", self.spread(p50)),
            self.ratio(p50).to_string(),
            format!("{:.0}", self.spread(p99)),
            self.ratio(p99).to_string(),
            per_second(self.spread(|sample| sample.rate)),
            self.ratio(|sample| sample.rate).to_string(),
            cpu(|sample| sample.cpu.publisher),
            cpu(|sample| sample.cpu.subscriber),
            cpu(|sample| sample.cpu.broker),
            match self.subject {
                Subject::Bare => "–".to_owned(),
                Subject::Autovia => {
                    thousands(self.samples.iter().map(|(sample, _)| sample.extra).sum())
                }
            },
        ]
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn p50(sample: &Sample) -> f64 {
    micros(sample.p50)
}

fn p99(sample: &Sample) -> f64 {
    micros(sample.p99)
}

/// In thousands, since no run repeats more than three digits.
fn per_second(rate: Spread) -> String {
    let thousands = Spread {
        median: rate.median / 1e3,
        low: rate.low / 1e3,
        high: rate.high / 1e3,
    };
    format!("{thousands:.0}")
}

/// The table.
pub fn table(samples: &[Sample]) -> Table {
    let mut table = Table::new(&[
        "through",
        "p50 µs",
        "× bare",
        "p99 µs",
        "× bare",
        "thousand messages/s",
        "× bare",
        "publisher CPU µs/message",
        "subscriber",
        "broker",
        "extra renders",
    ]);
    for row in rows(samples) {
        table.row(row.cells());
    }
    table
}

fn chart(samples: &[Sample], title: &str, parts: &[&str], bar: impl Fn(&Row<'_>) -> Bar) -> Chart {
    let mut groups: Vec<Group> = Vec::new();
    for row in rows(samples) {
        let title = row.broker.to_string();
        match groups.last_mut().filter(|group| group.title == title) {
            Some(group) => group.bars.push(bar(&row)),
            None => groups.push(Group {
                title,
                bars: vec![bar(&row)],
            }),
        }
    }
    Chart {
        title: title.to_owned(),
        label_width: 110.0,
        parts: parts.iter().map(|&part| part.to_owned()).collect(),
        groups,
    }
}

/// The chart of latencies: the middle one, with its lowest and highest round.
fn latencies(samples: &[Sample]) -> Chart {
    chart(
        samples,
        "From click to event, or from publication to message: p50, µs",
        &["p50"],
        |row| {
            let (time, ratio) = (row.spread(p50), row.ratio(p50));
            Bar {
                label: row.subject.name().to_owned(),
                parts: vec![time.median],
                low: time.low,
                high: time.high,
                note: format!("{:.0} µs · {:.2} ×", time.median, ratio.median),
            }
        },
    )
}

/// The chart of CPU: its parts in a burst.
fn cpu(samples: &[Sample]) -> Chart {
    let total = |sample: &Sample| sample.cpu.publisher + sample.cpu.subscriber + sample.cpu.broker;
    chart(
        samples,
        "CPU per message of a burst, µs",
        &["publisher", "subscriber", "broker"],
        |row| {
            let all = row.spread(total);
            let parts = vec![
                row.spread(|sample| sample.cpu.publisher).median,
                row.spread(|sample| sample.cpu.subscriber).median,
                row.spread(|sample| sample.cpu.broker).median,
            ];
            Bar {
                label: row.subject.name().to_owned(),
                low: all.low,
                high: all.high,
                note: format!("{:.2} µs", parts.iter().sum::<f64>()),
                parts,
            }
        },
    )
}

/// Writes `nodes.md` and its charts into `folder`.
pub fn write(
    folder: &Path,
    outcome: &Outcome,
    options: &Options,
    facts: &Facts,
) -> Result<(), SuiteError> {
    let files = [
        ("nodes.svg", latencies(&outcome.samples).to_svg()),
        ("nodes-cpu.svg", cpu(&outcome.samples).to_svg()),
        ("nodes.md", page(outcome, options, facts)),
    ];
    write_all(folder, files.map(|(name, text)| (name.to_owned(), text)))
}

fn page(outcome: &Outcome, options: &Options, facts: &Facts) -> String {
    let Options {
        rounds,
        clicks,
        bursts,
        ..
    } = options;
    let pinning = match outcome.cores {
        Some([a, b]) => format!(
            "node A on core {a}, node B on core {b}, broker and generator where the kernel puts them"
        ),
        None => "everything on the only core: latencies are mostly waits for it".to_owned(),
    };
    let mut page = String::new();
    let mut line = |text: &str| writeln!(page, "{text}").expect("a String takes everything");
    line("# From node to node\n");
    line(&format!(
        "{} {}. Median of {rounds} interleaved rounds, lowest and highest in brackets.\n",
        facts.line(&pinning),
        outcome.notes.join("; ")
    ));
    line("![Latency from node to node](nodes.svg)\n");
    line("![CPU per message](nodes-cpu.svg)\n");
    line(&table(&outcome.samples).to_string());
    line("How to read it:\n");
    line(&format!(
        "- `autovia` is two processes with one shard and one link shard each. p50 and p99 are from a click on a page of node \
         A (the request leaves its socket) until the event is read on the stream of a page of node B: action, broadcast, \
         link shard, broker, link shard, render, patch. {clicks} clicks a round, each after the one before has arrived. \
         The rate limit of scopes is off."
    ));
    line(
        "- `bare` is one blocking socket that publishes and another that is subscribed, on the same server, in the same \
         round, with a payload as nodes send it. It is the floor: no HTTP, no render, no second thread.",
    );
    line(&format!(
        "- Messages per second: one click on A makes 10,000 different scopes stale, and the clock stops when the page of the \
         last one has its event on B; the bare loop pipelines 10,000 publications until the last message. {bursts} bursts a \
         round. After each it is checked that A has published exactly 10,000 messages, none merged, and that B misses none."
    ));
    line(
        "- CPU is that of all threads of a process (`schedstat`), per message of a burst, and for nodes also of the half \
         second until both have reported. A node hears its own messages too, since that is how it knows that its link works: \
         so A's share has both ways in it, and the broker sends each message twice.",
    );
    line(
        "- `× bare` is taken within a round. Machines are noisy: compare ratios, not microseconds. `extra renders` are \
         events on B beyond one per click.\n",
    );
    line("Again:\n");
    line(&format!(
        "```sh\ncargo run --release -p autovia-bench -- nodes --rounds {rounds} --clicks {clicks} --bursts {bursts}\n```"
    ));
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suites::nodes::Cpu;

    fn sample(subject: Subject, round: u32, p50: u64, rate: f64) -> Sample {
        Sample {
            broker: Kind::Redis,
            subject,
            round,
            p50: Duration::from_micros(p50),
            p99: Duration::from_micros(p50 * 4),
            rate,
            cpu: Cpu {
                publisher: 2.0,
                subscriber: 3.0,
                broker: 1.0,
            },
            extra: u64::from(round),
        }
    }

    /// The machine was half as fast in round 2: the ratio does not see it.
    fn samples() -> Vec<Sample> {
        vec![
            sample(Subject::Bare, 1, 40, 400_000.0),
            sample(Subject::Autovia, 1, 120, 100_000.0),
            sample(Subject::Autovia, 2, 240, 50_000.0),
            sample(Subject::Bare, 2, 80, 200_000.0),
        ]
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let samples = samples();
        let rows = rows(&samples);
        let flat = |value| Spread {
            median: value,
            low: value,
            high: value,
        };
        assert_eq!(rows.len(), 2, "no row for a broker without samples");
        assert_eq!(rows[0].subject, Subject::Bare);
        assert_eq!(rows[0].ratio(p50), flat(1.0));
        assert_eq!(rows[1].ratio(|sample| sample.rate), flat(0.25));
        let times = rows[1].spread(p50);
        assert!((times.median - 180.0).abs() < 1e-6, "{times:?}");
    }

    #[test]
    fn the_table_has_a_row_per_subject() {
        let table = table(&samples()).to_string();
        assert!(table.contains("| redis, bare "), "{table}");
        assert!(
            table.contains(" 75 (50–100) | 0.25 (0.25–0.25) "),
            "{table}"
        );
        assert!(
            table.contains(" 3 |"),
            "the extra renders of all rounds: {table}"
        );
    }

    #[test]
    fn bars_are_stacked_from_the_parts_of_the_cpu() {
        let chart = cpu(&samples());
        assert_eq!(chart.groups.len(), 1);
        assert_eq!(chart.groups[0].bars[0].parts, [2.0, 3.0, 1.0]);
        assert_eq!(chart.groups[0].bars[0].note, "6.00 µs");
    }
}
