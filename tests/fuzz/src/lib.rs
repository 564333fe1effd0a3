//! The wire room and the scope grammar alone, compiled from the server's own source: the fuzzers
//! then need neither glommio nor an io_uring, and reach what the library keeps to itself.

#[path = "../../../src/scope.rs"]
pub mod scope;
#[path = "../../support/src/event.rs"]
pub mod second_event_parser;
pub mod second_scope;
#[path = "../../../src/wire/mod.rs"]
pub mod wire;

pub use scope::{Scope, pattern_is_valid};
