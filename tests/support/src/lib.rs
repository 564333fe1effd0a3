//! What the integration tests stand on: the real binary, raw HTTP, event streams, a proxy that
//! misbehaves on command, and a real browser.
//!
//! Everything blocks, and everything that waits has one generous deadline ([`DEADLINE`]) and
//! panics with what it has seen so far. A test therefore never sleeps: it waits for the thing
//! itself, and it proves silence by causing a later event that it knows.

#![forbid(unsafe_code)]

mod browser;
mod ca;
mod connection;
mod deadline;
mod event;
mod folder;
mod html;
mod http;
mod nats;
mod page;
mod process;
mod proxy;
mod redis;
mod server;
mod stream;

pub use browser::{Browser, Key, Window};
pub use ca::{Authority, Certificate};
pub use connection::Connection;
pub use deadline::{DEADLINE, eventually, eventually_within};
pub use event::{Event, EventParser, Frame};
pub use html::{attribute_values, element_text, unescape};
pub use http::{Client, Response};
pub use nats::{NatsOperator, NatsPeer, NatsServer, NkeyPair, RunningNats};
pub use page::{ActionRequest, Page};
pub use proxy::{Cut, Direction, Flow, Proxy};
pub use redis::{Redis, RedisCluster, RedisSentinels, Reply, RunningRedis};
pub use server::{Output, Running, Server};
pub use stream::Stream;
