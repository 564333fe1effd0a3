//! Redis' protocol as far as publishing and subscribing need it: commands out, replies in, RESP3 with
//! a fall-back to RESP2 (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).
//!
//! Invariant: whatever arrives, a [`Decoder`] holds at most [`FRAME_MAX_BYTES`] and the last feed,
//! nests at most [`DEPTH_MAX`] deep, and takes time in proportion to the bytes. The errors repeat
//! nothing that the server said beyond the code word of a refusal.

mod command;
mod frame;
mod login;
mod pubsub;
mod scan;
mod value;

pub use command::command;
pub use frame::Decoder;
pub use login::{Login, LoginError, Peer};
pub use pubsub::{Channels, Heard, PubSubError, Subscription, publish, receivers};
pub use scan::{BULK_MAX_BYTES, DEPTH_MAX, ELEMENTS_MAX, FRAME_MAX_BYTES, LINE_MAX_BYTES};
pub use value::{Refusal, Value};

/// Which of the two versions a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// RESP2: servers before Redis 6.
    Two,
    /// RESP3.
    Three,
}

/// How a server broke the protocol; the connection can't be used any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RespError {
    /// A frame of an unknown kind, or of one that is not taken (sets, attributes, streams).
    #[error("a frame begins with a byte that is no kind of reply")]
    Kind,
    /// A length or a number that is none.
    #[error("a length or a number is malformed")]
    Number,
    /// CR LF is missing, or stands where it may not.
    #[error("a line or a text does not end in CR LF")]
    LineEnd,
    /// A line is too long.
    #[error("a line is longer than {LINE_MAX_BYTES} bytes")]
    LineTooLong,
    /// Replies within replies within replies.
    #[error("a reply is nested deeper than {DEPTH_MAX}")]
    TooDeep,
    /// Too many elements.
    #[error("a reply has more than {ELEMENTS_MAX} elements")]
    TooMany,
    /// Too long as a whole.
    #[error("a reply is longer than {FRAME_MAX_BYTES} bytes")]
    TooLong,
    /// The pieces are right, their content is not.
    #[error("a reply's content does not fit its kind")]
    Content,
}

impl RespError {
    /// The same as a text that lives for ever.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Kind => "a frame begins with a byte that is no kind of reply",
            Self::Number => "a length or a number is malformed",
            Self::LineEnd => "a line or a text does not end in CR LF",
            Self::LineTooLong => "a line is too long",
            Self::TooDeep => "a reply is nested too deep",
            Self::TooMany => "a reply has too many elements",
            Self::TooLong => "a reply is too long",
            Self::Content => "a reply's content does not fit its kind",
        }
    }
}
