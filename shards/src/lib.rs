//! Lock-free structures between shards.
