//! Medians, spreads and percentiles, printed in one way everywhere.

use std::fmt;

/// The figures of one arm over its interleaved runs.
#[derive(Default, Clone)]
pub struct Runs(Vec<f64>);

impl Runs {
    /// Adds the figure of one run.
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }
}

impl fmt::Display for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        match (sorted.first(), sorted.get(sorted.len() / 2), sorted.last()) {
            (Some(least), Some(median), Some(most)) => {
                write!(f, "{median:9.3} ({least:.3}–{most:.3})")
            }
            _ => write!(f, "no run"),
        }
    }
}

/// Percentiles of a set of latencies in nanoseconds, in microseconds.
pub struct Latencies {
    sorted: Vec<u64>,
}

impl Latencies {
    /// Takes latencies in any order.
    pub fn new(mut nanos: Vec<u64>) -> Self {
        nanos.sort_unstable();
        Self { sorted: nanos }
    }

    /// The latency below which `share` (0.0 to 1.0) of all lie, in µs.
    pub fn micros(&self, share: f64) -> f64 {
        if self.sorted.is_empty() {
            return f64::NAN;
        }
        let last = self.sorted.len() - 1;
        self.sorted[(last as f64 * share).round() as usize] as f64 / 1e3
    }
}
