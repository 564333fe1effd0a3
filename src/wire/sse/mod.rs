//! Datastar events on a `text/event-stream`: the encoder, and an independent decoder.
//!
//! Invariant: one call writes exactly one block, ended by one empty line, whatever the values hold.
//! The browser ends a line at LF, at CR and at CRLF, so every value is split at all three and each
//! piece becomes a `data:` line of its own; Datastar joins lines of the same name with LF. A value
//! therefore arrives as it was, with CR and CRLF turned into LF.
//!
//! A selector with a line break is treated the same way: CSS reads the LF as white space.
//!
//! `id:` comes last in its block: Datastar 1.0.4 remembers an id as soon as it has read that line,
//! even when the connection is cut before the end of the event, so the id must not run ahead of
//! the data.

pub mod decode;
mod encode;
#[cfg(test)]
mod tests;

pub use encode::{
    Elements, Mode, Namespace, comment, patch_elements, patch_signals, retry, script,
};
