//! The servers that are compared, and how they are started.
//!
//! - [`floor`], [`uring`], [`sabotage`]: the floor (program `bench-floor`), by epoll or io_uring, or faulty on purpose
//! - `bench-axum` and `bench-app`, the other two programs, are in `src/bin`
//! - [`nchan`]: nginx with its publish-and-subscribe module
//! - [`process`]: builds, starts, pins and stops them all

pub mod floor;
pub mod nchan;
pub mod process;
pub mod sabotage;
pub mod uring;

pub use process::{Peer, Programs, Running};
