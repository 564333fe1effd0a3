//! The wire room: bytes in, bytes (or a typed error) out.
//!
//! Nothing here reads a clock, a socket or a random number, and nothing here knows the rest of
//! autovia. Every parser is bounded in size and depth and has a fuzz target in `tests/fuzz`.
//! Each error type has `status()`, the HTTP status to answer with, and a `Display` of one plain line
//! that is safe to send to a client: it never repeats what the client sent.
#![forbid(unsafe_code)]

pub mod body;
pub mod chunked;
pub mod cookie;
pub mod head;
pub mod id;
pub mod nats;
pub mod number;
pub mod path;
pub mod percent;
pub mod relay;
pub mod resp;
pub mod response;
pub mod session;
pub mod sse;
