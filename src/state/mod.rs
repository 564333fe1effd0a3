//! Values that all shards share: GlobalState and shared signals, over the slot tables.

mod error;
mod global;
mod shared;

pub use error::StateError;
pub use global::GlobalState;
pub(crate) use shared::SharedTable;
