//! GlobalState: the app's own values by key, the same on every shard.

use std::sync::Arc;

use autovia_shards::SlotTable;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StateError;
use super::error::{Flags, explain};

const FLAGS: Flags = Flags {
    rows: "--global-rows",
    bytes: "--global-value-bytes",
};

/// Values by key, shared by all shards of this process: `ctx.global()`.
///
/// Keys have 1 to 64 bytes; a value's JSON has at most `--global-value-bytes` (4096), and there
/// are `--global-rows` (1024) rows. The limits are the same with one shard. A write changes
/// nothing on any page by itself: broadcast the scope that shows the value.
///
/// Writes are `async` because their home may one day be elsewhere; today they don't wait.
#[derive(Clone)]
pub struct GlobalState {
    table: Arc<SlotTable>,
}

impl GlobalState {
    pub(crate) fn new(table: Arc<SlotTable>) -> Self {
        Self { table }
    }

    pub(crate) fn read(&self, key: &str) -> Option<Vec<u8>> {
        let mut json = Vec::new();
        self.table
            .read(key.as_bytes(), &mut json)
            .ok()
            .flatten()
            .map(|_| json)
    }

    /// The value of `key`, or `None` when it has none.
    ///
    /// # Errors
    /// [`StateError::KeyTooLong`], or [`StateError::Type`] when the value is no `T`.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, StateError> {
        let mut json = Vec::new();
        match self.table.read(key.as_bytes(), &mut json) {
            Ok(Some(_)) => decode(key, &json).map(Some),
            Ok(None) => Ok(None),
            Err(error) => Err(explain(error, key, &FLAGS)),
        }
    }

    /// Stores `value` under `key`.
    ///
    /// # Errors
    /// A limit of key, value or table.
    #[allow(clippy::unused_async)]
    pub async fn set<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<(), StateError> {
        let json = encode(key, value)?;
        self.table
            .set(key.as_bytes(), &json)
            .map(drop)
            .map_err(|error| explain(error, key, &FLAGS))
    }

    /// Removes `key`; tells whether it was there.
    ///
    /// # Errors
    /// [`StateError::KeyTooLong`].
    #[allow(clippy::unused_async)]
    pub async fn remove(&self, key: &str) -> Result<bool, StateError> {
        self.table
            .remove(key.as_bytes())
            .map_err(|error| explain(error, key, &FLAGS))
    }

    /// Replaces the value by what `change` makes of it and returns the new one. `change` must be
    /// pure: it runs again when another shard was faster.
    ///
    /// # Errors
    /// A limit, or [`StateError::Type`] when the stored value is no `T`; nothing is written then.
    #[allow(clippy::unused_async)]
    pub async fn update<T>(
        &self,
        key: &str,
        change: impl Fn(Option<T>) -> T,
    ) -> Result<T, StateError>
    where
        T: Serialize + DeserializeOwned,
    {
        let outcome = std::cell::RefCell::new(None);
        let written = self.table.update(key.as_bytes(), |old| {
            let attempt = match old.map(|json| decode::<T>(key, json)).transpose() {
                Ok(old) => {
                    let new = change(old);
                    encode(key, &new).map(|json| (new, json))
                }
                Err(error) => Err(error),
            };
            let (attempt, json) = match attempt {
                Ok((new, json)) => (Ok(new), Some(json)),
                Err(error) => (Err(error), None),
            };
            outcome.replace(Some(attempt));
            json
        });
        written.map_err(|error| explain(error, key, &FLAGS))?;
        outcome.into_inner().expect("an update calls its function")
    }

    /// Adds `by` (an absent value is 0) and returns the sum; it stops at the ends of `i64`.
    ///
    /// # Errors
    /// As [`GlobalState::update`].
    pub async fn increment(&self, key: &str, by: i64) -> Result<i64, StateError> {
        self.update(key, |old: Option<i64>| old.unwrap_or(0).saturating_add(by))
            .await
    }

    /// Stores `new` if the value is `expected` (`None`: absent); tells whether it did.
    ///
    /// # Errors
    /// A limit of key, value or table.
    #[allow(clippy::unused_async)]
    pub async fn compare_and_set<T: Serialize>(
        &self,
        key: &str,
        expected: Option<&T>,
        new: &T,
    ) -> Result<bool, StateError> {
        let expected = expected.map(|value| encode(key, value)).transpose()?;
        let new = encode(key, new)?;
        self.table
            .compare_and_set(key.as_bytes(), expected.as_deref(), &new)
            .map_err(|error| explain(error, key, &FLAGS))
    }

    /// How many keys have a value.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// No key has a value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn encode<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<Vec<u8>, StateError> {
    serde_json::to_vec(value).map_err(|error| StateError::Type {
        key: key.to_owned(),
        reason: error.to_string(),
    })
}

fn decode<T: DeserializeOwned>(key: &str, json: &[u8]) -> Result<T, StateError> {
    serde_json::from_slice(json).map_err(|error| StateError::Type {
        key: key.to_owned(),
        reason: error.to_string(),
    })
}
