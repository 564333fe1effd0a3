//! Why a shared value could not be written.

use autovia_shards::SlotError;

/// A write to a shared value that was refused; each text names the key, the size, the limit and
/// the option that raises it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The key is too long.
    #[error("the key `{key}` has {bytes} bytes, {max} are allowed: shorten it")]
    KeyTooLong {
        /// The key.
        key: String,
        /// Its length in bytes.
        bytes: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// The value is too large.
    #[error(
        "the value of `{key}` has {bytes} bytes of JSON, {max} are allowed: store less, or raise {flag}"
    )]
    ValueTooLarge {
        /// The key.
        key: String,
        /// Its JSON's length in bytes.
        bytes: usize,
        /// The limit in bytes.
        max: usize,
        /// The option that raises the limit.
        flag: &'static str,
    },
    /// No row is free.
    #[error(
        "`{key}` found no free row, all {rows} are used: remove what is not needed, or raise {flag}"
    )]
    Full {
        /// The key.
        key: String,
        /// How many rows there are.
        rows: usize,
        /// The option that raises the limit.
        flag: &'static str,
    },
    /// The stored JSON is not of the type that was asked for.
    #[error("the value of `{key}` is not of the type that was asked for: {reason}")]
    Type {
        /// The key.
        key: String,
        /// What the decoder said.
        reason: String,
    },
    /// The value is gone: its last user has left.
    #[error("`{key}` is gone, its last user has left: read it again")]
    Gone {
        /// The key.
        key: String,
    },
}

pub(super) struct Flags {
    pub rows: &'static str,
    pub bytes: &'static str,
}

pub(super) fn explain(error: SlotError, key: &str, flags: &Flags) -> StateError {
    let key = key.to_owned();
    match error {
        SlotError::KeyTooLong { len, max } => StateError::KeyTooLong {
            key,
            bytes: len,
            max,
        },
        SlotError::ValueTooLarge { len, max } => StateError::ValueTooLarge {
            key,
            bytes: len,
            max,
            flag: flags.bytes,
        },
        SlotError::Full { rows } => StateError::Full {
            key,
            rows,
            flag: flags.rows,
        },
        SlotError::Stale => StateError::Gone { key },
    }
}
