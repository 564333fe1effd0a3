//! What is measured. Each suite runs its servers in turn, round by round, and writes one report.

pub mod fanout;
pub mod fanout_report;
