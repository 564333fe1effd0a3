//! The committed baseline: a name and a number a line, and what counts as worse.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

/// A case may cost so much more than the baseline, in percent.
pub const WORSE_MAX_PERCENT: f64 = 5.0;

/// How a release build's rows are renewed: said in the file and on the page.
pub const RENEW_RELEASE: &str = "cargo run --release -p autovia-bench -- check --renew";
/// How a dev build's rows are renewed.
pub const RENEW_DEV: &str = "cargo run -p autovia-bench -- check --renew";
/// How the rows that this program compares with are renewed: said in every failure.
pub const RENEW: &str = if cfg!(debug_assertions) {
    RENEW_DEV
} else {
    RENEW_RELEASE
};

/// The row that this program compares `case` with: a dev build costs many times a release build, so it has its own.
pub fn row(case: &str) -> String {
    let profile = if cfg!(debug_assertions) { "-dev" } else { "" };
    format!("{case}{profile}")
}

/// Instructions per event of each row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Baseline(BTreeMap<String, f64>);

impl Baseline {
    /// Of these rows.
    pub fn of(rows: impl IntoIterator<Item = (String, f64)>) -> Baseline {
        Baseline(rows.into_iter().collect())
    }

    /// With the rows of `newer` in the place of those of the same name.
    #[must_use]
    pub fn renewed_by(mut self, newer: Baseline) -> Baseline {
        self.0.extend(newer.0);
        self
    }

    /// From a file.
    pub fn read(path: &Path) -> io::Result<Baseline> {
        parse(&fs::read_to_string(path)?)
            .map_err(|reason| io::Error::new(io::ErrorKind::InvalidData, reason))
    }

    /// Into a file.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut text = format!(
            "# User-space instructions per delivered event, counted by callgrind.\n\
             # `autovia-bench -- check` fails where a case costs over {WORSE_MAX_PERCENT} % more. Renew with:\n\
             # {RENEW_RELEASE}\n# and, for the rows that end in -dev, the dev build's:\n# {RENEW_DEV}\n"
        );
        for (row, instructions) in &self.0 {
            writeln!(text, "{row} {instructions:.1}").expect("a String takes everything");
        }
        fs::write(path, text)
    }

    /// What a case is to be compared with; none for a new case.
    pub fn get(&self, case: &str) -> Option<f64> {
        self.0.get(&row(case)).copied()
    }
}

/// How much more than the baseline, in percent; less is negative.
pub fn change(now: f64, baseline: f64) -> f64 {
    (now / baseline - 1.0) * 100.0
}

fn parse(text: &str) -> Result<Baseline, String> {
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let cases = lines.map(|(index, line)| {
        let number = |text: &str| text.parse().ok().filter(|&number: &f64| number > 0.0);
        line.split_once(' ')
            .and_then(|(case, text)| Some((case.to_owned(), number(text)?)))
            .ok_or_else(|| {
                format!(
                    "line {} of the baseline is {line:?} instead of a case and a number above 0: renew it with {RENEW}",
                    index + 1
                )
            })
    });
    Ok(Baseline(cases.collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let baseline = Baseline::of([("one".to_owned(), 712.4), ("two".to_owned(), 9.0)]);
        let path = std::env::temp_dir().join(format!("autovia-baseline-{}", std::process::id()));
        baseline.write(&path).unwrap();
        let again = Baseline::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(again, baseline);
    }

    #[test]
    fn only_the_rows_of_this_build_are_renewed() {
        let other = if cfg!(debug_assertions) {
            "one"
        } else {
            "one-dev"
        };
        let old = Baseline::of([(other.to_owned(), 1.0), (row("one"), 2.0)]);
        let renewed = old.renewed_by(Baseline::of([(row("one"), 3.0)]));
        assert_eq!(renewed.get("one"), Some(3.0));
        assert_eq!(
            renewed,
            Baseline::of([(other.to_owned(), 1.0), (row("one"), 3.0)])
        );
    }

    #[test]
    fn a_broken_line_is_named() {
        for text in ["fanout\n", "fanout x\n", "fanout 0\n", "fanout -3\n"] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with("line 1 of the baseline is"), "{error}");
        }
    }

    #[test]
    fn a_twentieth_is_five_percent() {
        assert!((change(105.0, 100.0) - 5.0).abs() < 1e-9);
        assert!((change(95.0, 100.0) + 5.0).abs() < 1e-9);
    }
}
