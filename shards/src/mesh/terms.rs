//! What crosses a mesh, and its bounds.

use crate::doorbell::Doorbell;
use crate::sync::Arc;

/// "Whatever shows this is stale." Idempotent: two of the same are worth one.
///
/// The members agree on what `kind` means. Both fields at `u64::MAX` mean "everything".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Invalidation {
    /// What sort of thing.
    pub kind: u64,
    /// Which one; a hash of its name, say.
    pub scope: u64,
}

/// How a ring carries "everything".
pub(super) const EVERYTHING: Invalidation = Invalidation {
    kind: u64::MAX,
    scope: u64::MAX,
};

const _: () = assert!(size_of::<Invalidation>() == 16);

/// The bounds of a mesh. Memory per ordered pair of members is `invalidation_capacity` × 16 bytes +
/// `parcel_capacity` × the size of a parcel + about 1.2 KiB; per member, `pending_max` × about 34
/// bytes at worst.
#[derive(Clone, Copy, Debug)]
pub struct MeshConfig {
    /// Places in each ring of invalidations (rounded up to a power of two).
    pub invalidation_capacity: usize,
    /// Places in each ring of parcels (rounded up to a power of two).
    pub parcel_capacity: usize,
    /// How many different invalidations one member keeps for receivers whose rings are full, all
    /// receivers together, before the receiver with the most is sent "everything" instead.
    pub pending_max: usize,
}

impl Default for MeshConfig {
    fn default() -> Self {
        Self {
            invalidation_capacity: 64,
            parcel_capacity: 32,
            pending_max: 2048,
        }
    }
}

/// What an endpoint receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received<P> {
    /// This is stale.
    Invalidation(Invalidation),
    /// Too much became stale to name it: treat everything as stale.
    Everything,
    /// Something carried whole.
    Parcel(P),
}

/// Rings one member's doorbell from any thread, after something was put where its
/// `may_sleep(nothing_else)` looks.
#[derive(Clone, Debug)]
pub struct Bell(Arc<Doorbell>);

impl Bell {
    pub(super) fn new(bell: Arc<Doorbell>) -> Self {
        Self(bell)
    }

    /// Wakes the member if it sleeps; see [`Doorbell::ring`].
    #[inline]
    pub fn ring(&self) {
        self.0.ring();
    }
}
