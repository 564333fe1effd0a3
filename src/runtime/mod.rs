//! The only room that names glommio, io_uring or epoll.
//!
//! What glommio can't do is done below it, behind these verbs: start a pinned executor, spawn a
//! guarded task, wait for sockets, sleep until a deadline, send a batch, run blocking work.

pub mod blocking;
pub mod executor;
pub mod headroom;
pub mod listener;
pub mod local;
pub mod mailbox;
pub mod memory;
pub mod random;
pub mod reactor;
pub mod sends;
pub mod socket;
pub mod tables;
pub mod timer;
pub mod wake;

pub use executor::{Executor, Unwound, guarded, ring_when_woken_from_outside, spawn, yield_now};
pub use listener::Listener;
pub use reactor::{Reactor, Readiness};
pub use socket::{Socket, Watchfulness};
