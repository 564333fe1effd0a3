//! The kit's own tests, against a tiny origin server and a script that pretends to be the server.

mod browser;
mod http;
mod origin;
mod process;
mod proxy;
mod redis;
