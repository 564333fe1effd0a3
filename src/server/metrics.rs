//! `/_metrics`: what this node counts, in Prometheus' text format (version 0.0.4).
//!
//! Names follow its rules: base units, `_total` for what only grows. Nothing here names a page, a user
//! or a scope, so the number of series is that of the shards.

use std::fmt::{Display, Write};
use std::fs;

use autovia_shards::Board;

use super::counters::{
    ACTIONS, BLOCKED, CONNECTIONS, CONTEXTS, CROSSINGS, EVENTS, HANDSHAKES_FAILED, PARKED,
    REQUESTS, SLOW, STREAM_BYTES, STREAMS, TURNED_AWAY, TURNS,
};
use super::shard::Shard;
use crate::http::Response;
use crate::peers::Peers;

/// What Prometheus names the format.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
}

/// One per shard: the counter, its name, kind and what it says.
const PER_SHARD: [(usize, &str, Kind, &str); 13] = [
    (
        STREAMS,
        "autovia_streams",
        Kind::Gauge,
        "Open event streams.",
    ),
    (
        CONTEXTS,
        "autovia_pages",
        Kind::Gauge,
        "Pages that are held, parked ones included.",
    ),
    (
        PARKED,
        "autovia_parked_pages",
        Kind::Gauge,
        "Pages that nobody has looked at for a while.",
    ),
    (
        CONNECTIONS,
        "autovia_connections",
        Kind::Gauge,
        "Open connections that are no streams.",
    ),
    (
        BLOCKED,
        "autovia_blocked_streams",
        Kind::Gauge,
        "Streams whose reader is behind.",
    ),
    (
        REQUESTS,
        "autovia_requests_total",
        Kind::Counter,
        "Requests that were read.",
    ),
    (
        ACTIONS,
        "autovia_actions_total",
        Kind::Counter,
        "Actions that were started.",
    ),
    (
        EVENTS,
        "autovia_events_total",
        Kind::Counter,
        "Events that were queued for streams.",
    ),
    (
        STREAM_BYTES,
        "autovia_stream_bytes_total",
        Kind::Counter,
        "Bytes that streams took.",
    ),
    (
        SLOW,
        "autovia_slow_streams_total",
        Kind::Counter,
        "Streams closed since their reader was too slow.",
    ),
    (
        HANDSHAKES_FAILED,
        "autovia_failed_handshakes_total",
        Kind::Counter,
        "Connections whose TLS handshake came to nothing.",
    ),
    (
        TURNED_AWAY,
        "autovia_turned_away_total",
        Kind::Counter,
        "Connections answered 503 since no descriptor was left.",
    ),
    (
        CROSSINGS,
        "autovia_crossings_total",
        Kind::Counter,
        "What came from other shards.",
    ),
];

impl Shard {
    pub(super) fn metrics(&self) -> Response {
        let mut page = Page::default();
        page.head("autovia_build_info", Kind::Gauge, "Which build this is.");
        page.sample(
            "autovia_build_info",
            ("version", env!("CARGO_PKG_VERSION")),
            1,
        );
        page.shards(&self.common.board);
        if self.common.link.is_some() {
            page.link(self.is_linked(), &self.peers.borrow());
        }
        page.process();
        Response::text(200, CONTENT_TYPE, page.0)
    }
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").expect("a string takes all");
    }

    fn sample(&mut self, name: &str, (label, value): (&str, &str), number: impl Display) {
        self.line(format_args!("{name}{{{label}=\"{value}\"}} {number}"));
    }

    /// One that has no labels.
    fn single(&mut self, name: &str, kind: Kind, help: &str, number: impl Display) {
        self.head(name, kind, help);
        self.line(format_args!("{name} {number}"));
    }

    fn shards(&mut self, board: &Board) {
        let turns = (
            TURNS,
            "autovia_turns_total",
            Kind::Counter,
            "Turns of the loop.",
        );
        for (counter, name, kind, help) in PER_SHARD.into_iter().chain([turns]) {
            self.head(name, kind, help);
            for shard in 0..board.rows() {
                let number = board.get(shard, counter);
                self.sample(name, ("shard", &shard.to_string()), number);
            }
        }
    }

    fn link(&mut self, linked: bool, peers: &Peers) {
        use Kind::{Counter, Gauge};
        let up = u8::from(linked);
        self.single(
            "autovia_link_up",
            Gauge,
            "What is published to other nodes comes back.",
            up,
        );
        let others = peers.peers.len();
        self.single(
            "autovia_link_peers",
            Gauge,
            "Other nodes that are heard.",
            others,
        );
        if let Some(lag) = peers.lag {
            let (name, help) = ("autovia_link_lag_seconds", "From publishing to hearing it.");
            self.single(name, Gauge, help, lag.as_secs_f64());
        }
        for (name, kind, help, number) in [
            (
                "autovia_link_waiting",
                Gauge,
                "Publications that have not come back.",
                peers.waiting,
            ),
            (
                "autovia_link_failures_total",
                Counter,
                "Links lost, and attempts that failed.",
                peers.failures,
            ),
            (
                "autovia_link_published_total",
                Counter,
                "Scopes that were published.",
                peers.published,
            ),
            (
                "autovia_link_received_total",
                Counter,
                "Messages of other nodes.",
                peers.received,
            ),
            (
                "autovia_link_dropped_total",
                Counter,
                "Messages that could not be read.",
                peers.dropped,
            ),
            (
                "autovia_link_gaps_total",
                Counter,
                "Times that messages of a node were missed.",
                peers.gaps,
            ),
            (
                "autovia_link_resyncs_total",
                Counter,
                "Times that all was rendered again.",
                peers.resyncs,
            ),
        ] {
            self.single(name, kind, help, number);
        }
    }

    /// What Prometheus expects of each process, as far as the kernel tells it.
    fn process(&mut self) {
        let Some(process) = Process::read() else {
            return;
        };
        let (name, help) = ("process_resident_memory_bytes", "Resident memory.");
        self.single(name, Kind::Gauge, help, process.resident_bytes);
        let (name, help) = ("process_cpu_seconds_total", "Time on processors.");
        self.single(name, Kind::Counter, help, process.cpu_seconds);
        let (name, help) = ("process_max_fds", "Descriptors that one table may hold.");
        match rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
            Some(limit) => self.single(name, Kind::Gauge, help, limit),
            None => self.single(name, Kind::Gauge, help, "+Inf"),
        }
    }
}

struct Process {
    resident_bytes: u64,
    cpu_seconds: f64,
}

impl Process {
    /// From `/proc/self/stat`: fields 14, 15 and 24, of which the second is in brackets and may hold anything
    /// (proc_pid_stat(5)).
    fn read() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let (_, rest) = stat.rsplit_once(')')?;
        let field = |number: usize| rest.split_ascii_whitespace().nth(number - 3)?.parse().ok();
        let ticks: u64 = u64::checked_add(field(14)?, field(15)?)?;
        let pages: u64 = field(24)?;
        #[expect(clippy::cast_precision_loss, reason = "ticks are far below 2^52")]
        let cpu_seconds = ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
        Some(Self {
            resident_bytes: pages * rustix::param::page_size() as u64,
            cpu_seconds,
        })
    }
}
