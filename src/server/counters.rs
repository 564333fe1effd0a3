//! What the shards count: one row each, written by the shard, read by all.

use autovia_shards::Board;

use crate::page::Lane;

pub(crate) const CONTEXTS: usize = 0;
pub(crate) const STREAMS: usize = 1;
pub(crate) const EVENTS: usize = 2;
pub(crate) const CROSSINGS: usize = 3;
pub(crate) const ACTIONS: usize = 4;
/// Turns of the loop: the watchdog sees that it moves.
pub(crate) const TURNS: usize = 5;
/// 1 when a draining shard has nothing left to do.
pub(crate) const QUIET: usize = 6;
pub(crate) const PARKED: usize = 7;
/// The number of its thread, as the kernel has it.
pub(crate) const THREAD: usize = 8;
/// Connections that wait for a request or have one in hand; streams are counted apart.
pub(crate) const CONNECTIONS: usize = 9;
pub(crate) const REQUESTS: usize = 10;
/// Bytes of events and heads that streams took.
pub(crate) const STREAM_BYTES: usize = 11;
/// Streams whose socket is full.
pub(crate) const BLOCKED: usize = 12;
/// Streams that were closed since their reader was too slow.
pub(crate) const SLOW: usize = 13;
/// Connections to a TLS port whose handshake came to nothing.
pub(crate) const HANDSHAKES_FAILED: usize = 14;
/// Connections that were turned away since no descriptor was left.
pub(crate) const TURNED_AWAY: usize = 15;
pub(crate) const COUNTERS: usize = 16;

/// What the link shard counts, in a board of its own with one row.
pub(crate) mod link {
    /// Turns of its loop.
    pub const TURNS: usize = 0;
    /// 1 while what is published comes back.
    pub const CONNECTED: usize = 1;
    /// Publications that have not come back.
    pub const WAITING: usize = 2;
    /// The number of its thread.
    pub const THREAD: usize = 3;
    pub const COUNTERS: usize = 4;
}

/// The calling thread's number, as the kernel has it.
pub(crate) fn this_thread() -> u64 {
    let thread = rustix::thread::gettid().as_raw_nonzero().get();
    u64::try_from(thread).unwrap_or(0)
}

pub(crate) fn lanes(board: &Board) -> Vec<Lane> {
    let lane = |shard| Lane {
        shard,
        contexts: board.get(shard, CONTEXTS),
        streams: board.get(shard, STREAMS),
        events: board.get(shard, EVENTS),
        crossings: board.get(shard, CROSSINGS),
        actions: board.get(shard, ACTIONS),
    };
    (0..board.rows()).map(lane).collect()
}
