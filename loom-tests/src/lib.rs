//! Loom models of `autovia-shards`.
