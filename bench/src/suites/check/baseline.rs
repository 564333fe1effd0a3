//! The committed baseline: a name and a number a line, and what counts as worse.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

/// A case may cost so much more than the baseline, in percent.
pub const WORSE_MAX_PERCENT: f64 = 5.0;

/// How a baseline is renewed: said in the file, in the table and in every failure.
pub const RENEW: &str = "cargo run --release -p autovia-bench -- check --renew";

/// Instructions per event of each case.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Baseline(BTreeMap<String, f64>);

impl Baseline {
    /// Of these cases.
    pub fn of(cases: impl IntoIterator<Item = (String, f64)>) -> Baseline {
        Baseline(cases.into_iter().collect())
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
             # `autovia-bench -- check` fails where a case costs over {WORSE_MAX_PERCENT} % more. Renew with:\n# {RENEW}\n"
        );
        for (case, instructions) in &self.0 {
            writeln!(text, "{case} {instructions:.1}").expect("a String takes everything");
        }
        fs::write(path, text)
    }

    /// What a case is to be compared with; none for a new case.
    pub fn get(&self, case: &str) -> Option<f64> {
        self.0.get(case).copied()
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
