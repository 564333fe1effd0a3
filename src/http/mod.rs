//! HTTP/1.1 on a channel, plain or TLS: one request after another, no buffer while idle.
//!
//! It knows nothing of pages: a [`Service`] answers, or takes the channel away for a stream.

pub(crate) mod assets;
mod channel;
mod compress;
mod connection;
mod http2;
pub(crate) mod origin;
mod request;
mod response;
mod secure;
pub(crate) mod tls;

pub(crate) use channel::{Channel, Heard};
pub(crate) use compress::{Coding, compress};
pub(crate) use connection::{Limits, Service, serve, welcome};
pub(crate) use request::Request;
pub(crate) use response::{Answer, HSTS, Response, http_date};
