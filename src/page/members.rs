//! Contexts come and go, join scopes and leave them; scopes are marked stale and swept.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use autovia_shards::NameId;

use super::context::{Context, Life, Membership, dirty, slot_bit};
use super::ctx::Ctx;
use super::definition::{GLOBAL, ROUTE, SESSION};
use super::engine::{Deferred, Engine, Refresh};
use super::load::LoadTable;
use super::scopes::{Linger, Member, SharedRow, stale};
use crate::scope::{OwnScope, Scope};
use crate::wire::id::ContextId;

/// How long the shared values of a session outlive its last page.
const SESSION_LINGER_MS: u64 = 30 * 60 * 1000;

/// Renders held back in a row before a scope that broadcasts itself is told to the log.
const HELD_WARN: u32 = 300;

/// What a context is made of.
pub(crate) struct NewContext {
    pub page: u16,
    pub id: ContextId,
    pub session_hash: [u8; 16],
    pub path: Rc<str>,
    pub params: Box<[Box<str>]>,
}

impl Engine {
    /// Makes a context, which joins its scopes before anything is rendered, so that no change
    /// between page and stream is lost.
    ///
    /// # Errors
    /// When a join of the page panicked; nothing of the context is left then.
    pub fn create(self: &Rc<Self>, new: NewContext) -> Result<Rc<Context>, String> {
        let page = self.page(new.page);
        let context = {
            let mut contexts = self.contexts.borrow_mut();
            let entry = contexts.vacant_entry();
            let key = u32::try_from(entry.key()).expect("contexts fit 32 bits");
            let context = Rc::new(Context::new(
                new.id,
                key,
                new.page,
                self.next_serial(),
                new.session_hash,
                new.path,
                new.params,
                page.loads.len(),
            ));
            Rc::clone(entry.insert(context))
        };
        self.by_id.borrow_mut().insert(new.id.random, context.key);
        page.population.set(page.population.get() + 1);
        self.join(&context, &Scope::GLOBAL);
        self.join(&context, &Scope::route(context.path()));
        self.join(&context, &Scope::session(context.session_hash()));
        let ctx = Ctx::new(self, &context);
        for join in &page.joins {
            match catch_unwind(AssertUnwindSafe(|| join(&ctx))) {
                Ok(scope) => self.join(&context, &scope),
                Err(_) => {
                    self.remove(&context);
                    return Err("a join of this page panicked".to_owned());
                }
            }
        }
        self.acquire_rows(&context);
        Ok(context)
    }

    fn join(&self, context: &Rc<Context>, scope: &Scope) {
        let mut memberships = context.memberships.borrow_mut();
        let member = Member {
            context: context.key,
            membership: u16::try_from(memberships.len()).expect("memberships fit 16 bits"),
        };
        let (scope, position) = self.scopes.borrow_mut().join(scope.as_str(), member);
        memberships.push(Membership { scope, position });
    }

    /// Each scope on this shard counts once as a user of each row that its members show.
    fn acquire_rows(&self, context: &Context) {
        let page = self.page(context.page);
        for def in &page.shared {
            let Some(id) = context
                .memberships
                .borrow()
                .get(usize::from(def.membership))
                .map(|m| m.scope)
            else {
                continue;
            };
            let mut scopes = self.scopes.borrow_mut();
            let name = scopes.names.name(id).to_owned();
            let Some(entry) = scopes.entries.get_mut(&id) else {
                continue;
            };
            let known = entry.shared.iter().position(|row| row.name == def.name);
            if known.is_some_and(|index| entry.shared[index].row.is_some()) {
                continue;
            }
            let row = match self.shared.acquire(&name, def.name, || (def.init)()) {
                Ok(row) => Some(row),
                Err(error) => {
                    tracing::warn!(signal = def.name, %error, "a shared signal got no row");
                    None
                }
            };
            let told = row.and_then(|row| self.shared.version(row)).unwrap_or(0);
            let shared = SharedRow {
                name: def.name,
                row,
                told,
                changed_in: 0,
            };
            match known {
                Some(index) => entry.shared[index] = shared,
                None => entry.shared.push(shared),
            }
        }
        if !page.shared.is_empty() {
            self.warn_when_filling();
        }
    }

    /// Takes a context out of everything. What still holds it may read and write it, unseen.
    pub fn remove(&self, context: &Context) {
        context.life.set(Life::Gone);
        if self.by_id.borrow_mut().remove(&context.id.random).is_none() {
            return;
        }
        let page = self.page(context.page);
        page.population.set(page.population.get() - 1);
        let memberships = std::mem::take(&mut *context.memberships.borrow_mut());
        let now = self.now_ms();
        for (index, membership) in memberships.iter().enumerate() {
            let linger = match u16::try_from(index) {
                Ok(GLOBAL | ROUTE) => Linger::ForEver,
                Ok(SESSION) => Linger::UntilMs(now + SESSION_LINGER_MS),
                _ => Linger::No,
            };
            let mut scopes = self.scopes.borrow_mut();
            scopes.leave(
                membership.scope,
                membership.position,
                linger,
                &self.shared,
                |moved, position| {
                    if moved.context == context.key {
                        return;
                    }
                    if let Some(other) = self.contexts.borrow().get(moved.context as usize) {
                        other.memberships.borrow_mut()[usize::from(moved.membership)].position =
                            position;
                    }
                },
            );
        }
        let mut contexts = self.contexts.borrow_mut();
        contexts.remove(context.key as usize);
        if contexts.capacity() > 4096 && contexts.len() * 4 < contexts.capacity() {
            contexts.shrink_to_fit();
            self.by_id.borrow_mut().shrink_to_fit();
        }
    }

    pub(super) fn scope_name(&self, context: &Context, membership: u16) -> String {
        let id = context
            .memberships
            .borrow()
            .get(usize::from(membership))
            .map(|m| m.scope);
        id.map_or_else(String::new, |id| {
            self.scopes.borrow().names.name(id).to_owned()
        })
    }

    pub(super) fn scope_of(&self, context: &Context, membership: u16) -> Scope {
        Scope::parse(&self.scope_name(context, membership)).unwrap_or(Scope::GLOBAL)
    }

    pub(super) fn own_scope(&self, context: &Context, own: OwnScope) -> Scope {
        match own {
            OwnScope::Route => Scope::route(context.path()),
            OwnScope::Session => Scope::session(context.session_hash()),
        }
    }

    /// How many contexts of this shard are members of `scope`.
    pub fn members_of(&self, scope: &Scope) -> Vec<u32> {
        let scopes = self.scopes.borrow();
        let id = scopes.names.find(scope.as_str());
        let entry = id.and_then(|id| scopes.entries.get(&id));
        entry.map_or_else(Vec::new, |entry| {
            entry.members.iter().map(|member| member.context).collect()
        })
    }

    /// Invalidates `scope` here and, at the end of the turn, everywhere else.
    pub fn broadcast(&self, scope: &Scope) {
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
                Deferred::Context(key) => self.dirty.borrow_mut().push(key),
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
        let mut verdicts: Vec<(u16, u16, u8)> = Vec::new();
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
            if verdict != 0 {
                self.list(context, verdict);
            }
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
    fn verdict(&self, page: u16, membership: u16, bits: u8, changed: &[&str]) -> u8 {
        let page = self.page(page);
        let mut verdict = 0;
        // With a load on this scope the old rendering stays until the new data is there.
        if bits & stale::RENDER != 0 && !page.loads_on(membership) {
            verdict |= dirty::VIEW;
        }
        for (index, shared) in page.shared.iter().enumerate() {
            if shared.membership == membership && changed.contains(&shared.name) {
                verdict |= dirty::SHARED;
                let bit = slot_bit(u16::try_from(index).unwrap_or(u16::MAX));
                if page
                    .caches
                    .iter()
                    .any(|cache| cache.shared_read.get() & bit != 0)
                {
                    verdict |= dirty::VIEW;
                }
            }
        }
        verdict
    }

    /// The results of one load in the scope of `context`.
    pub fn load_table(&self, context: &Context, load: u16) -> Option<Rc<LoadTable>> {
        let membership = self.page(context.page).loads[usize::from(load)].membership;
        let id = context
            .memberships
            .borrow()
            .get(usize::from(membership))?
            .scope;
        let mut scopes = self.scopes.borrow_mut();
        let entry = scopes.entries.get_mut(&id)?;
        let known = entry
            .loads
            .iter()
            .find(|table| table.page == context.page && table.load == load);
        Some(known.cloned().unwrap_or_else(|| {
            let table = Rc::new(LoadTable::new(context.page, load));
            entry.loads.push(Rc::clone(&table));
            table
        }))
    }

    /// The members of `scope` that are contexts of `page`.
    pub fn members_on_page(&self, scope: NameId, page: u16) -> Vec<Rc<Context>> {
        let scopes = self.scopes.borrow();
        let contexts = self.contexts.borrow();
        let members = scopes
            .entries
            .get(&scope)
            .map(|entry| entry.members.as_slice())
            .unwrap_or_default();
        let members = members
            .iter()
            .filter_map(|member| contexts.get(member.context as usize));
        members
            .filter(|context| context.page == page)
            .cloned()
            .collect()
    }
}
