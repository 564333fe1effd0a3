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
//! * Data crosses in rings, with the ring's orderings. "The last look sees every invalidation sent
//!   before": `flush` rings the [`Doorbell`] after the push, `may_sleep` announces before it looks.
//! * A sender whose lane is full may sleep too: it sets `wants_room` for the pair before it announces.
//!   A receiver that popped fences, then reads the flag, then rings:
//!
//! ```text
//! sender                                        receiver
//! wants_room = true                             pop (head moves)
//! asleep = true                                 fence(SeqCst)   [mesh.room_fence]
//! fence(SeqCst)   (in announce)                 swap wants_room: true → ring the sender's bell
//! look whether head has moved
//! ```
//!
//!   Either the sender's look sees the moved head and it stays awake, or the receiver sees the wish and
//!   rings; the ring then finds `asleep` by the doorbell's own argument. The flag carries no data:
//!   `Relaxed`, by `swap`, so that a wish made between two looks is not wiped out.

mod pending;
mod terms;

use std::cell::Cell;
use std::marker::PhantomData;

use crate::doorbell::Doorbell;
use crate::ring::{Consumer, Full, Producer, ring};
use crate::sync::{Arc, AtomicBool, Ordering, fence};
use pending::Pending;
use terms::EVERYTHING;
pub use terms::{Bell, Invalidation, MeshConfig, Received};

struct Outgoing<P> {
    invalidations: Producer<Invalidation>,
    parcels: Producer<P>,
    pending: Pending,
    /// Something was pushed since the last flush.
    touched: bool,
    /// A parcel was refused and no room has been seen since.
    parcel_refused: bool,
    /// Is on the list of what `flush` looks at.
    listed: bool,
}

struct Incoming<P> {
    invalidations: Consumer<Invalidation>,
    parcels: Consumer<P>,
}

/// For one receiver: which senders want to be woken when there is room, by their number.
type WantsRoom = Arc<Vec<AtomicBool>>;

/// One member's end of the mesh.
pub struct Endpoint<P> {
    id: usize,
    bells: Arc<Vec<Arc<Doorbell>>>,
    wants_room: Arc<Vec<WantsRoom>>,
    outgoing: Vec<Option<Outgoing<P>>>,
    incoming: Vec<Option<Incoming<P>>>,
    pending_max: usize,
    pending_len: usize,
    /// Who is asked first by the next `receive`.
    first: usize,
    /// Members with something pushed or pending: what `flush` has to look at.
    active: Vec<usize>,
    not_sync: PhantomData<Cell<()>>,
}

/// A mesh of `wakes.len()` members; `wakes[i]` ends the sleep of member `i` (see [`Doorbell::new`]).
///
/// Returns the endpoints in the members' order, to be moved to their threads.
pub fn mesh<P: Send>(
    wakes: Vec<Box<dyn Fn() + Send + Sync>>,
    config: MeshConfig,
) -> Vec<Endpoint<P>> {
    let members = wakes.len();
    let bells: Vec<_> = wakes
        .into_iter()
        .map(|wake| Arc::new(Doorbell::new(wake)))
        .collect();
    let bells = Arc::new(bells);
    let flags = || (0..members).map(|_| AtomicBool::new(false)).collect();
    let wants_room = Arc::new((0..members).map(|_| Arc::new(flags())).collect());
    let mut endpoints: Vec<_> = (0..members)
        .map(|id| Endpoint {
            id,
            bells: Arc::clone(&bells),
            wants_room: Arc::clone(&wants_room),
            outgoing: (0..members).map(|_| None).collect(),
            incoming: (0..members).map(|_| None).collect(),
            pending_max: config.pending_max,
            pending_len: 0,
            first: 0,
            active: Vec::with_capacity(members),
            not_sync: PhantomData,
        })
        .collect();
    for from in 0..members {
        for to in (0..members).filter(|&to| to != from) {
            let (invalidations_in, invalidations_out) = ring(config.invalidation_capacity);
            let (parcels_in, parcels_out) = ring(config.parcel_capacity);
            endpoints[from].outgoing[to] = Some(Outgoing {
                invalidations: invalidations_in,
                parcels: parcels_in,
                pending: Pending::default(),
                touched: false,
                parcel_refused: false,
                listed: false,
            });
            endpoints[to].incoming[from] = Some(Incoming {
                invalidations: invalidations_out,
                parcels: parcels_out,
            });
        }
    }
    endpoints
}

impl<P> Endpoint<P> {
    /// This member's number.
    pub fn id(&self) -> usize {
        self.id
    }

    /// How many members the mesh has.
    pub fn members(&self) -> usize {
        self.bells.len()
    }

    /// A handle for other threads to wake `member`.
    pub fn bell(&self, member: usize) -> Bell {
        Bell::new(Arc::clone(&self.bells[member]))
    }

    /// Whether the endpoint of `member` was dropped: what is sent there is received by nobody.
    pub fn is_gone(&self, member: usize) -> bool {
        self.outgoing[member]
            .as_ref()
            .is_some_and(|lane| lane.invalidations.is_closed())
    }

    /// Tells `to` that something is stale. Never blocks and never loses: what does not fit into the
    /// ring is merged into a bounded set, and past its bound into "everything". `to` is woken by the
    /// next `flush`.
    ///
    /// # Panics
    /// When `to` is this member or none: here and in `send`.
    #[inline]
    pub fn invalidate(&mut self, to: usize, invalidation: Invalidation) {
        let lane = lane(&mut self.outgoing, self.id, to);
        list(&mut self.active, lane, to);
        if lane.pending.is_empty() && lane.invalidations.push(invalidation).is_ok() {
            lane.touched = true;
            return;
        }
        self.keep(to, invalidation);
    }

    /// [`invalidate`](Self::invalidate) for every other member.
    pub fn invalidate_others(&mut self, invalidation: Invalidation) {
        for to in 0..self.members() {
            if to != self.id {
                self.invalidate(to, invalidation);
            }
        }
    }

    /// Hands `parcel` to `to`, which is woken by the next `flush`.
    ///
    /// # Errors
    /// The parcel, when the lane is full (or `to` is gone): keep it and try again. When there is room,
    /// this member is woken if it sleeps, and `may_sleep` does not let it sleep.
    #[inline]
    pub fn send(&mut self, to: usize, parcel: P) -> Result<(), P> {
        let lane = lane(&mut self.outgoing, self.id, to);
        if lane.parcels.is_closed() {
            return Err(parcel);
        }
        match lane.parcels.push(parcel) {
            Ok(()) => {
                list(&mut self.active, lane, to);
                lane.touched = true;
                lane.parcel_refused = false;
                Ok(())
            }
            Err(Full(parcel)) => {
                list(&mut self.active, lane, to);
                lane.parcel_refused = true;
                Err(parcel)
            }
        }
    }

    /// Moves what is pending into the rings as room allows, and rings the doorbell of each member that
    /// was sent something since the last flush. Call it at the end of each turn. Returns whether
    /// nothing is left pending.
    pub fn flush(&mut self) -> bool {
        let Self {
            outgoing,
            active,
            bells,
            pending_len,
            ..
        } = self;
        active.retain(|&to| {
            let Some(lane) = &mut outgoing[to] else {
                return false;
            };
            if !lane.pending.is_empty() {
                let before = lane.pending.len();
                if lane.invalidations.is_closed() {
                    lane.pending.clear();
                } else {
                    lane.touched |= lane.pending.drain_into(&mut lane.invalidations);
                }
                *pending_len -= before - lane.pending.len();
            }
            if std::mem::take(&mut lane.touched) {
                bells[to].ring();
            }
            lane.listed = lane.parcel_refused || !lane.pending.is_empty();
            lane.listed
        });
        active.iter().all(|&to| {
            outgoing[to]
                .as_ref()
                .is_none_or(|lane| lane.pending.is_empty())
        })
    }

    /// Takes what has come, telling `f` from whom; returns how many. At most one ringful per lane and
    /// call, so that no sender keeps this member from its other work; the senders take turns at being
    /// first.
    pub fn receive(&mut self, mut f: impl FnMut(usize, Received<P>)) -> usize {
        let members = self.members();
        self.first = (self.first + 1) % members;
        let mut total = 0;
        let mut emptied_some = false;
        for step in 0..members {
            let from = (self.first + step) % members;
            let Some(lane) = &mut self.incoming[from] else {
                continue;
            };
            let max = lane.invalidations.capacity();
            let count = lane.invalidations.pop_batch(max, |invalidation| {
                f(
                    from,
                    if invalidation == EVERYTHING {
                        Received::Everything
                    } else {
                        Received::Invalidation(invalidation)
                    },
                );
            });
            let max = lane.parcels.capacity();
            let count = count
                + lane
                    .parcels
                    .pop_batch(max, |parcel| f(from, Received::Parcel(parcel)));
            total += count;
            emptied_some |= count > 0;
        }
        if emptied_some {
            self.tell_who_wants_room();
        }
        total
    }

    /// Flushes, announces the sleep, and looks at everything once more: all lanes, room for what was
    /// refused, and `nothing_else()`, which must look at every other place that other threads fill
    /// before they ring this member's [`Bell`]. True: sleep now, the doorbell is armed, and call
    /// [`woke`](Self::woke) afterwards. False: stay awake, and receive.
    pub fn may_sleep(&mut self, nothing_else: impl FnOnce() -> bool) -> bool {
        self.flush();
        for &to in &self.active {
            self.wants_room[to][self.id].swap(true, Ordering::Relaxed);
        }
        self.bells[self.id].announce();
        let stay = self.anything_came() || self.room_came() || !nothing_else();
        if stay {
            self.bells[self.id].awake();
        }
        !stay
    }

    /// To be called after a sleep, whatever ended it.
    pub fn woke(&mut self) {
        self.bells[self.id].awake();
    }

    fn anything_came(&self) -> bool {
        self.incoming
            .iter()
            .flatten()
            .any(|lane| !lane.invalidations.is_empty() || !lane.parcels.is_empty())
    }

    /// Whether something that waits for room would find it. A refused parcel is reported once: its
    /// owner tries again now, or has given up.
    fn room_came(&mut self) -> bool {
        let mut room = false;
        for &to in &self.active {
            let Some(lane) = &mut self.outgoing[to] else {
                continue;
            };
            if !lane.pending.is_empty() {
                room |= lane.invalidations.free() > 0;
            }
            if lane.parcel_refused && lane.parcels.free() > 0 {
                lane.parcel_refused = false;
                room = true;
            }
        }
        room
    }

    /// Merges what the ring had no room for, and keeps the bound.
    #[cold]
    fn keep(&mut self, to: usize, invalidation: Invalidation) {
        let lane = lane(&mut self.outgoing, self.id, to);
        let before = lane.pending.len();
        lane.pending.add(invalidation);
        self.pending_len = self.pending_len - before + lane.pending.len();
        if self.pending_len > self.pending_max {
            let longest = self
                .outgoing
                .iter_mut()
                .flatten()
                .max_by_key(|lane| lane.pending.len());
            if let Some(lane) = longest {
                self.pending_len -= lane.pending.len();
                lane.pending.make_everything();
            }
        }
    }

    /// Wakes the senders that sleep until there is room here. Only senders whose flag is up cost more
    /// than a load.
    fn tell_who_wants_room(&self) {
        fence(Ordering::SeqCst); // [mesh.room_fence]
        for (from, wants_room) in self.wants_room[self.id].iter().enumerate() {
            if wants_room.load(Ordering::Relaxed) && wants_room.swap(false, Ordering::Relaxed) {
                self.bells[from].ring();
            }
        }
    }
}

#[inline]
fn lane<P>(outgoing: &mut [Option<Outgoing<P>>], id: usize, to: usize) -> &mut Outgoing<P> {
    let members = outgoing.len();
    match outgoing.get_mut(to) {
        Some(Some(lane)) => lane,
        _ => panic!("member {id} sent to member {to}; allowed are the other ones of 0..{members}"),
    }
}

/// Puts `to` on the list of what `flush` looks at, unless it is on it.
#[inline]
fn list<P>(active: &mut Vec<usize>, lane: &mut Outgoing<P>, to: usize) {
    if !lane.listed {
        lane.listed = true;
        active.push(to);
    }
}
