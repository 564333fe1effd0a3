//! Measures autovia beside its peers: every server in a process of its own on one core, one load
//! generator on another, all of them in one interleaved run, so that only ratios within a run are compared.
//!
//! - [`suites`]: what is measured, and the report
//! - [`load`]: the generator, which checks every event that it gets
//! - [`peers`]: the servers and how they are started
//! - [`cpu`], [`machine`]: what the kernel says about processes and the machine
//! - [`table`], [`svg`]: how a result looks
#![deny(unsafe_code)]

pub mod cpu;
pub mod event;
pub mod load;
pub mod machine;
pub mod peers;
pub mod suites;
pub mod svg;
pub mod table;
