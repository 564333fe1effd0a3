//! Rows of fixed size by key, shared by all threads: reads take no lock and are held up by nobody,
//! writes are atomic.
//!
//! **Invariant.** A row's contents (key, value, version, generation) change as a whole, by one
//! exchange of its pointer, and its version counts every such change, also over removals. A [`Row`]
//! handle names the version at which its key came, so it never reaches a later key of the same row.
//!
//! **Who.** Any thread, any method. What is passed to `update` runs outside every claim.
//!
//! **How it fits together.**
//! * `buffers`: how contents are written in private, published, and read without being torn. Readers
//!   look again only if two commits passed; `update`, `set`, `compare_and_set` of a key that exists are
//!   lock-free: of several at once, one succeeds, and none waits for a writer that is descheduled.
//! * `index`: how a key is found. Chains instead of probing: a removed row leaves nothing behind, so
//!   lookups stay as fast as on the first day.
//! * `rows`: inserting and removing, and counting users, take one lock for some tens of nanoseconds, in which
//!   no code of callers runs. Readers and updates never touch it.
//!
//! **Why operations are atomic.** Each takes effect at one step on the row's pointer: a read at the
//! load that it was checked against, a write at its exchange. Keys are doubled by nobody, since a key
//! is inserted with the lock held after a walk that did not find it. A removed row is made dead by an
//! exchange like any other, so an update that raced it either came before or finds its exchange
//! refused, and starts again.

mod buffers;
mod error;
mod index;
mod key;
mod rows;

use buffers::{BUFFER_BITS, Buffers, Header};
use index::{Found, Index, Rows};
use key::Key;

pub use error::SlotError;

use crate::sync::{AtomicUsize, Mutex, Ordering, lock, step_back};

/// The longest key.
pub const KEY_MAX_BYTES: usize = 64;

/// How many threads write at the same moment without waiting, unless asked for otherwise.
const WRITERS: usize = 64;

/// A key's row, for as long as the key is not removed; afterwards it is [`SlotError::Stale`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    index: u32,
    born: u64,
}

/// A table of rows by key.
///
/// ```
/// use autovia_shards::SlotTable;
/// let table = SlotTable::new(1024, 256, [1, 2]); // In earnest: two random words.
/// table.set(b"clicks", b"1")?;
/// table.update(b"clicks", |old| Some([old.unwrap_or(b""), b"1"].concat()))?;
/// let mut value = Vec::new();
/// let version = table.read(b"clicks", &mut value)?;
/// assert_eq!((version, &value[..]), (Some(2), &b"11"[..]));
/// # Ok::<(), autovia_shards::SlotError>(())
/// ```
pub struct SlotTable {
    buffers: Buffers,
    index: Index,
    rows: Mutex<Rows>,
    len: AtomicUsize,
    value_bytes: usize,
}

impl SlotTable {
    /// A table of `rows` rows with values of at most `value_bytes` bytes. `hash_key` is secret and
    /// random where strangers choose keys.
    ///
    /// Memory: about 128 + `value_bytes`, rounded up to 64, + 84 bytes per row. Values' pages are
    /// touched when rows are first used.
    ///
    /// # Panics
    /// When there are more than 16 million rows, or values of 4 GiB.
    pub fn new(rows: usize, value_bytes: usize, hash_key: [u64; 2]) -> Self {
        Self::with_writers(rows, value_bytes, hash_key, WRITERS)
    }

    /// [`new`](Self::new) with a chosen number of threads that can write at the same moment; one more
    /// waits until one of them is done. Each costs a buffer.
    ///
    /// # Panics
    /// As `new`, or when `writers` is 0.
    pub fn with_writers(
        rows: usize,
        value_bytes: usize,
        hash_key: [u64; 2],
        writers: usize,
    ) -> Self {
        let most = (1 << BUFFER_BITS) - 1;
        assert!(
            writers > 0 && rows < most && writers < most - rows,
            "a table of {rows} rows and {writers} writers asked for; \
             there must be a writer, and both together may be {most} at most"
        );
        assert!(
            u32::try_from(value_bytes).is_ok(),
            "rows of {value_bytes} bytes asked for; values may have 2^32 - 1 bytes at most"
        );
        Self {
            buffers: Buffers::new(rows, writers, value_bytes),
            index: Index::new(rows, hash_key),
            rows: Mutex::new(Rows {
                free: (0..rows as u32).rev().collect(),
                users: vec![0; rows],
            }),
            len: AtomicUsize::new(0),
            value_bytes,
        }
    }

    /// How many keys there can be.
    pub fn rows(&self) -> usize {
        self.index.places.len()
    }

    /// How many bytes a value can have.
    pub fn value_bytes(&self) -> usize {
        self.value_bytes
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// In which chain `key` is, so that tests can make chains.
    ///
    /// # Errors
    /// [`SlotError::KeyTooLong`].
    #[doc(hidden)]
    pub fn bucket(&self, key: &[u8]) -> Result<usize, SlotError> {
        Ok(Index::bucket(self.index.home(&Key::new(key)?)))
    }

    /// How many rows all chains hold together, and the longest of them, so that tests see that removed
    /// rows leave nothing behind.
    #[doc(hidden)]
    pub fn chained(&self) -> (usize, usize) {
        self.index.chained(&mut lock(&self.rows))
    }

    /// The row of `key`.
    ///
    /// # Errors
    /// [`SlotError::KeyTooLong`], here and wherever a key is passed.
    pub fn find(&self, key: &[u8]) -> Result<Option<Row>, SlotError> {
        let key = Key::new(key)?;
        let found = self.index.find(&self.buffers, &key, |_| ());
        Ok(found.map(|(found, ())| found.handle()))
    }

    /// Copies the value of `key` into `out` (which holds nothing else afterwards) and returns its
    /// version; `None` when there is no such key.
    ///
    /// # Errors
    /// [`SlotError::KeyTooLong`].
    pub fn read(&self, key: &[u8], out: &mut Vec<u8>) -> Result<Option<u64>, SlotError> {
        let key = Key::new(key)?;
        let found = self
            .index
            .find(&self.buffers, &key, |buffer| buffer.copy_value(out));
        Ok(match found {
            Some((found, ())) => Some(found.header.version),
            None => {
                out.clear();
                None
            }
        })
    }

    /// [`read`](Self::read) by handle.
    ///
    /// # Errors
    /// [`SlotError::Stale`], here and wherever a handle is passed.
    pub fn read_row(&self, row: Row, out: &mut Vec<u8>) -> Result<u64, SlotError> {
        let (found, ()) = self.look(row, |buffer| buffer.copy_value(out))?;
        Ok(found.header.version)
    }

    /// The version of the row's value: as long as it is the one that `read` gave, the value is too.
    ///
    /// # Errors
    /// [`SlotError::Stale`].
    pub fn version(&self, row: Row) -> Result<u64, SlotError> {
        let (found, ()) = self.look(row, |_| ())?;
        Ok(found.header.version)
    }

    /// Sets the value of `key`, inserting it if needed; returns the version.
    ///
    /// # Errors
    /// [`SlotError::KeyTooLong`], [`SlotError::ValueTooLarge`], [`SlotError::Full`].
    pub fn set(&self, key: &[u8], value: &[u8]) -> Result<u64, SlotError> {
        let key = Key::new(key)?;
        self.check_len(value)?;
        let mut lost = 0;
        loop {
            let version = match self.index.find(&self.buffers, &key, |_| ()) {
                Some((found, ())) => self.commit(&found, &key, value),
                None => self.insert(&key, value)?,
            };
            if let Some(version) = version {
                return Ok(version);
            }
            step_back(&mut lost);
        }
    }

    /// [`set`](Self::set) by handle.
    ///
    /// # Errors
    /// [`SlotError::Stale`], [`SlotError::ValueTooLarge`].
    pub fn set_row(&self, row: Row, value: &[u8]) -> Result<u64, SlotError> {
        self.check_len(value)?;
        let mut lost = 0;
        loop {
            let (found, key) = self.look(row, |buffer| buffer.key())?;
            if let Some(version) = self.commit(&found, &key, value) {
                return Ok(version);
            }
            step_back(&mut lost);
        }
    }

    /// Replaces the value of `key` by what `f` makes of it (`None`: no such key yet), atomically;
    /// returns the version, or `None` when `f` said to leave it as it is.
    ///
    /// `f` runs outside every claim, and again when another write came between: it must depend on its
    /// argument alone and do nothing else.
    ///
    /// # Errors
    /// [`SlotError::KeyTooLong`], [`SlotError::ValueTooLarge`], [`SlotError::Full`].
    pub fn update(
        &self,
        key: &[u8],
        f: impl Fn(Option<&[u8]>) -> Option<Vec<u8>>,
    ) -> Result<Option<u64>, SlotError> {
        let key = Key::new(key)?;
        let mut old = Vec::new();
        let mut lost = 0;
        loop {
            let found = self
                .index
                .find(&self.buffers, &key, |buffer| buffer.copy_value(&mut old));
            let Some(new) = f(found.as_ref().map(|_| &old[..])) else {
                return Ok(None);
            };
            self.check_len(&new)?;
            let version = match found {
                Some((found, ())) => self.commit(&found, &key, &new),
                None => self.insert(&key, &new)?,
            };
            if version.is_some() {
                return Ok(version);
            }
            step_back(&mut lost);
        }
    }

    /// [`update`](Self::update) by handle.
    ///
    /// # Errors
    /// [`SlotError::Stale`], [`SlotError::ValueTooLarge`].
    pub fn update_row(
        &self,
        row: Row,
        f: impl Fn(&[u8]) -> Option<Vec<u8>>,
    ) -> Result<Option<u64>, SlotError> {
        let mut old = Vec::new();
        let mut lost = 0;
        loop {
            let (found, key) = self.look(row, |buffer| {
                buffer.copy_value(&mut old);
                buffer.key()
            })?;
            let Some(new) = f(&old) else {
                return Ok(None);
            };
            self.check_len(&new)?;
            let version = self.commit(&found, &key, &new);
            if version.is_some() {
                return Ok(version);
            }
            step_back(&mut lost);
        }
    }

    /// Sets the value of `key` to `new` if it is `expected` (`None`: if there is no such key); returns
    /// whether it was.
    ///
    /// # Errors
    /// [`SlotError::KeyTooLong`], [`SlotError::ValueTooLarge`], [`SlotError::Full`].
    pub fn compare_and_set(
        &self,
        key: &[u8],
        expected: Option<&[u8]>,
        new: &[u8],
    ) -> Result<bool, SlotError> {
        let version = self.update(key, |old| (old == expected).then(|| new.to_vec()))?;
        Ok(version.is_some())
    }

    fn check_len(&self, value: &[u8]) -> Result<(), SlotError> {
        if value.len() > self.value_bytes {
            return Err(SlotError::ValueTooLarge {
                len: value.len(),
                max: self.value_bytes,
            });
        }
        Ok(())
    }

    /// The live row behind a handle.
    fn look<T>(
        &self,
        row: Row,
        mut read: impl FnMut(buffers::Buffer<'_>) -> T,
    ) -> Result<(Found, T), SlotError> {
        // A handle of another, larger table is as stale as one whose key was removed.
        let index = row.index as usize;
        let place = self.index.places.get(index).ok_or(SlotError::Stale)?;
        let (pointer, (header, seen)) = self
            .buffers
            .look(&place.pointer, |buffer| (buffer.header(), read(buffer)));
        if !header.live || header.born != row.born {
            return Err(SlotError::Stale);
        }
        let found = Found {
            row: index,
            pointer,
            header,
        };
        Ok((found, seen))
    }

    /// Replaces what was found by `value`; `None` when something else was written since.
    fn commit(&self, found: &Found, key: &Key, value: &[u8]) -> Option<u64> {
        let header = Header {
            version: found.header.version + 1,
            ..found.header
        };
        let place = &self.index.places[found.row].pointer;
        self.buffers
            .take()
            .publish(place, found.pointer, header, key, value)
            .then_some(header.version)
    }
}

impl Found {
    fn handle(&self) -> Row {
        Row {
            index: self.row as u32,
            born: self.header.born,
        }
    }
}
