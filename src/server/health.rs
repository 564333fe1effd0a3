//! What balancers and watchers ask for.
//!
//! | path | 200 | 503 |
//! |---|---|---|
//! | `/_live` | the process runs and this shard answers | never |
//! | `/_ready` | it should get new visitors | it is draining; with `--ready-when link`, its link is down too |
//! | `/_health` | all is well | the link to the other nodes is down: `degraded` |
//! | `/_metrics` | always, unless `--hide-metrics` (404) | never |
//!
//! A node whose link is down still serves its own pages. Where all nodes share one broker, a
//! balancer that takes `/_health` for readiness would send nobody anywhere when the broker goes;
//! that is what `/_ready` is for.

use super::config::ReadyWhen;
use super::counters::{CONTEXTS, STREAMS};
use super::shard::Shard;
use crate::http::Response;

impl Shard {
    /// Answers `path`, if it is one of these.
    pub fn watched(&self, path: &str) -> Option<Response> {
        match path {
            "/_health" => Some(self.health()),
            "/_live" => Some(Response::text(
                200,
                "application/json",
                "{\"status\":\"ok\"}".to_owned(),
            )),
            "/_ready" => Some(self.ready()),
            "/_metrics" if !self.config().hide_metrics => Some(self.metrics()),
            _ => None,
        }
    }

    fn ready(&self) -> Response {
        let status = if self.closing.get() {
            "draining"
        } else if self.config().ready_when == ReadyWhen::Link && !self.is_linked() {
            "degraded"
        } else {
            "ok"
        };
        let code = if status == "ok" { 200 } else { 503 };
        Response::text(
            code,
            "application/json",
            format!("{{\"status\":\"{status}\"}}"),
        )
    }

    fn health(&self) -> Response {
        let board = &self.common.board;
        let connected = self.is_linked();
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
