//! Shared signals: one row per scope and name, counted by the shards that show it.

use std::sync::Arc;

use autovia_shards::{Row, SlotTable};

use super::StateError;
use super::error::{Flags, explain};

const FLAGS: Flags = Flags {
    rows: "--shared-rows",
    bytes: "--shared-value-bytes",
};

/// The table's key of one shared signal: scopes have up to 256 bytes, keys 64, so it is a hash.
#[must_use]
fn shared_key(scope: &str, name: &str) -> [u8; 32] {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    context.update(&(scope.len() as u64).to_le_bytes());
    context.update(scope.as_bytes());
    context.update(name.as_bytes());
    context
        .finish()
        .as_ref()
        .try_into()
        .expect("SHA-256 has 32 bytes")
}

/// The second slot table.
#[derive(Clone)]
pub(crate) struct SharedTable {
    table: Arc<SlotTable>,
}

impl SharedTable {
    pub fn new(table: Arc<SlotTable>) -> Self {
        Self { table }
    }

    /// Joins the row of `name` in `scope`, made by `init` if nobody has it.
    pub fn acquire(
        &self,
        scope: &str,
        name: &str,
        init: impl Fn() -> Vec<u8>,
    ) -> Result<Row, StateError> {
        self.table
            .acquire(&shared_key(scope, name), init)
            .map_err(|error| explain(error, name, &FLAGS))
    }

    /// Leaves a row; the last to leave frees it.
    pub fn release(&self, row: Row) {
        self.table.release(row);
    }

    /// The value and its version; `None` when the row is gone.
    pub fn read(&self, row: Row, out: &mut Vec<u8>) -> Option<u64> {
        self.table.read_row(row, out).ok()
    }

    /// The version alone.
    pub fn version(&self, row: Row) -> Option<u64> {
        self.table.version(row).ok()
    }

    /// Replaces the value by what `change` makes of it; `None` leaves it. Tells whether it changed.
    pub fn update(
        &self,
        row: Row,
        name: &str,
        change: impl Fn(&[u8]) -> Option<Vec<u8>>,
    ) -> Result<bool, StateError> {
        let written = self
            .table
            .update_row(row, |old| change(old).filter(|new| *new != old));
        written
            .map(|version| version.is_some())
            .map_err(|error| explain(error, name, &FLAGS))
    }

    /// The error of a signal that got no row.
    pub fn full(&self, name: &str) -> StateError {
        StateError::Full {
            key: name.to_owned(),
            rows: self.table.rows(),
            flag: FLAGS.rows,
        }
    }

    /// Used rows and all rows.
    pub fn usage(&self) -> (usize, usize) {
        (self.table.len(), self.table.rows())
    }
}
