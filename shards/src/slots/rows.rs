//! Which keys there are: inserting, removing, and counting users, all with the lock held.
//!
//! **Invariant.** A row is free, dead and in no chain, or in use, live and in its key's chain; with the
//! lock free, nothing in between. A row's users are 0 unless its key was acquired.
//!
//! **Who.** Any thread. No code of callers runs with the lock held, and it is held for some tens of
//! nanoseconds; reads and updates of keys that exist never ask for it.
//!
//! **Why the orderings are enough.** The lock orders these among themselves. Against reads and updates
//! the row's pointer decides: a removal exchanges it like any other write. `len` carries no other data.

use super::buffers::Header;
use super::index::{Found, Rows};
use super::key::Key;
use super::{Row, SlotError, SlotTable};
use crate::sync::{Ordering, lock};

impl SlotTable {
    /// Removes `key`, whatever its users; returns whether it was there.
    ///
    /// # Errors
    /// [`SlotError::KeyTooLong`].
    pub fn remove(&self, key: &[u8]) -> Result<bool, SlotError> {
        let key = Key::new(key)?;
        let mut rows = lock(&self.rows);
        let Some((found, ())) = self.index.find(&self.buffers, &key, |_| ()) else {
            return Ok(false);
        };
        self.remove_locked(&mut rows, found.row);
        Ok(true)
    }

    /// The row of `key`, with one more user; inserts what `init` gives if the key is not there.
    ///
    /// Keys used by `acquire` are counted: the `release` of the last user removes them. `init` runs
    /// outside every claim, and its value is thrown away when another insert was faster.
    ///
    /// # Errors
    /// [`SlotError::KeyTooLong`], [`SlotError::ValueTooLarge`], [`SlotError::Full`].
    pub fn acquire(&self, key: &[u8], init: impl Fn() -> Vec<u8>) -> Result<Row, SlotError> {
        let key = Key::new(key)?;
        let mut value = None;
        loop {
            if value.is_none() && self.index.find(&self.buffers, &key, |_| ()).is_none() {
                let init = init();
                self.check_len(&init)?;
                value = Some(init);
            }
            let mut rows = lock(&self.rows);
            let found = match self.index.find(&self.buffers, &key, |_| ()) {
                Some((found, ())) => found,
                None => match &value {
                    Some(value) => self.insert_locked(&mut rows, &key, value)?,
                    // Removed since the look without the lock.
                    None => continue,
                },
            };
            rows.users[found.row] += 1;
            return Ok(found.handle());
        }
    }

    /// One user less of a row that `acquire` gave; the last one's removes the key. A stale handle, or
    /// one whose key has no counted users, changes nothing.
    pub fn release(&self, row: Row) {
        let mut rows = lock(&self.rows);
        let Ok((found, ())) = self.look(row, |_| ()) else {
            return;
        };
        let users = &mut rows.users[found.row];
        if *users > 0 {
            *users -= 1;
            if *users == 0 {
                self.remove_locked(&mut rows, found.row);
            }
        }
    }

    /// Inserts `key`; `None` when it is there meanwhile.
    pub(super) fn insert(&self, key: &Key, value: &[u8]) -> Result<Option<u64>, SlotError> {
        let mut rows = lock(&self.rows);
        if self.index.find(&self.buffers, key, |_| ()).is_some() {
            return Ok(None);
        }
        let found = self.insert_locked(&mut rows, key, value)?;
        Ok(Some(found.header.version))
    }

    /// Lock held, and `key` is in no chain.
    fn insert_locked(&self, rows: &mut Rows, key: &Key, value: &[u8]) -> Result<Found, SlotError> {
        let full = SlotError::Full { rows: self.rows() };
        let row = rows.free.pop().ok_or(full)? as usize;
        let place = &self.index.places[row].pointer;
        let (pointer, before) = self.buffers.look(place, |buffer| buffer.header());
        debug_assert!(!before.live);
        let version = before.version + 1;
        let header = Header {
            version,
            born: version,
            live: true,
        };
        let published = self
            .buffers
            .take()
            .publish(place, pointer, header, key, value);
        assert!(
            published,
            "a free row is written by the lock's holder alone"
        );
        self.index.link(rows, self.index.home(key), row);
        self.count(rows);
        Ok(Found {
            row,
            pointer,
            header,
        })
    }

    /// Lock held, and the row is live.
    fn remove_locked(&self, rows: &mut Rows, row: usize) {
        let place = &self.index.places[row].pointer;
        let key = loop {
            let (pointer, (before, key)) = self
                .buffers
                .look(place, |buffer| (buffer.header(), buffer.key()));
            let header = Header {
                version: before.version + 1,
                born: before.born,
                live: false,
            };
            let taken = self.buffers.take();
            if taken.publish(place, pointer, header, &Key::none(), &[]) {
                break key;
            }
        };
        self.index.unlink(rows, self.index.home(&key), row);
        rows.users[row] = 0;
        rows.free.push(row as u32);
        self.count(rows);
    }

    fn count(&self, rows: &Rows) {
        self.len
            .store(self.rows() - rows.free.len(), Ordering::Relaxed);
    }
}
