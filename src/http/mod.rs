//! HTTP/1.1 on a socket: one request after another, no buffer while idle.
//!
//! It knows nothing of pages: a [`Service`] answers, or takes the socket away for a stream.

pub(crate) mod assets;
mod connection;
pub(crate) mod origin;
mod request;
mod response;

pub(crate) use connection::{Limits, Service, serve};
pub(crate) use request::Request;
pub(crate) use response::{Answer, Response, http_date};
