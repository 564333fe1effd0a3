//! What can go wrong, in words that say what was wrong, what is allowed and what to change.

/// What a table could not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotError {
    /// The key has more bytes than a row holds.
    KeyTooLong {
        /// Bytes of the key.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// The value has more bytes than a row holds.
    ValueTooLarge {
        /// Bytes of the value.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// Every row is in use.
    Full {
        /// Rows of the table.
        rows: usize,
    },
    /// The key that the handle was made for has been removed.
    Stale,
}

impl std::fmt::Display for SlotError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::KeyTooLong { len, max } => write!(
                f,
                "the key has {len} bytes; at most {max} are allowed: use a shorter key"
            ),
            Self::ValueTooLarge { len, max } => write!(
                f,
                "the value has {len} bytes; a row holds at most {max}: \
                 store less, or make the table with larger rows"
            ),
            Self::Full { rows } => write!(
                f,
                "all {rows} rows are in use: remove keys that are no longer needed, \
                 or make the table with more rows"
            ),
            Self::Stale => f.write_str(
                "the key of this row has been removed since the handle was made: \
                 find or insert the key again",
            ),
        }
    }
}

impl std::error::Error for SlotError {}
