//! Every member to every other: invalidations that are never lost, and parcels carried whole.
//!
//! **Invariant.** For each ordered pair of members there are two rings ("lanes"). An invalidation that
//! was handed to `invalidate` is in the receiver's ring, or in the sender's pending set for that
//! receiver, or stands for itself in that set's "everything", until the receiver is told. The pending
//! sets of one member hold at most `pending_max` entries together; past that, the largest becomes
//! "everything", so a slow receiver costs itself its details and nobody else.
//!
//! **Who.** One thread per [`Endpoint`] (it is `Send`, not `Sync`). Other threads get a [`Bell`].
//!
//! **Why nothing is lost and nobody sleeps through.**
//! * Data crosses in rings, with the ring's orderings. `flush` raises the sender's bit in the receiver's
//!   `arrivals` after the push; `receive` takes the bits, then looks into the lanes that they name. A
//!   look takes all that a lane held when its bit was taken, as it takes up to a ringful.
//! * "The last look sees every invalidation sent before": `flush` rings the [`Doorbell`] after the bit,
//!   `may_sleep` announces before it looks at the bits.
//! * A sender whose lane is full may sleep too: it announces, then sets `wants_room` for the pair. A
//!   receiver that popped fences, then reads the flag, then rings:
//!
//! ```text
//! sender                                        receiver
//! asleep = true                                 pop (head moves)
//! fence(SeqCst)   (in announce)                 fence(SeqCst)   [mesh.room_fence]
//! wants_room = true                             swap wants_room: true → ring the sender's bell
//! fence(SeqCst)   [mesh.wish_fence]
//! look whether head has moved
//! ```
//!
//!   Either the sender's look sees the moved head and it stays awake, or the receiver sees the wish and
//!   rings. A receiver takes the wishes of all senders, also of those whose lanes it has not popped; so
//!   the wish comes after the announcement: whoever takes it finds `asleep`, and what it rings is heard,
//!   if only to look and wish again. The flag carries no data: `Relaxed`, by `swap`, so that a wish made
//!   between two looks is not wiped out.
//! * A member that goes closes its lanes, then does what a receiver does that popped: a closed lane is
//!   room too.

mod arrivals;
mod endpoint;
mod pending;
mod terms;

use crate::doorbell::Doorbell;
use crate::sync::{Arc, AtomicBool};
use arrivals::Arrivals;
pub use endpoint::Endpoint;
pub use terms::{Bell, Invalidation, MeshConfig, Received};

/// What all members see.
struct Shared {
    bells: Vec<Arc<Doorbell>>,
    /// For each receiver: which senders want to be woken when there is room, by their number.
    wants_room: Vec<Vec<AtomicBool>>,
    /// For each receiver: which senders have sent something.
    arrivals: Vec<Arrivals>,
}

/// A mesh of `wakes.len()` members; `wakes[i]` ends the sleep of member `i` (see [`Doorbell::new`]).
///
/// Returns the endpoints in the members' order, to be moved to their threads.
pub fn mesh<P: Send>(
    wakes: Vec<Box<dyn Fn() + Send + Sync>>,
    config: MeshConfig,
) -> Vec<Endpoint<P>> {
    let members = wakes.len();
    let flags = || (0..members).map(|_| AtomicBool::new(false)).collect();
    let shared = Arc::new(Shared {
        bells: wakes
            .into_iter()
            .map(|wake| Arc::new(Doorbell::new(wake)))
            .collect(),
        wants_room: (0..members).map(|_| flags()).collect(),
        arrivals: (0..members).map(|_| Arrivals::new(members)).collect(),
    });
    let mut ends: Vec<_> = (0..members)
        .map(|id| Endpoint::alone(id, Arc::clone(&shared), config))
        .collect();
    for from in 0..members {
        for to in (0..members).filter(|&to| to != from) {
            Endpoint::connect(&mut ends, from, to, config);
        }
    }
    ends
}
