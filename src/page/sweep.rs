//! Scopes become stale, and their members are marked: what an invalidation means on this shard.

use std::rc::Rc;

use autovia_shards::NameId;

use super::context::{ALL_VIEWS, dirty, slot_bit};
use super::engine::{Deferred, Engine, Refresh};
use super::scopes::stale;
use crate::scope::Scope;

/// Renders held back in a row before a scope that broadcasts itself is told to the log.
const HELD_WARN: u32 = 300;

/// What a stale scope means to a context.
#[derive(Clone, Copy, Default)]
struct Verdict {
    /// Bits of [`dirty`], views aside.
    bits: u8,
    /// Views to be rendered, as bits.
    views: u64,
}

impl Engine {
    /// Invalidates `scope` here and, at the end of the turn, everywhere else.
    pub fn broadcast(&self, scope: &Scope) {
        self.broadcast_here(scope);
        if self.crossing.allows(scope) {
            self.tell_others(|outgoing| {
                outgoing.published.insert(scope.as_str().to_owned());
            });
        }
    }

    /// Invalidates `scope` on all shards of this node.
    pub fn broadcast_here(&self, scope: &Scope) {
        self.invalidate(scope);
        let hash = self.scopes.borrow().hash(scope.as_str());
        self.tell_others(|outgoing| {
            if scope.is_wildcard() {
                outgoing.names.insert(scope.as_str().to_owned());
            } else {
                outgoing.invalidations.insert((stale::RENDER, hash));
            }
        });
    }

    /// Invalidates `scope` on this shard.
    pub fn invalidate(&self, scope: &Scope) {
        let ids: Vec<NameId> = {
            let scopes = self.scopes.borrow();
            if scope.is_wildcard() {
                let ids = scopes.entries.keys().copied();
                ids.filter(|id| scope.matches(scopes.names.name(*id)))
                    .collect()
            } else {
                scopes.names.find(scope.as_str()).into_iter().collect()
            }
        };
        for id in ids {
            self.mark(id, stale::RENDER);
        }
    }

    /// Invalidates what another shard named by its hash.
    pub fn invalidate_hash(&self, kind: u8, hash: u64) {
        let ids = self.scopes.borrow().by_hash(hash);
        for id in ids {
            self.mark(id, kind & (stale::RENDER | stale::VALUES));
        }
    }

    /// Invalidates all: more was missed than could be named.
    pub fn invalidate_everything(&self) {
        let ids: Vec<NameId> = self.scopes.borrow().entries.keys().copied().collect();
        for id in ids {
            self.mark(id, stale::RENDER | stale::VALUES);
        }
    }

    pub(super) fn mark(&self, id: NameId, bits: u8) {
        let mut scopes = self.scopes.borrow_mut();
        let Some(entry) = scopes.entries.get_mut(&id) else {
            return;
        };
        let listed = entry.stale & stale::LISTED != 0;
        entry.stale |= bits | stale::LISTED;
        drop(scopes);
        if !listed {
            self.stale_scopes.borrow_mut().push(id);
            self.nudge();
        }
    }

    /// Marks what the stale scopes concern; scopes above their rate wait.
    pub fn sweep(&self) {
        let now = self.now_ms();
        self.take_due(now);
        let ids = std::mem::take(&mut *self.stale_scopes.borrow_mut());
        for id in ids {
            self.sweep_scope(id, now);
        }
        self.scopes.borrow_mut().expire(now, &self.shared);
    }

    fn take_due(&self, now: u64) {
        loop {
            let due = {
                let mut deferred = self.deferred.borrow_mut();
                match deferred.first_entry() {
                    Some(entry) if entry.key().0 <= now => entry.remove(),
                    _ => return,
                }
            };
            match due {
                Deferred::Scope(id) => self.stale_scopes.borrow_mut().push(id),
                Deferred::Context(key) => {
                    let put_off = self
                        .context(key)
                        .filter(|context| context.has(dirty::PUT_OFF));
                    if let Some(context) = put_off {
                        context.dirty.set(context.dirty.get() & !dirty::PUT_OFF);
                        self.list(&context, 0);
                    }
                }
            }
        }
    }

    fn sweep_scope(&self, id: NameId, now: u64) {
        let turn = self.turn();
        let mut scopes = self.scopes.borrow_mut();
        let scopes = &mut *scopes;
        let Some(entry) = scopes.entries.get_mut(&id) else {
            return;
        };
        if now < entry.next_ms {
            entry.held += 1;
            if entry.held == HELD_WARN {
                let scope = scopes.names.name(id);
                tracing::warn!(
                    scope,
                    "a scope has been broadcast faster than --scope-rate for a while: it is rendered at that rate"
                );
            }
            self.defer(entry.next_ms, Deferred::Scope(id));
            return;
        }
        if now > entry.next_ms + 1000 {
            entry.held = 0;
        }
        entry.next_ms = now + self.interval_ms;
        let bits = std::mem::replace(&mut entry.stale, 0);
        if bits & stale::VALUES != 0 {
            for row in &mut entry.shared {
                if let Some(version) = row.row.and_then(|row| self.shared.version(row))
                    && version != row.told
                {
                    (row.told, row.changed_in) = (version, turn);
                }
            }
        }
        let changed: Vec<&str> = entry
            .shared
            .iter()
            .filter(|row| row.changed_in == turn)
            .map(|row| row.name)
            .collect();
        let mut verdicts: Vec<(u16, u16, Verdict)> = Vec::new();
        let mut loaded: Vec<u16> = Vec::new();
        for member in &entry.members {
            let contexts = self.contexts.borrow();
            let Some(context) = contexts.get(member.context as usize) else {
                continue;
            };
            let known = verdicts.iter().find(|(page, membership, _)| {
                *page == context.page && *membership == member.membership
            });
            let verdict = if let Some((_, _, verdict)) = known {
                *verdict
            } else {
                let verdict = self.verdict(context.page, member.membership, bits, &changed);
                verdicts.push((context.page, member.membership, verdict));
                if bits & stale::RENDER != 0
                    && self.page(context.page).loads_on(member.membership)
                    && !loaded.contains(&context.page)
                {
                    loaded.push(context.page);
                }
                verdict
            };
            if verdict.bits != 0 {
                self.list(context, verdict.bits);
            }
            self.list_views(context, verdict.views);
        }
        if bits & stale::RENDER != 0 {
            for table in &entry.loads {
                table.invalidate();
                if loaded.contains(&table.page) {
                    self.refreshes.borrow_mut().push(Refresh {
                        scope: id,
                        table: Rc::clone(table),
                    });
                }
            }
        }
    }

    /// What a stale scope means to the contexts of one page.
    fn verdict(&self, page: u16, membership: u16, bits: u8, changed: &[&str]) -> Verdict {
        let page = self.page(page);
        let mut verdict = Verdict::default();
        // With a load on this scope the old rendering stays until the new data is there.
        if bits & stale::RENDER != 0 && !page.loads_on(membership) {
            verdict.views = ALL_VIEWS;
        }
        for (index, shared) in page.shared.iter().enumerate() {
            if shared.membership == membership && changed.contains(&shared.name) {
                verdict.bits |= dirty::SHARED;
                let bit = slot_bit(u16::try_from(index).unwrap_or(u16::MAX));
                verdict.views |= page.views_where(|cache| cache.shared_read.get() & bit != 0);
            }
        }
        verdict
    }
}
