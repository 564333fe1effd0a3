//! TLS of the server: the certificate and its key, and one session per connection.
//!
//! Nothing here touches a socket: a [`Session`] is fed bytes and gives bytes. See
//! `docs/decisions/0050-tls-without-buffers.md`.
#![forbid(unsafe_code)]

mod keys;
mod pair;
mod session;

pub(crate) use keys::{HTTP_2, Keys, server_config};
pub(crate) use pair::{Pair, PairError};
pub(crate) use session::{SEAL_MAX_BYTES, Session, TlsError};
