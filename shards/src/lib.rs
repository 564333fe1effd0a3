//! Lock-free structures between pinned threads ("shards"), without I/O.
//!
//! | structure | between | gives |
//! |---|---|---|
//! | [`ring()`] | one thread and one other | a bounded queue without allocation |
//! | [`Doorbell`] | many threads and one sleeper | no lost wake-up, one call per sleep |
//! | [`mesh()`] | every shard and every other | invalidations that are never lost, parcels carried whole |
//! | [`SlotTable`] | all threads | rows by key: reads without locks, atomic updates |
//! | [`DirtySet`] | many threads and one sweeper | what has to be looked at, each once |
//! | [`Board`], [`Switch`] | one writer and all | counters and one-way flags |
//! | [`Names`] | one thread | strings as small numbers, freed with their last user |
//!
//! Each file opens with its invariant, who may call what, and why each ordering is enough. The words
//! in square brackets behind an atomic operation (`[ring.publish]`) are the names under which
//! `cargo xtask mutants` weakens it and expects a model of `loom-tests` to fail.
#![deny(missing_docs)]
#![warn(unsafe_op_in_unsafe_fn)]

mod board;
mod dirty;
mod doorbell;
mod hash;
mod mesh;
mod names;
mod ring;
mod slots;
mod sync;

pub use board::{Board, Switch};
pub use dirty::{DirtyMarker, DirtySet};
pub use doorbell::Doorbell;
pub use mesh::{Bell, Endpoint, Invalidation, MeshConfig, Received, mesh};
pub use names::{NameId, Names};
#[doc(hidden)]
pub use ring::ring_starting_at;
pub use ring::{Consumer, Full, Producer, ring};
pub use slots::{KEY_MAX_BYTES, Row, SlotError, SlotTable};
