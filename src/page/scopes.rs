//! The scopes of one shard: who is a member, which shared rows they show, what is stale.

use std::hash::BuildHasher;

use autovia_shards::{NameId, Names, Row};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::collections::hash_map::RandomState;
use std::rc::Rc;

use super::load::LoadTable;
use crate::state::SharedTable;

/// What an invalidation says about a scope; bits.
pub(crate) mod stale {
    /// Its views, and the loads that hang on it.
    pub const RENDER: u8 = 1;
    /// Its shared values.
    pub const VALUES: u8 = 2;
    /// It stands in the shard's list.
    pub const LISTED: u8 = 128;
}

#[derive(Clone, Copy)]
pub(crate) struct Member {
    pub context: u32,
    pub membership: u16,
}

/// A shared signal of one scope on this shard.
pub(crate) struct SharedRow {
    pub name: &'static str,
    /// `None`: the table was full when it was asked for.
    pub row: Option<Row>,
    /// The version that this shard told its members last.
    pub told: u64,
    /// The turn in which `told` changed.
    pub changed_in: u64,
}

/// Most scopes are a session's or a page's own path, with a member or two and nothing shared: what
/// they don't use takes no room.
pub(crate) struct ScopeEntry {
    pub members: SmallVec<[Member; 2]>,
    pub shared: Vec<SharedRow>,
    pub stale: u8,
    /// No render before this, in the shard's milliseconds.
    pub next_ms: u64,
    pub loads: Vec<Rc<LoadTable>>,
    /// Renders that its rate held back in a row: a loop is told to the log once.
    pub held: u32,
    /// A scope without members lives until this, for its shared values; 0 is not at all.
    pub linger_until_ms: u64,
    /// Its shared values live as long as the process.
    pub kept: bool,
}

/// Whether the shared values of a scope outlive its last member on this shard.
#[derive(Clone, Copy)]
pub(crate) enum Linger {
    No,
    UntilMs(u64),
    ForEver,
}

/// How often the lingering scopes are looked at.
const EXPIRE_EVERY_MS: u64 = 1000;

/// All scopes that have a member on this shard.
pub(crate) struct Scopes {
    pub names: Names,
    pub entries: HashMap<NameId, Box<ScopeEntry>>,
    by_hash: HashMap<u64, NameId>,
    /// Those whose hash another one had already: as good as none.
    colliding: Vec<(u64, NameId)>,
    hasher: RandomState,
    lingering: Vec<NameId>,
    next_expire_ms: u64,
}

impl Scopes {
    /// `hasher` is the same on all shards of a process.
    pub fn new(hasher: RandomState) -> Self {
        Self {
            names: Names::new(),
            entries: HashMap::new(),
            by_hash: HashMap::new(),
            colliding: Vec::new(),
            hasher,
            lingering: Vec::new(),
            next_expire_ms: 0,
        }
    }

    pub fn hash(&self, name: &str) -> u64 {
        self.hasher.hash_one(name)
    }

    /// The scopes that an invalidation means; more than one only if hashes collide.
    pub fn by_hash(&self, hash: u64) -> SmallVec<[NameId; 1]> {
        let colliding = self.colliding.iter().filter(|(other, _)| *other == hash);
        let first = self.by_hash.get(&hash).copied();
        first
            .into_iter()
            .chain(colliding.map(|(_, id)| *id))
            .collect()
    }

    /// Adds a member and gives the scope's id and the place among the members.
    pub fn join(&mut self, name: &str, member: Member) -> (NameId, u32) {
        let id = self.names.acquire(name);
        if !self.entries.contains_key(&id) {
            let hash = self.hasher.hash_one(name);
            match self.by_hash.entry(hash) {
                Entry::Vacant(place) => {
                    place.insert(id);
                }
                Entry::Occupied(_) => self.colliding.push((hash, id)),
            }
        }
        let entry = self.entries.entry(id).or_insert_with(|| {
            Box::new(ScopeEntry {
                members: SmallVec::new(),
                shared: Vec::new(),
                stale: 0,
                next_ms: 0,
                loads: Vec::new(),
                held: 0,
                linger_until_ms: 0,
                kept: false,
            })
        });
        entry.linger_until_ms = 0;
        entry.members.push(member);
        (
            id,
            u32::try_from(entry.members.len() - 1).expect("members fit 32 bits"),
        )
    }

    /// Takes a member out; `moved` is told of the one that now stands in its place. The scope is
    /// freed with its last member, unless `linger` keeps its values.
    pub fn leave(
        &mut self,
        id: NameId,
        position: u32,
        linger: Linger,
        shared: &SharedTable,
        moved: impl FnOnce(Member, u32),
    ) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        entry.members.swap_remove(position as usize);
        if let Some(other) = entry.members.get(position as usize) {
            moved(*other, position);
        }
        if entry.members.capacity() > 64 && entry.members.len() * 4 < entry.members.capacity() {
            entry.members.shrink_to_fit();
        }
        if entry.members.is_empty() && !entry.shared.is_empty() && !entry.kept {
            // The name stays acquired once for the values that outlive the members.
            match linger {
                Linger::No => {}
                Linger::UntilMs(until) => {
                    entry.linger_until_ms = until;
                    self.names.retain(id);
                    self.lingering.push(id);
                }
                Linger::ForEver => {
                    entry.kept = true;
                    self.names.retain(id);
                }
            }
        }
        self.release(id, shared);
    }

    /// Gives one use of the name back; the last one frees the entry and its rows.
    fn release(&mut self, id: NameId, shared: &SharedTable) {
        let hash = self.hasher.hash_one(self.names.name(id));
        if !self.names.release(id) {
            return;
        }
        if let Some(entry) = self.entries.remove(&id) {
            for row in entry.shared.into_iter().filter_map(|shared| shared.row) {
                shared.release(row);
            }
        }
        self.colliding.retain(|(_, other)| *other != id);
        if self.by_hash.get(&hash) == Some(&id) {
            let next = self.colliding.iter().position(|(other, _)| *other == hash);
            match next.map(|next| self.colliding.swap_remove(next)) {
                Some((_, other)) => self.by_hash.insert(hash, other),
                None => self.by_hash.remove(&hash),
            };
        }
        if self.entries.capacity() > 1024 && self.entries.len() * 8 < self.entries.capacity() {
            self.entries.shrink_to_fit();
            self.by_hash.shrink_to_fit();
        }
    }

    /// Frees what has lingered long enough.
    pub fn expire(&mut self, now_ms: u64, shared: &SharedTable) {
        if now_ms < self.next_expire_ms {
            return;
        }
        self.next_expire_ms = now_ms + EXPIRE_EVERY_MS;
        let mut index = 0;
        while index < self.lingering.len() {
            let id = self.lingering[index];
            let keep = self
                .entries
                .get(&id)
                .is_some_and(|entry| entry.linger_until_ms > now_ms);
            if keep {
                index += 1;
            } else {
                self.lingering.swap_remove(index);
                self.release(id, shared);
            }
        }
    }
}
