//! What is measured. Each suite runs its subjects in turn, round by round, and writes one report.

pub mod check;
mod error;
pub mod fanout;
pub mod fanout_report;
pub mod nodes;
pub mod rig;
pub mod shards;
pub mod sheet;
pub mod small;

pub use error::SuiteError;
pub use sheet::{Figure, Plan};
