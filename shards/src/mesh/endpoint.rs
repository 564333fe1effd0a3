//! One member's end: sending, receiving, and going to sleep.
//!
//! **Invariant.** `active` lists the receivers with something pushed, pending or refused (`listed`);
//! `pending_len` is the sum of the pending sets. `came` holds bits that were taken and whose lanes have
//! not been looked into.
//!
//! **Who.** One thread. Why nothing is lost: see the folder's `mod.rs`.

use std::cell::Cell;
use std::marker::PhantomData;

use super::Shared;
use super::arrivals::Came;
use super::pending::Pending;
use super::terms::{Bell, EVERYTHING, Invalidation, MeshConfig, Received};
use crate::ring::{Consumer, Full, Producer, ring};
use crate::sync::{Arc, Ordering, fence};

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

/// One member's end of the mesh.
pub struct Endpoint<P> {
    id: usize,
    shared: Arc<Shared>,
    outgoing: Vec<Option<Outgoing<P>>>,
    incoming: Vec<Option<Incoming<P>>>,
    pending_max: usize,
    pending_len: usize,
    /// Who sent something that was not looked at.
    came: Came,
    /// Who is asked first by the next `receive`.
    first: usize,
    /// Members with something pushed or pending: what `flush` has to look at.
    active: Vec<usize>,
    not_sync: PhantomData<Cell<()>>,
}

impl<P> Endpoint<P> {
    /// A member without lanes.
    pub(super) fn alone(id: usize, shared: Arc<Shared>, config: MeshConfig) -> Self {
        let members = shared.bells.len();
        Self {
            id,
            shared,
            outgoing: (0..members).map(|_| None).collect(),
            incoming: (0..members).map(|_| None).collect(),
            pending_max: config.pending_max,
            pending_len: 0,
            came: Came::new(members),
            first: 0,
            active: Vec::with_capacity(members),
            not_sync: PhantomData,
        }
    }

    /// The two lanes from one member to another.
    pub(super) fn connect(ends: &mut [Self], from: usize, to: usize, config: MeshConfig) {
        let (invalidations_in, invalidations_out) = ring(config.invalidation_capacity);
        let (parcels_in, parcels_out) = ring(config.parcel_capacity);
        ends[from].outgoing[to] = Some(Outgoing {
            invalidations: invalidations_in,
            parcels: parcels_in,
            pending: Pending::default(),
            touched: false,
            parcel_refused: false,
            listed: false,
        });
        ends[to].incoming[from] = Some(Incoming {
            invalidations: invalidations_out,
            parcels: parcels_out,
        });
    }

    /// This member's number.
    pub fn id(&self) -> usize {
        self.id
    }

    /// How many members the mesh has.
    pub fn members(&self) -> usize {
        self.shared.bells.len()
    }

    /// A handle for other threads to wake `member`.
    pub fn bell(&self, member: usize) -> Bell {
        Bell::new(Arc::clone(&self.shared.bells[member]))
    }

    /// Whether the endpoint of `member` was dropped: what is sent there is received by nobody. True when
    /// `send` has refused a parcel for that reason.
    pub fn is_gone(&self, member: usize) -> bool {
        self.outgoing[member]
            .as_ref()
            .is_some_and(|lane| lane.parcels.is_closed())
    }

    /// Tells `to` that something is stale. Never blocks and never loses: what does not fit into the
    /// ring is merged into a bounded set, and past its bound into "everything". `to` hears of it by the
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

    /// Hands `parcel` to `to`, which hears of it by the next `flush`.
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

    /// Moves what is pending into the rings as room allows, and tells each member that was sent
    /// something since the last flush, waking it if it sleeps. Call it at the end of each turn; what was
    /// sent since the last one may go unheard until then. Returns whether nothing is left pending.
    pub fn flush(&mut self) -> bool {
        let Self {
            outgoing,
            active,
            shared,
            pending_len,
            id,
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
                shared.arrivals[to].raise(*id);
                shared.bells[to].ring();
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
        self.shared.arrivals[self.id].take(&mut self.came);
        if self.came.is_empty() {
            return 0;
        }
        let mut total = 0;
        for (mut at, end) in [(self.first, members), (0, self.first)] {
            while let Some(from) = self.came.next(at).filter(|&from| from < end) {
                total += self.receive_from(from, &mut f);
                // Only now: if `f` panics, the rest of the lane is there for the next call.
                self.came.done(from);
                at = from + 1;
            }
        }
        // Also if nothing was left: `f` may have panicked at the last one.
        self.tell_who_wants_room();
        total
    }

    /// Flushes, announces the sleep, and looks at everything once more: all lanes, room for what was
    /// refused, and `nothing_else()`, which must look at every other place that other threads fill
    /// before they ring this member's [`Bell`]. True: sleep now, the doorbell is armed, and call
    /// [`woke`](Self::woke) afterwards. False: stay awake, and receive.
    pub fn may_sleep(&mut self, nothing_else: impl FnOnce() -> bool) -> bool {
        self.flush();
        self.shared.bells[self.id].announce();
        if !self.active.is_empty() {
            for &to in &self.active {
                self.shared.wants_room[to][self.id].swap(true, Ordering::Relaxed);
            }
            fence(Ordering::SeqCst); // [mesh.wish_fence]
        }
        let stay = self.anything_came() || self.room_came() || !nothing_else();
        if stay {
            self.shared.bells[self.id].awake();
        }
        !stay
    }

    /// To be called after a sleep, whatever ended it.
    pub fn woke(&mut self) {
        self.shared.bells[self.id].awake();
    }

    fn receive_from(&mut self, from: usize, f: &mut impl FnMut(usize, Received<P>)) -> usize {
        let Some(lane) = &mut self.incoming[from] else {
            return 0;
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
        let parcels = lane
            .parcels
            .pop_batch(max, |parcel| f(from, Received::Parcel(parcel)));
        count + parcels
    }

    fn anything_came(&self) -> bool {
        !self.came.is_empty() || !self.shared.arrivals[self.id].is_quiet(&self.came)
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
                room |= has_room(&mut lane.invalidations);
            }
            if lane.parcel_refused && has_room(&mut lane.parcels) {
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
        for (from, wants_room) in self.shared.wants_room[self.id].iter().enumerate() {
            if wants_room.load(Ordering::Relaxed) && wants_room.swap(false, Ordering::Relaxed) {
                self.shared.bells[from].ring();
            }
        }
    }
}

impl<P> Drop for Endpoint<P> {
    /// What was pushed is told, or nobody would look for it; and who waits for room has nothing left to
    /// wait for.
    fn drop(&mut self) {
        self.flush();
        self.incoming.clear();
        self.tell_who_wants_room();
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

/// Whether waiting for room is over; a lane that nobody empties any more counts as well.
fn has_room<T>(lane: &mut Producer<T>) -> bool {
    lane.free() > 0 || lane.is_closed()
}

/// Puts `to` on the list of what `flush` looks at, unless it is on it.
#[inline]
fn list<P>(active: &mut Vec<usize>, lane: &mut Outgoing<P>, to: usize) {
    if !lane.listed {
        lane.listed = true;
        active.push(to);
    }
}
