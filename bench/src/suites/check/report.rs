//! The check's table and page, and its verdict.

use std::fmt::Write as _;
use std::path::Path;

use super::baseline::{Baseline, RENEW, RENEW_RELEASE, WORSE_MAX_PERCENT, change, row};
use super::{CASES, Count};
use crate::machine::Facts;
use crate::suites::{SuiteError, write_all};
use crate::svg::{Bar, Chart, Group};
use crate::table::{Spread, Table};

/// The target of the design, per delivered event.
pub const TARGET: f64 = 1_000.0;
/// Functions that the page lists.
const FUNCTIONS: usize = 15;

/// Instructions per event over all rounds.
pub fn spread(counts: &[Count], case: &str) -> Option<Spread> {
    Spread::of(
        counts
            .iter()
            .filter(|count| count.case.name == case)
            .map(|count| count.per_event),
    )
}

/// The table.
pub fn table(counts: &[Count], baseline: &Baseline) -> Table {
    let mut table = Table::new(&[
        "case",
        "what",
        "streams",
        "instructions/event",
        "baseline",
        "change %",
        "× target",
    ]);
    for case in CASES {
        let Some(spread) = spread(counts, case.name) else {
            continue;
        };
        let before = baseline.get(case.name);
        table.row(vec![
            row(case.name),
            case.meaning.to_owned(),
            case.streams.to_string(),
            format!("{spread:.1}"),
            before.map_or("–".to_owned(), |before| format!("{before:.1}")),
            before.map_or("–".to_owned(), |before| {
                format!("{:+.2}", change(spread.median, before))
            }),
            // The target is for what is deployed.
            if cfg!(debug_assertions) {
                "–".to_owned()
            } else {
                format!("{:.2}", spread.median / TARGET)
            },
        ]);
    }
    table
}

/// One line for each case that has no baseline or has become worse than is allowed.
pub fn complaints(counts: &[Count], baseline: &Baseline) -> Vec<String> {
    let cases = CASES
        .iter()
        .filter_map(|case| Some((case, spread(counts, case.name)?)));
    cases
        .filter_map(|(case, spread)| match baseline.get(case.name) {
            None => Some(format!(
                "{} has no baseline: add it with {RENEW}",
                row(case.name)
            )),
            Some(before) if change(spread.median, before) > WORSE_MAX_PERCENT => Some(format!(
                "{} costs {:.1} instructions per event, {:.1} % more than the baseline's {before:.1} (allowed: \
                 {WORSE_MAX_PERCENT} %): find what has become dearer, or, if it is worth it, say so in the commit and \
                 renew the baseline with {RENEW}",
                row(case.name),
                spread.median,
                change(spread.median, before)
            )),
            Some(_) => None,
        })
        .collect()
}

/// Writes `instructions.md` and `instructions.svg` into `folder`.
pub fn write(folder: &Path, counts: &[Count], facts: &Facts) -> Result<(), SuiteError> {
    let files = [
        ("instructions.svg", chart(counts).to_svg()),
        ("instructions.md", page(counts, facts)),
    ];
    write_all(folder, files.map(|(name, text)| (name.to_owned(), text)))
}

fn chart(counts: &[Count]) -> Chart {
    let bars = CASES.iter().filter_map(|case| {
        let spread = spread(counts, case.name)?;
        Some(Bar {
            label: format!("{} streams", case.streams),
            parts: vec![spread.median],
            low: spread.low,
            high: spread.high,
            note: format!("{:.0}", spread.median),
        })
    });
    Chart {
        title: "User-space instructions per delivered event".to_owned(),
        label_width: 110.0,
        parts: vec!["instructions".to_owned()],
        groups: vec![Group {
            title: "one scope".to_owned(),
            bars: bars.collect(),
        }],
    }
}

fn page(counts: &[Count], facts: &Facts) -> String {
    let mut page = format!(
        "# Instructions per delivered event\n\n{}. Counted by callgrind, so the machine's speed and load play no \
         part. Median of the rounds, lowest and highest in brackets; the target is {TARGET:.0}.\n\n\
         ![Instructions per event](instructions.svg)\n\n{}\n\
         Each case runs twice, with few and with many broadcasts; the figure is the difference of both runs per \
         delivered event, from the click's request to the call that gives the event to the kernel. A broadcast's own \
         cost (one request, one action, one rendering) is shared by its streams, so a larger room costs less for each.\n",
        facts.when(),
        table(counts, &super::medians(counts)),
    );
    for &case in CASES {
        let Some(count) = counts.iter().find(|count| count.case == case) else {
            continue;
        };
        let mut functions = Table::new(&["function", "instructions/event", "% of all"]);
        for (name, own) in count.functions.iter().take(FUNCTIONS) {
            let share = own / count.per_event * 100.0;
            functions.row(vec![
                format!("`{}`", short(name)),
                format!("{own:.1}"),
                format!("{share:.1}"),
            ]);
        }
        write!(
            page,
            "\n## Where `{}` spends them\n\nOwn cost of each function, first round.\n\n{functions}",
            case.name
        )
        .expect("a String takes everything");
    }
    page + &format!(
        "\nAgain, as new baseline (`bench/baseline.txt`) and page:\n\n```sh\n{RENEW_RELEASE}\n```\n"
    )
}

/// A symbol without its hash and with at most some 90 characters.
fn short(name: &str) -> String {
    let name = name.split_once("::h").map_or(name, |(before, hash)| {
        let is_hash = hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hash { before } else { name }
    });
    let name = name.replace('|', "¦");
    match name.char_indices().nth(90) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(per_event: &[f64]) -> Vec<Count> {
        per_event
            .iter()
            .map(|&per_event| Count {
                case: CASES[0],
                per_event,
                functions: Vec::new(),
            })
            .collect()
    }

    #[test]
    fn the_median_decides() {
        let baseline = Baseline::of([(row(CASES[0].name), 100.0)]);
        assert!(complaints(&counts(&[104.0, 90.0, 200.0]), &baseline).is_empty());
        let worse = complaints(&counts(&[106.0, 90.0, 200.0]), &baseline);
        assert!(worse[0].contains("6.0 % more"), "{worse:?}");
        assert!(worse[0].contains(RENEW), "{worse:?}");
    }

    #[test]
    fn a_case_without_baseline_is_a_complaint() {
        assert_eq!(complaints(&counts(&[1.0]), &Baseline::default()).len(), 1);
    }

    #[test]
    fn another_profiles_row_is_no_baseline() {
        let other = if cfg!(debug_assertions) { "" } else { "-dev" };
        let baseline = Baseline::of([(format!("{}{other}", CASES[0].name), 1.0)]);
        assert_eq!(complaints(&counts(&[1.0]), &baseline).len(), 1);
    }

    #[test]
    fn symbols_lose_their_hash() {
        assert_eq!(short("a::b::h0123456789abcdef"), "a::b");
        assert_eq!(short("a::hash"), "a::hash");
    }
}
