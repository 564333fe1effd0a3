//! Connections that wait for a request: each is a place in a table and one in the epoll set. No task, no timer, no buffer.
//!
//! Invariant: places are linked in the order in which they were taken, and all of them are given the same time, so only
//! the first can be overdue. A key is in the table as long as its channel's readiness goes to that key.

use std::rc::Rc;
use std::time::Instant;

use slab::Slab;

use super::seat::{Connection, attend};
use super::shard::Shard;
use crate::http::{Channel, Heard};

/// Marks the reactor's keys of this table; those without it are streams'.
const RESTING: u32 = 1 << 31;

/// No place.
const NONE: u32 = u32::MAX;

/// A table that has been this large is given back when its last guest goes.
const KEPT_PLACES: usize = 64;

/// Guests in the order in which they came; each is overdue at its own time, which rises with the order.
pub(super) struct Row<T> {
    places: Slab<Place<T>>,
    first: u32,
    last: u32,
}

struct Place<T> {
    guest: T,
    until_ms: u64,
    before: u32,
    after: u32,
}

impl<T> Default for Row<T> {
    fn default() -> Self {
        Self {
            places: Slab::new(),
            first: NONE,
            last: NONE,
        }
    }
}

impl<T> Row<T> {
    /// Takes a guest in, at the end of the row.
    fn add(&mut self, guest: T, until_ms: u64) -> u32 {
        let place = Place {
            guest,
            until_ms,
            before: self.last,
            after: NONE,
        };
        let key = u32::try_from(self.places.insert(place)).expect("descriptors fit 32 bits");
        match self.places.get_mut(self.last as usize) {
            Some(last) => last.after = key,
            None => self.first = key,
        }
        self.last = key;
        key
    }

    fn get_mut(&mut self, key: u32) -> Option<&mut T> {
        Some(&mut self.places.get_mut(key as usize)?.guest)
    }

    /// Lets a guest go.
    fn remove(&mut self, key: u32) -> Option<T> {
        let Place {
            guest,
            before,
            after,
            ..
        } = self.places.try_remove(key as usize)?;
        match self.places.get_mut(before as usize) {
            Some(place) => place.after = after,
            None => self.first = after,
        }
        match self.places.get_mut(after as usize) {
            Some(place) => place.before = before,
            None => self.last = before,
        }
        if self.places.is_empty() && self.places.capacity() > KEPT_PLACES {
            self.places = Slab::new();
        }
        Some(guest)
    }

    /// When the first is overdue.
    fn next_ms(&self) -> Option<u64> {
        Some(self.places.get(self.first as usize)?.until_ms)
    }

    /// The first, if it is overdue at `now_ms`.
    fn remove_overdue(&mut self, now_ms: u64) -> Option<T> {
        self.next_ms().filter(|at| *at <= now_ms)?;
        self.remove(self.first)
    }
}

/// A connection at rest, and what counts it.
pub(super) struct Resting {
    channel: Channel,
    open: Connection,
}

/// What the reactor's key says of this table.
pub(super) const fn key_of(watched: u32) -> Option<u32> {
    if watched & RESTING == 0 {
        None
    } else {
        Some(watched & !RESTING)
    }
}

impl Shard {
    /// Lets a connection wait until it has something to say, unless it has it already.
    pub(super) fn rest(self: &Rc<Self>, mut channel: Channel, open: Connection) {
        match channel.listen() {
            Heard::End => {}
            Heard::Bytes => attend(channel, open),
            Heard::Nothing if self.closing.get() => channel.say_goodbye(),
            Heard::Nothing => {
                let time = u64::try_from(self.limits.idle_time.as_millis()).unwrap_or(u64::MAX / 4);
                let until = self.now().saturating_add(time);
                let mut row = self.resting.borrow_mut();
                let key = row.add(Resting { channel, open }, until);
                if let Some(resting) = row.get_mut(key) {
                    resting.channel.watch(key | RESTING);
                }
            }
        }
    }

    /// Something happened on a connection at rest.
    pub(super) fn stir(self: &Rc<Self>, key: u32) {
        let (heard, resting) = {
            let mut row = self.resting.borrow_mut();
            let heard = match row.get_mut(key).map(|resting| resting.channel.listen()) {
                None | Some(Heard::Nothing) => return,
                Some(heard) => heard,
            };
            (heard, row.remove(key))
        };
        if let Some(Resting { channel, open }) = resting
            && let Heard::Bytes = heard
        {
            channel.unwatch();
            attend(channel, open);
        }
    }

    /// Closes those that have waited for as long as they may, and say nothing even now.
    pub(super) fn close_overdue(self: &Rc<Self>) {
        loop {
            let overdue = self.resting.borrow_mut().remove_overdue(self.now());
            let Some(Resting { mut channel, open }) = overdue else {
                return;
            };
            channel.unwatch();
            match channel.listen() {
                Heard::Bytes => attend(channel, open),
                Heard::Nothing | Heard::End => channel.say_goodbye(),
            }
        }
    }

    /// When the next one is overdue.
    pub(super) fn next_overdue(&self) -> Option<Instant> {
        let at = self.resting.borrow().next_ms()?;
        Some(self.instant(at))
    }

    /// Closes all; a request that has arrived is still answered.
    pub(super) fn close_resting(self: &Rc<Self>) {
        loop {
            let first = self.resting.borrow_mut().remove_overdue(u64::MAX);
            let Some(Resting { channel, open }) = first else {
                return;
            };
            channel.unwatch();
            self.rest(channel, open);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_go_in_the_order_in_which_they_came_whoever_left_between() {
        let mut row = Row::default();
        let keys: Vec<u32> = (0..6).map(|n| row.add(n, 100 + n)).collect();
        for key in [keys[0], keys[3], keys[5]] {
            row.remove(key).unwrap();
        }
        let again = row.add(9, 109);
        assert_eq!(row.get_mut(again), Some(&mut 9));
        assert_eq!(row.remove_overdue(100), None);
        assert_eq!(row.next_ms(), Some(101));
        let all: Vec<u64> = std::iter::from_fn(|| row.remove_overdue(109)).collect();
        assert_eq!(all, [1, 2, 4, 9]);
        assert_eq!((row.first, row.last), (NONE, NONE));
    }

    #[test]
    fn a_peak_is_given_back() {
        let mut row = Row::default();
        let keys: Vec<u32> = (0..1000).map(|n| row.add((), n)).collect();
        for key in keys {
            row.remove(key).unwrap();
        }
        assert_eq!(row.places.capacity(), 0);
    }

    #[test]
    fn keys_of_streams_are_told_from_those_of_this_table() {
        assert_eq!(key_of(7), None);
        assert_eq!(key_of(7 | RESTING), Some(7));
    }
}
