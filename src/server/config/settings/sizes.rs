//! Requests and the state of the process: sizes, and the time that a request may take.

use super::super::setting::Number;
use super::{GIB, HOUR_SECONDS, KIB, MIB};

/// Smallest value of a table row, in bytes: one word.
const VALUE_MIN_BYTES: u64 = 8;

/// Size of a request's head.
pub const HEADER_BYTES: Number = Number::new(
    "header-bytes",
    "bytes",
    16 * KIB,
    KIB..=MIB,
    "largest head of a request: request line and headers; beyond, 431",
);

/// Size of a request's body.
pub const BODY_BYTES: Number = Number::new(
    "body-bytes",
    "bytes",
    MIB,
    KIB..=GIB,
    "largest body of a request; beyond, 413",
);

/// Size of the signals of an action.
pub const SIGNALS_BYTES: Number = Number::new(
    "signals-bytes",
    "bytes",
    64 * KIB,
    KIB..=16 * MIB,
    "largest JSON of an action's inputs and arguments; beyond, 413; lowered to body-bytes where that is less",
);

/// Time to send a request's head.
pub const HEADER_SECONDS: Number = Number::new(
    "header-seconds",
    "seconds",
    10,
    1..=300,
    "how long a client may take to send the head of a request",
);

/// Time that a kept-alive connection may idle.
pub const IDLE_SECONDS: Number = Number::new(
    "idle-seconds",
    "seconds",
    75,
    1..=HOUR_SECONDS,
    "how long a connection without a request is kept open",
);

/// Rows of the global state.
pub const GLOBAL_ROWS: Number = Number::new(
    "global-rows",
    "rows",
    1024,
    1..=16_777_216,
    "how many keys the global state can hold",
);

/// Size of one value of the global state.
pub const GLOBAL_VALUE_BYTES: Number = Number::new(
    "global-value-bytes",
    "bytes",
    4 * KIB,
    VALUE_MIN_BYTES..=MIB,
    "largest value of the global state",
);

/// Rows of the shared signals.
pub const SHARED_ROWS: Number = Number::new(
    "shared-rows",
    "rows",
    64 * KIB,
    1..=16_777_216,
    "how many shared signals can live at once, each counted once per scope",
);

/// Size of one value of a shared signal.
pub const SHARED_VALUE_BYTES: Number = Number::new(
    "shared-value-bytes",
    "bytes",
    256,
    VALUE_MIN_BYTES..=64 * KIB,
    "largest value of a shared signal",
);
