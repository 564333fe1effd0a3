//! The page of the suite: a row for each size, one for each thing measured at the largest, a chart of the memory.

use super::{Held, Options, Round, Size};
use crate::machine::Facts;
use crate::suites::SuiteError;
use crate::suites::rig::Rig;
use crate::svg::{Bar, Chart, Group};
use crate::table::{Spread, Table, thousands};

/// Writes `streams.md` and `streams.svg`.
pub fn write(
    options: &Options,
    rounds: &[Round],
    facts: &Facts,
    rig: &Rig,
) -> Result<(), SuiteError> {
    let files = [
        ("streams.svg", chart(rounds).to_svg()),
        ("streams.md", page(options, rounds, facts, rig)),
    ];
    let named = files.map(|(name, text)| (name.to_owned(), text));
    crate::suites::write_all(&options.out, named)
}

/// A row for each size.
pub fn by_size(rounds: &[Round]) -> Table {
    let mut table = Table::new(&[
        "streams",
        "CPU µs to open, page included",
        "opened per CPU second",
        "opened/s by the clock",
        "user B each, just opened",
        "user B each, after events",
        "kernel B each, both ends",
        "CPU µs/event",
        "last stream, ms",
        "emptiest – fullest shard, %",
    ]);
    for size in 0..rounds.first().map_or(0, |round| round.sizes.len()) {
        let cell = |digits, value: fn(&Size) -> f64| {
            told(rounds.iter().map(|round| value(&round.sizes[size])), digits)
        };
        let least = lowest(rounds.iter().map(|round| round.sizes[size].shares[0]));
        let most = -lowest(rounds.iter().map(|round| -round.sizes[size].shares[1]));
        table.row(vec![
            thousands(rounds[0].sizes[size].streams.into()),
            cell(0, |size| size.cpu_to_open),
            cell(0, |size| 1e6 / size.cpu_to_open),
            cell(0, |size| size.opened_per_second),
            cell(0, |size| size.user),
            cell(0, |size| size.user_after_events),
            cell(0, |size| size.kernel),
            cell(1, |size| size.cpu_per_event),
            cell(0, |size| size.last),
            format!("{least:.1} – {most:.1}"),
        ]);
    }
    table
}

/// A row for each thing that is measured once all are open.
pub fn held(rounds: &[Round]) -> Table {
    let mut table = Table::new(&["with all open", "measured", "target"]);
    let mut row = |name: &str, digits, unit: &str, target: &str, value: fn(&Held) -> f64| {
        let text = told(rounds.iter().map(|round| value(&round.held)), digits);
        table.row(vec![
            name.to_owned(),
            format!("{text} {unit}"),
            target.to_owned(),
        ]);
    };
    let core = "% of a core";
    row("at rest, a heartbeat every 45 s", 2, core, "≤ 3", |held| {
        held.with_heartbeats
    });
    row("at rest, no heartbeats", 2, core, "≤ 0.2", |held| {
        held.without
    });
    row(
        "CPU for a tab that goes and one that comes",
        0,
        "µs",
        "–",
        |held| held.cpu_per_change,
    );
    row("resident before the first stream", 1, "MiB", "–", |held| {
        held.empty
    });
    row("resident with all open", 1, "MiB", "–", |held| held.full);
    row("resident after all have left", 1, "MiB", "–", |held| {
        held.left
    });
    row("of what they took, given back", 0, "%", "–", |held| {
        (held.full - held.left) / (held.full - held.empty) * 100.0
    });
    table
}

/// Median with its spread, or the only one.
fn told(values: impl Iterator<Item = f64> + Clone, digits: usize) -> String {
    match Spread::of(values.clone()) {
        None => "–".to_owned(),
        Some(spread) if values.count() == 1 => format!("{:.digits$}", spread.median),
        Some(spread) => format!("{spread:.digits$}"),
    }
}

fn lowest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(f64::INFINITY, f64::min)
}

fn chart(rounds: &[Round]) -> Chart {
    let bar = |size: usize| {
        let of = |value: fn(&Size) -> f64| {
            Spread::of(rounds.iter().map(|round| value(&round.sizes[size])))
        };
        let total = of(|size| size.user_after_events + size.kernel)?;
        let (user, kernel) = (of(|size| size.user_after_events)?, of(|size| size.kernel)?);
        Some(Bar {
            label: thousands(rounds[0].sizes[size].streams.into()),
            parts: vec![user.median, kernel.median],
            low: total.low,
            high: total.high,
            note: format!("{:.0} + {:.0}", user.median, kernel.median),
        })
    };
    let sizes = rounds.first().map_or(0, |round| round.sizes.len());
    Chart {
        title: "Bytes per stream that is held, after events".to_owned(),
        label_width: 110.0,
        parts: vec!["server, user".to_owned(), "kernel, both ends".to_owned()],
        groups: vec![Group {
            title: "streams".to_owned(),
            bars: (0..sizes).filter_map(bar).collect(),
        }],
    }
}

fn page(options: &Options, rounds: &[Round], facts: &Facts, rig: &Rig) -> String {
    let (shards, threads) = (options.shards, options.threads());
    let rounds_told = match options.rounds {
        1 => "One round.".to_owned(),
        rounds => format!("Median of {rounds} rounds, lowest and highest in brackets."),
    };
    format!(
        "# Many streams, really held\n\n{} {rounds_told}\n\nA server with {shards} shards, each with a descriptor table of its own, all on one core; {threads} \
         load threads with a table each on the other. Each stream is a tab: it loads the page, which makes a session and a \
         context, and opens its stream. Refused or closed streams: 0. Lost or doubled events: 0. A run with any ends \
         without a page.\n\n![Bytes per stream](streams.svg)\n\n{}\n{}\nHow to read it:\n\n\
         - One server grows through the three sizes. Of each, what it took to get there from the size before, memory per \
         stream over all that are open, and events to all of them.\n\
         - User bytes are what the server's resident memory has grown by since before the first stream, contexts and \
         sessions included. Kernel bytes are what the machine's slabs and TCP's buffers have grown by, for both ends, \
         since both are here: a server alone has about half.\n\
         - CPU is the server's on its core with `ksoftirqd`. At rest it is measured over one whole heartbeat period, and \
         over {} s in a second server with `--heartbeat-seconds 0`; the generator reads all the while.\n\
         - A twentieth of the tabs goes and as many come; with `--away-seconds 5 --park-seconds 0` their pages are gone \
         within seconds. After that all leave, and four seconds after the server's last page has gone its memory is read.\n\
         - {shards} shards on one core take turns: with a core each they would not wait for one another.\n\n\
         Again:\n\n```sh\ncargo run --release -p autovia-bench -- hold --streams {} --shards {shards} --rounds {}\n```\n",
        facts.line(&rig.pinning()),
        by_size(rounds),
        held(rounds),
        options.rest_seconds,
        options.streams,
        options.rounds,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_round_has_no_spread_and_several_have() {
        assert_eq!(told([2.0].into_iter(), 1), "2.0");
        assert_eq!(told([2.0, 4.0].into_iter(), 0), "3 (2–4)");
    }
}
