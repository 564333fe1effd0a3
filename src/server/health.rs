//! `/_health`: the state of the whole process, summed over its shards.

use super::counters::{CONTEXTS, STREAMS};
use super::shard::Shard;
use crate::http::Response;

impl Shard {
    pub fn health(&self) -> Response {
        let board = &self.common.board;
        let connected = true;
        let status = if connected { "ok" } else { "degraded" };
        let body = format!(
            "{{\"status\":\"{status}\",\"version\":\"{}\",\"broker\":{{\"driver\":\"{}\",\"connected\":{connected}}},\"connections\":{{\"contexts\":{},\"sse\":{}}}}}",
            env!("CARGO_PKG_VERSION"),
            self.common.driver,
            board.sum(CONTEXTS),
            board.sum(STREAMS),
        );
        Response::text(if connected { 200 } else { 503 }, "application/json", body)
    }
}
