//! The client's side of a NATS connection, without the connection: [`Session`] is fed what came and
//! asked for what is to be sent.
//!
//! The protocol: <https://docs.nats.io/reference/reference-protocols/nats-protocol>. Everything that
//! a server can say is bounded before it is kept: a line and a payload by 64 KiB each, a longer
//! payload is left out as it passes.

pub mod frame;
pub mod info;
pub mod key;
pub mod login;
pub mod refusal;
pub mod session;
pub mod subject;

#[cfg(test)]
mod tests;

pub use frame::{Decoder, Frame, FrameError, LINE_MAX_BYTES, PAYLOAD_MAX_BYTES};
pub use info::{Address, ServerInfo};
pub use key::{Credentials, KeyError, UserSeed};
pub use login::Login;
pub use refusal::Refusal;
pub use session::{Event, Session, SessionError};
pub use subject::{Subject, SubjectError};
