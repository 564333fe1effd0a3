//! A whole request: it can be carried to another shard.

use crate::wire::head::Head;

/// Head and body of one request.
pub(crate) struct Request {
    pub head: Head,
    pub body: Vec<u8>,
    /// Bytes after the request were already there: the client pipelines.
    pub followed: bool,
    /// It came with others on one connection, by HTTP/2.
    pub shares_connection: bool,
}
