//! autovia.
