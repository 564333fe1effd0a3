//! The fan-out's report: one table, one chart, and what a reader must know to judge them.

use std::fmt::Write as _;
use std::path::Path;

use super::fanout::{Cores, Sample};
use super::{SuiteError, write_all};
use crate::event::EVENT_BYTES;
use crate::machine::Facts;
use crate::peers::Peer;
use crate::svg::{Bar, Chart, Group};
use crate::table::{Spread, Table, thousands};

/// All samples of one server at one size.
struct Row<'a> {
    peer: Peer,
    streams: usize,
    samples: Vec<&'a Sample>,
    /// CPU relative to the epoll floor of the same round; none where no floor ran.
    ratio: Option<Spread>,
}

/// Groups of samples, in the order in which servers and sizes first came.
fn rows(samples: &[Sample]) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    for sample in samples {
        match rows
            .iter_mut()
            .find(|row| row.peer == sample.peer && row.streams == sample.streams)
        {
            Some(row) => row.samples.push(sample),
            None => {
                let (peer, streams) = (sample.peer, sample.streams);
                rows.push(Row {
                    peer,
                    streams,
                    samples: vec![sample],
                    ratio: None,
                });
            }
        }
    }
    for row in &mut rows {
        row.ratio = Spread::of(row.samples.iter().filter_map(|sample| {
            let same_round =
                |other: &&Sample| (other.round, other.streams) == (sample.round, sample.streams);
            let floor = samples
                .iter()
                .filter(same_round)
                .find(|other| other.peer == Peer::FloorEpoll)?;
            (floor.cpu() > 0.0).then(|| sample.cpu() / floor.cpu())
        }));
    }
    rows
}

impl Row<'_> {
    fn spread(&self, value: impl Fn(&Sample) -> f64) -> Spread {
        Spread::of(self.samples.iter().map(|sample| value(sample))).expect("a row has samples")
    }

    fn sum(&self, value: impl Fn(&Sample) -> u64) -> String {
        thousands(self.samples.iter().map(|sample| value(sample)).sum())
    }

    /// The round whose CPU is the median one, or the lower of the two in the middle: its parts add up.
    fn middle(&self) -> &Sample {
        let mut sorted = self.samples.clone();
        sorted.sort_by(|one, other| one.cpu().total_cmp(&other.cpu()));
        sorted[(sorted.len() - 1) / 2]
    }

    fn cells(&self) -> Vec<String> {
        let middle = self.middle();
        let milliseconds = |value: fn(&Sample) -> std::time::Duration| {
            format!(
                "{:.1}",
                self.spread(|sample| value(sample).as_secs_f64() * 1e3)
                    .median
            )
        };
        vec![
            self.peer.name().to_owned(),
            thousands(self.streams as u64),
            self.spread(Sample::cpu).to_string(),
            self.ratio.map_or("–".to_owned(), |ratio| ratio.to_string()),
            format!(
                "{:.2} / {:.2} / {:.2}",
                middle.user, middle.system, middle.softirq
            ),
            milliseconds(|sample| sample.last_p50),
            milliseconds(|sample| sample.last_p99),
            format!(
                "{:.1}",
                self.spread(|sample| sample.resident / 1024.0).median
            ),
            format!("{:.2}", self.spread(|sample| sample.load).median),
            self.sum(|sample| sample.report.faults.lost),
            self.sum(|sample| sample.report.faults.doubled),
            self.sum(|sample| sample.report.faults.reordered + sample.report.faults.invented),
            self.sum(|sample| sample.report.closed),
        ]
    }
}

/// The table.
pub fn table(samples: &[Sample]) -> Table {
    let mut table = Table::new(&[
        "server",
        "streams",
        "CPU µs/event",
        "× floor",
        "user / system / ksoftirqd",
        "last stream p50 ms",
        "p99 ms",
        "KiB/stream",
        "generator µs/event",
        "lost",
        "doubled",
        "out of order",
        "closed",
    ]);
    for row in rows_by_size(samples) {
        table.row(row.cells());
    }
    table
}

/// Sizes together, servers within a size in the order of [`Peer::ALL`].
fn rows_by_size(samples: &[Sample]) -> Vec<Row<'_>> {
    let mut rows = rows(samples);
    let place = |peer: Peer| Peer::ALL.iter().position(|&other| other == peer);
    rows.sort_by_key(|row| (row.streams, place(row.peer)));
    rows
}

/// The chart: CPU per event, in its parts.
pub fn chart(samples: &[Sample]) -> Chart {
    let mut groups: Vec<Group> = Vec::new();
    for row in rows_by_size(samples) {
        let (middle, spread) = (row.middle(), row.spread(Sample::cpu));
        let ratio = row
            .ratio
            .map_or(String::new(), |ratio| format!(" · {:.2} ×", ratio.median));
        let bar = Bar {
            label: row.peer.name().to_owned(),
            parts: vec![middle.user, middle.system, middle.softirq],
            low: spread.low,
            high: spread.high,
            note: format!("{:.2} µs{ratio}", middle.cpu()),
        };
        let title = format!("{} streams", thousands(row.streams as u64));
        match groups.last_mut().filter(|group| group.title == title) {
            Some(group) => group.bars.push(bar),
            None => groups.push(Group {
                title,
                bars: vec![bar],
            }),
        }
    }
    Chart {
        title: "Server CPU per delivered event, µs".to_owned(),
        label_width: 110.0,
        parts: ["user", "system", "ksoftirqd"].map(str::to_owned).to_vec(),
        groups,
    }
}

/// Writes `fanout.md` and `fanout.svg` into `folder`.
pub fn write(
    folder: &Path,
    samples: &[Sample],
    facts: &Facts,
    cores: Cores,
) -> Result<(), SuiteError> {
    let files = [
        ("fanout.svg", chart(samples).to_svg()),
        ("fanout.md", page(samples, facts, cores)),
    ];
    write_all(folder, files.map(|(name, text)| (name.to_owned(), text)))
}

fn page(samples: &[Sample], facts: &Facts, cores: Cores) -> String {
    let rounds = samples.iter().map(|sample| sample.round).max().unwrap_or(0);
    let mut sizes: Vec<usize> = samples.iter().map(|sample| sample.streams).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let sizes: Vec<String> = sizes.iter().map(usize::to_string).collect();
    let pinning = match (cores.server, cores.load) {
        (Some(server), Some(load)) => format!("server on core {server}, generator on core {load}"),
        _ => "server and generator share the only core: times until the last stream say little"
            .to_owned(),
    };
    let mut page = String::new();
    let mut line = |text: &str| writeln!(page, "{text}").expect("a String takes everything");
    line("# Fan-out: every stream watches one scope\n");
    line(&format!(
        "{} Median of {rounds} interleaved rounds, lowest and highest in brackets.\n",
        facts.line(&pinning)
    ));
    line("![Server CPU per delivered event](fanout.svg)\n");
    line(&table(samples).to_string());
    line("How to read it:\n");
    line(&format!(
        "- One tick sends one event of about {EVENT_BYTES} bytes to every stream; the next tick waits for the last stream. \
         `floor-epoll` is one thread that calls `send(2)` once per stream and does nothing else, `floor-uring` the same with \
         batched io_uring sends, `axum` streams from a tokio broadcast channel, `nchan` is nginx with one worker (its publisher brings the event), `autovia` goes the whole way from an action \
         over broadcast, render and patch to the socket."
    ));
    line(
        "- CPU is user and system time of all threads of the server plus `ksoftirqd` of its core, per delivered event. \
         The parts are those of the median round. The receiver's half of TCP on loopback is in it, for all alike.",
    );
    line(
        "- `× floor` is taken within a round, between neighbours. Machines are noisy: compare ratios, not microseconds.",
    );
    line(
        "- `last stream` is the time from the tick's request until the last stream has its event; it includes the \
         generator's own work, so it says nothing where the generator costs more per event than the server.",
    );
    line(
        "- `KiB/stream` is what the server's resident memory grew by while the streams opened; kernel memory is apart.",
    );
    line(
        "- Lost, doubled and out of order are counted by sequence numbers, over all rounds and streams; `closed` are streams that the server ended.\n",
    );
    line("Again:\n");
    line(&format!(
        "```sh\ncargo run --release -p autovia-bench -- fanout --streams {} --rounds {rounds}\n```",
        sizes.join(",")
    ));
    page
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::load::Report;

    fn sample(peer: Peer, round: u32, system: f64) -> Sample {
        Sample {
            peer,
            streams: 1000,
            round,
            user: 1.0,
            system,
            softirq: 0.0,
            load: 2.0,
            last_p50: Duration::from_millis(10),
            last_p99: Duration::from_millis(20),
            resident: 2048.0,
            report: Report::default(),
        }
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // The machine was half as fast in round 2: the ratio does not see it.
        let samples = [
            sample(Peer::Axum, 1, 14.0),
            sample(Peer::FloorEpoll, 1, 9.0),
            sample(Peer::FloorEpoll, 2, 19.0),
            sample(Peer::Axum, 2, 29.0),
        ];
        let rows = rows_by_size(&samples);
        assert_eq!(rows[0].peer, Peer::FloorEpoll);
        assert_eq!(
            rows[1].ratio,
            Some(Spread {
                median: 1.5,
                low: 1.5,
                high: 1.5
            })
        );
        assert_eq!(
            rows[1].spread(Sample::cpu),
            Spread {
                median: 22.5,
                low: 15.0,
                high: 30.0
            }
        );
    }

    #[test]
    fn without_a_floor_there_is_no_ratio() {
        let samples = [sample(Peer::Axum, 1, 14.0)];
        assert_eq!(rows(&samples)[0].ratio, None);
        assert!(table(&samples).to_string().contains(" – "));
    }
}
