//! Contexts come and go, join scopes and leave them; scopes are marked stale and swept.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use autovia_shards::NameId;

use super::context::{Context, Life, Membership};
use super::ctx::Ctx;
use super::definition::{GLOBAL, ROUTE, SESSION};
use super::engine::Engine;
use super::load::LoadTable;
use super::scopes::{Linger, Member, SharedRow};
use crate::scope::{OwnScope, Scope};
use crate::wire::id::ContextId;

/// How long the shared values of a session outlive its last page.
const SESSION_LINGER_MS: u64 = 30 * 60 * 1000;

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
        let route = Scope::route(&new.path);
        let path = self.known_path(&route, new.path);
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
                path,
                new.params,
                page.loads.len(),
            ));
            Rc::clone(entry.insert(context))
        };
        self.by_id.borrow_mut().insert(new.id.random, context.key);
        page.population.set(page.population.get() + 1);
        self.join(&context, &Scope::GLOBAL);
        self.join(&context, &route);
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

    /// The path as a member of its route has it already: one text for all.
    fn known_path(&self, route: &Scope, path: Rc<str>) -> Rc<str> {
        let scopes = self.scopes.borrow();
        let contexts = self.contexts.borrow();
        let id = scopes.names.find(route.as_str());
        let members = id.and_then(|id| Some(&scopes.entries.get(&id)?.members));
        let other = members
            .and_then(|members| members.first())
            .and_then(|member| contexts.get(member.context as usize))
            .filter(|other| *other.path() == *path);
        other.map_or(path, |other| Rc::clone(other.shared_path()))
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
        let mut memberships = std::mem::take(&mut *context.memberships.borrow_mut());
        let now = self.now_ms();
        for index in 0..memberships.len() {
            let membership = memberships[index];
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
                    // It may be a member twice: two of its joins may give the same scope.
                    if moved.context == context.key {
                        memberships[usize::from(moved.membership)].position = position;
                    } else if let Some(other) = self.contexts.borrow().get(moved.context as usize) {
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

    /// All scopes that `context` has joined.
    pub fn scope_names(&self, context: &Context) -> Vec<String> {
        let scopes = self.scopes.borrow();
        let memberships = context.memberships.borrow();
        let name = |joined: &Membership| scopes.names.name(joined.scope).to_owned();
        memberships.iter().map(name).collect()
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

    /// The members of a scope, if they are at most so many.
    pub fn few_members_of(&self, scope: &Scope, most: usize) -> Vec<Rc<Context>> {
        let scopes = self.scopes.borrow();
        let id = scopes.names.find(scope.as_str());
        let entry = id.and_then(|id| scopes.entries.get(&id));
        let few = entry.filter(|entry| entry.members.len() <= most);
        few.map_or_else(Vec::new, |entry| {
            let members = entry.members.iter();
            members
                .filter_map(|member| self.context(member.context))
                .collect()
        })
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
