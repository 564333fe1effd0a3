//! Several nodes at one real broker: what crosses, what is shown, and everything that can go wrong
//! between them.
//!
//! Each test has a broker of its own, nodes with two shards each, and for each node a proxy between
//! it and the broker. What the nodes show is in files that they share, so that a page shows the newest
//! exactly if it was told; `board.rs` watches all of them.

#[path = "../common/mod.rs"]
mod common;

// The stage, the audience, and an ear on the wire.
mod board;
mod frames;
mod spy;
mod stage;

mod alone;
mod conformance;
mod crossing;
mod faults;
mod health;
mod hostile;
mod own_broker;
mod page;
mod random_faults;
mod rights;
mod wire;
