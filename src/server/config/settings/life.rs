//! The life of pages, their streams and actions, and of the process: times and counts.

use super::super::setting::Number;
use super::{DAY_SECONDS, HOUR_SECONDS, KIB, MIB};

/// Comment heartbeat of idle streams.
pub const HEARTBEAT_SECONDS: Number = Number::new(
    "heartbeat-seconds",
    "seconds",
    45,
    0..=HOUR_SECONDS,
    "a stream that carried nothing for so long gets a comment line, so that proxies keep it open",
)
.zero_means("never");

/// Top speed of one scope.
pub const SCOPE_RATE: Number = Number::new(
    "scope-rate",
    "per second",
    30,
    0..=1000,
    "how often per second a scope renders at most; the last state always gets through",
)
.zero_means("no bound");

/// Time to leave in order.
pub const DRAIN_SECONDS: Number = Number::new(
    "drain-seconds",
    "seconds",
    10,
    0..=HOUR_SECONDS,
    "at SIGTERM or SIGINT, how long running actions may take to end",
)
.zero_means("leave at once");

/// Time after which a silent shard is taken for dead.
pub const HANG_SECONDS: Number = Number::new(
    "hang-seconds",
    "seconds",
    10,
    1..=HOUR_SECONDS,
    "a shard that did not move for so long ends the process",
);

/// Time after which a page without a stream is parked.
pub const AWAY_SECONDS: Number = Number::new(
    "away-seconds",
    "seconds",
    30,
    1..=DAY_SECONDS,
    "how long a page without a stream (hidden tab, lost network) still counts as present",
);

/// Time that a parked page is kept.
pub const PARK_SECONDS: Number = Number::new(
    "park-seconds",
    "seconds",
    600,
    0..=7 * DAY_SECONDS,
    "how long an absent page is kept, so that it can come back without a reload",
)
.zero_means("not at all");

/// Number of parked pages.
pub const PARKED_MAX: Number = Number::new(
    "parked-max",
    "pages",
    100_000,
    0..=100_000_000,
    "how many absent pages are kept; beyond, the oldest go",
);

/// Time between a page and its first stream.
pub const RENDER_SECONDS: Number = Number::new(
    "render-seconds",
    "seconds",
    30,
    1..=HOUR_SECONDS,
    "how long a page that was delivered waits for its first stream",
);

/// Time that an action may take.
pub const ACTION_TIMEOUT_SECONDS: Number = Number::new(
    "action-timeout",
    "seconds",
    30,
    1..=HOUR_SECONDS,
    "how long one action may run",
);

/// Number of actions of one page that may wait.
pub const ACTION_QUEUE: Number = Number::new(
    "action-queue",
    "actions",
    64,
    1..=65_536,
    "how many actions of one page may wait for their turn; beyond, 429",
);

/// Time that loading data may take.
pub const LOAD_TIMEOUT_SECONDS: Number = Number::new(
    "load-timeout",
    "seconds",
    10,
    1..=HOUR_SECONDS,
    "how long one load of a page's data may run",
);

/// Pages of one session.
pub const CONTEXTS_PER_SESSION: Number = Number::new(
    "contexts-per-session",
    "pages",
    100,
    1..=1_000_000,
    "how many open pages one session may have; the next replaces the oldest without a stream, else 429; lowered to contexts-max where that is less",
);

/// Pages of all sessions.
pub const CONTEXTS_MAX: Number = Number::new(
    "contexts-max",
    "pages",
    1_000_000,
    1..=100_000_000,
    "how many open pages this process holds; beyond, 503",
);

/// Streams of one page.
pub const STREAMS_PER_CONTEXT: Number = Number::new(
    "streams-per-context",
    "streams",
    8,
    1..=1024,
    "how many streams one page may have; the next one closes the oldest, at most once in 10 s, else 429",
);

/// Bytes that wait for a slow reader.
pub const OUTBOX_BYTES: Number = Number::new(
    "outbox-bytes",
    "bytes",
    256 * KIB,
    4 * KIB..=64 * MIB,
    "how many bytes may wait for one stream; beyond, older patches become one fresh rendering",
);

/// Time that a slow reader is waited for.
pub const OUTBOX_SECONDS: Number = Number::new(
    "outbox-seconds",
    "seconds",
    10,
    1..=HOUR_SECONDS,
    "a stream that took nothing for so long while bytes wait is closed; its page comes back",
);
