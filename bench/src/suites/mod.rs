//! What is measured. Each suite runs its subjects in turn, round by round, and writes one report.

pub mod check;
mod error;
pub mod fanout;
pub mod fanout_report;
pub mod nodes;
pub mod shards;

pub use error::SuiteError;
