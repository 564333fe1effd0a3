//! Numbers as people read them: a median with its spread, in a Markdown table that is legible as plain text too.

use std::fmt;

/// Median, lowest and highest of some samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The middle one; of an even count the mean of the two in the middle.
    pub median: f64,
    /// The lowest.
    pub low: f64,
    /// The highest.
    pub high: f64,
}

impl Spread {
    /// Of `samples`; none if there are no samples.
    pub fn of(samples: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut sorted: Vec<f64> = samples.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (&low, &high) = (sorted.first()?, sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        Some(Spread { median, low, high })
    }
}

/// `9.31 (9.02–9.80)`; the formatter's precision counts for all three.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(2);
        write!(
            f,
            "{:.digits$} ({:.digits$}–{:.digits$})",
            self.median, self.low, self.high
        )
    }
}

/// The smallest sample that at least `percent` of all samples don't exceed; none if there are no samples.
pub fn percentile<T: Copy + Ord>(samples: &[T], percent: usize) -> Option<T> {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// `1234567` as `1,234,567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A table; the first column is text, the others are numbers.
#[derive(Debug, Clone, Default)]
pub struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty one.
    pub fn new(columns: &[&str]) -> Table {
        Table {
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row, one cell per column.
    pub fn row(&mut self, cells: Vec<String>) {
        assert_eq!(
            cells.len(),
            self.columns.len(),
            "a row has a cell for each column"
        );
        self.rows.push(cells);
    }
}

/// As Markdown.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = || std::iter::once(&self.columns).chain(&self.rows);
        let width = |column: usize| {
            lines()
                .map(|line| line[column].chars().count())
                .max()
                .unwrap_or(0)
                .max(2)
        };
        for (index, line) in lines().enumerate() {
            for (column, cell) in line.iter().enumerate() {
                let width = width(column);
                if column == 0 {
                    write!(f, "| {cell:<width$} ")?
                } else {
                    write!(f, "| {cell:>width$} ")?
                }
            }
            writeln!(f, "|")?;
            if index == 0 {
                for column in 0..self.columns.len() {
                    let dashes = "-".repeat(width(column) + 1);
                    if column == 0 {
                        write!(f, "|{dashes}-")?
                    } else {
                        write!(f, "|{dashes}:")?
                    }
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_and_percentiles() {
        assert_eq!(
            Spread::of([3.0, 1.0, 2.0]),
            Some(Spread {
                median: 2.0,
                low: 1.0,
                high: 3.0
            })
        );
        assert_eq!(
            Spread::of([4.0, 1.0]).map(|spread| spread.median),
            Some(2.5)
        );
        assert_eq!(Spread::of([]), None);
        assert_eq!(
            format!(
                "{:.1}",
                Spread {
                    median: 2.0,
                    low: 1.25,
                    high: 3.0
                }
            ),
            "2.0 (1.2–3.0)"
        );
        let samples: Vec<u32> = (1..=200).rev().collect();
        assert_eq!(percentile(&samples, 50), Some(100));
        assert_eq!(percentile(&samples, 99), Some(198));
        assert_eq!(percentile(&[7], 99), Some(7));
        assert_eq!(percentile::<u32>(&[], 99), None);
    }

    #[test]
    fn a_table_is_aligned_markdown() {
        let mut table = Table::new(&["name", "µs"]);
        table.row(vec!["a".into(), "10.5".into()]);
        assert_eq!(
            table.to_string(),
            "| name |   µs |\n|------|-----:|\n| a    | 10.5 |\n"
        );
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(thousands),
            ["0", "999", "1,000", "1,234,567"]
        );
    }
}
