//! What the spikes share: clocks, pinning, socket pairs, and figures with their spread.
//!
//! A figure is never one run: every program interleaves its arms and prints
//! `median (smallest–largest)`, because the machine may be busy with other work.

pub mod head;
pub mod peer;
pub mod stats;
pub mod sys;
