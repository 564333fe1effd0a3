//! autovia.
pub mod wire;
