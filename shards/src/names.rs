//! Strings as small numbers, counted, and freed with their last user.
//!
//! **Invariant.** A [`NameId`] stands for its name from the `acquire` that made it until the `release`
//! that matched the last `acquire` or `retain`; then the number may be given to another name. Entries
//! live in chunks; a chunk without entries holds no memory, and new names go to the lowest chunk that
//! has room, so that after a peak the high chunks empty.
//!
//! **Who.** One thread; no atomics.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

const CHUNK: usize = 64;

/// A name of one [`Names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameId(u32);

impl NameId {
    /// The number itself, for tables by name. Numbers are dense: freed ones are given again first.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

struct Entry {
    name: Box<str>,
    users: u32,
    hash: u64,
}

#[derive(Default)]
struct Chunk {
    entries: Vec<Option<Entry>>,
    used: usize,
}

/// Interned names with a count of users each.
///
/// ```
/// let mut names = autovia_shards::Names::new();
/// let room = names.acquire("room:7");
/// assert_eq!(names.acquire("room:7"), room);
/// assert_eq!(names.name(room), "room:7");
/// assert!(!names.release(room));
/// assert!(names.release(room));
/// assert_eq!(names.find("room:7"), None);
/// ```
#[derive(Default)]
pub struct Names {
    chunks: Vec<Chunk>,
    /// Chunks that are there and have room.
    roomy: BTreeSet<u32>,
    by_name: HashTable<u32>,
    hasher: RandomState,
}

impl Names {
    /// No names.
    pub fn new() -> Self {
        Self::default()
    }

    /// The id of `name`, with one more user.
    pub fn acquire(&mut self, name: &str) -> NameId {
        let hash = self.hasher.hash_one(name);
        if let Some(id) = self.find_hashed(hash, name) {
            self.retain(id);
            return id;
        }
        let id = self.insert(Entry {
            name: name.into(),
            users: 1,
            hash,
        });
        let Self {
            by_name, chunks, ..
        } = self;
        by_name.insert_unique(hash, id.0, |&id| entry(chunks, NameId(id)).hash);
        id
    }

    /// The id of `name`, if it has users.
    pub fn find(&self, name: &str) -> Option<NameId> {
        self.find_hashed(self.hasher.hash_one(name), name)
    }

    /// One more user of `id`.
    ///
    /// # Panics
    /// When `id` stands for no name, or has 2^32 - 1 users.
    pub fn retain(&mut self, id: NameId) {
        let entry = entry_mut(&mut self.chunks, id);
        entry.users = entry
            .users
            .checked_add(1)
            .expect("a name has at most 2^32 - 1 users: release what is no longer used");
    }

    /// One user less; true when it was the last, and the name is gone.
    ///
    /// # Panics
    /// When `id` stands for no name.
    pub fn release(&mut self, id: NameId) -> bool {
        let entry = entry_mut(&mut self.chunks, id);
        entry.users -= 1;
        if entry.users > 0 {
            return false;
        }
        let hash = entry.hash;
        if let Ok(found) = self.by_name.find_entry(hash, |&other| other == id.0) {
            found.remove();
        }
        self.remove(id);
        let Self {
            by_name, chunks, ..
        } = self;
        if by_name.capacity() > 4 * by_name.len().max(CHUNK) {
            by_name.shrink_to(2 * by_name.len(), |&id| entry_of(chunks, id).hash);
        }
        true
    }

    /// The name of `id`.
    ///
    /// # Panics
    /// When `id` stands for no name.
    pub fn name(&self, id: NameId) -> &str {
        &entry(&self.chunks, id).name
    }

    /// How many names have users.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether no name has users.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// All names, by their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (NameId, &str)> {
        self.chunks.iter().enumerate().flat_map(|(chunk, inside)| {
            inside
                .entries
                .iter()
                .enumerate()
                .filter_map(move |(place, entry)| {
                    let id = u32::try_from(chunk * CHUNK + place).ok()?;
                    Some((NameId(id), &*entry.as_ref()?.name))
                })
        })
    }

    fn find_hashed(&self, hash: u64, name: &str) -> Option<NameId> {
        self.by_name
            .find(hash, |&id| &*entry_of(&self.chunks, id).name == name)
            .map(|&id| NameId(id))
    }

    fn insert(&mut self, entry: Entry) -> NameId {
        let chunk = match self.roomy.first() {
            Some(&chunk) => chunk,
            None => {
                let chunk = u32::try_from(self.chunks.len()).unwrap_or(u32::MAX);
                assert!(
                    (chunk as usize) < (u32::MAX as usize) / CHUNK,
                    "at most 2^32 - {CHUNK} names at once"
                );
                self.chunks.push(Chunk::default());
                self.roomy.insert(chunk);
                chunk
            }
        };
        let inside = &mut self.chunks[chunk as usize];
        let place = match inside.entries.iter().position(Option::is_none) {
            Some(place) => {
                inside.entries[place] = Some(entry);
                place
            }
            None => {
                inside.entries.push(Some(entry));
                inside.entries.len() - 1
            }
        };
        inside.used += 1;
        if inside.used == CHUNK {
            self.roomy.remove(&chunk);
        }
        NameId(chunk * CHUNK as u32 + place as u32)
    }

    fn remove(&mut self, id: NameId) {
        let chunk = id.index() / CHUNK;
        let inside = &mut self.chunks[chunk];
        inside.entries[id.index() % CHUNK] = None;
        inside.used -= 1;
        if inside.used == 0 {
            inside.entries = Vec::new();
        }
        self.roomy.insert(chunk as u32);
        while self.chunks.last().is_some_and(|last| last.used == 0) {
            self.chunks.pop();
            self.roomy.remove(&(self.chunks.len() as u32));
        }
        if self.chunks.capacity() > 4 * self.chunks.len().max(CHUNK) {
            self.chunks.shrink_to(2 * self.chunks.len());
        }
    }
}

fn entry(chunks: &[Chunk], id: NameId) -> &Entry {
    chunks
        .get(id.index() / CHUNK)
        .and_then(|chunk| chunk.entries.get(id.index() % CHUNK)?.as_ref())
        .unwrap_or_else(|| panic!("{id:?} stands for no name: it was released by its last user"))
}

fn entry_of(chunks: &[Chunk], id: u32) -> &Entry {
    entry(chunks, NameId(id))
}

fn entry_mut(chunks: &mut [Chunk], id: NameId) -> &mut Entry {
    chunks
        .get_mut(id.index() / CHUNK)
        .and_then(|chunk| chunk.entries.get_mut(id.index() % CHUNK)?.as_mut())
        .unwrap_or_else(|| panic!("{id:?} stands for no name: it was released by its last user"))
}
