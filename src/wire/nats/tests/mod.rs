//! Frames, sessions and keys, without a connection.

mod frames;
mod keys;
mod sessions;
