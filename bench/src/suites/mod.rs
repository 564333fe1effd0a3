//! What is measured. Each suite runs its subjects in turn, round by round, and writes one report.

pub mod check;
mod error;
pub mod fanout;
pub mod fanout_report;
pub mod hold;
pub mod metrics;
pub mod nodes;
pub mod rig;
pub mod shards;
pub mod sheet;
pub mod small;

use std::fs;
use std::path::Path;

pub use error::SuiteError;
pub use sheet::{Figure, Plan};

/// Writes files, each by its name and its text, into `folder`, which is made where it is not there.
fn write_all(
    folder: &Path,
    files: impl IntoIterator<Item = (String, String)>,
) -> Result<(), SuiteError> {
    fs::create_dir_all(folder)
        .map_err(SuiteError::system(format!("creating {}", folder.display())))?;
    for (name, text) in files {
        let path = folder.join(name);
        let doing = format!("writing {}", path.display());
        fs::write(&path, text).map_err(SuiteError::system(doing))?;
    }
    Ok(())
}
