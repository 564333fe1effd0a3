//! The wire room alone, compiled from the server's own source: the fuzzers then need neither
//! glommio nor an io_uring, and reach what the library keeps to itself.
#[path = "../../../src/wire/mod.rs"]
pub mod wire;
