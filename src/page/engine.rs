//! The engine of one shard: its pages, its contexts, its scopes, and what is stale.

use std::any::{Any, TypeId};
use std::cell::{Cell, OnceCell, RefCell, RefMut};
use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use autovia_shards::{NameId, SlotTable};
use slab::Slab;
use std::collections::HashMap;

use super::app::{Extras, Lane};
use super::context::{Context, dirty};
use super::definition::PageDef;
use super::error::{Error, Result};
use super::host::Host;
use super::load::LoadTable;
use super::patches::Patch;
use super::scopes::Scopes;
use super::templates;
use crate::peers::Peers;
use crate::scope::Crossing;
use crate::state::{GlobalState, SharedTable};
use crate::wire::id::ContextId;

/// What has to be told to other shards, merged until the end of the turn.
#[derive(Default)]
pub(crate) struct Outgoing {
    /// Kind and keyed hash of a scope.
    pub invalidations: BTreeSet<(u8, u64)>,
    /// Wildcards, which have to be named.
    pub names: BTreeSet<String>,
    /// Scopes for the other nodes, which can't use a hash.
    pub published: BTreeSet<String>,
}

/// A load that has to run again for the members of a scope.
pub(crate) struct Refresh {
    pub scope: NameId,
    pub table: Rc<LoadTable>,
}

/// By scope, page and join: the id of a patch, and the patch.
pub(super) type SharedPatches = HashMap<(NameId, u16, usize), (u64, Patch)>;

pub(super) enum Deferred {
    Scope(NameId),
    Context(u32),
}

/// What differs between engines of one process, and what all share.
pub(crate) struct EngineParts {
    pub shard: u16,
    pub shards: u16,
    pub node: u32,
    pub scope_rate: u32,
    pub crossing: Crossing,
    /// The same on all shards.
    pub hasher: RandomState,
    pub globals: Arc<SlotTable>,
    pub shared: Arc<SlotTable>,
}

pub(crate) struct Engine {
    pub shard: u16,
    pub shards: u16,
    pub node: u32,
    /// Milliseconds between two renders of one scope; 0 is no limit.
    pub(super) interval_ms: u64,
    pub(super) crossing: Crossing,
    hasher: RandomState,
    globals: GlobalState,
    pub(super) shared: SharedTable,
    host: OnceCell<Rc<dyn Host>>,
    pages: RefCell<Vec<Rc<PageDef>>>,
    extras: RefCell<Extras>,
    data: RefCell<HashMap<TypeId, &'static dyn Any>>,
    templates: RefCell<Rc<minijinja::Environment<'static>>>,
    pub(super) contexts: RefCell<Slab<Rc<Context>>>,
    pub(super) by_id: RefCell<HashMap<[u8; 12], u32>>,
    pub(super) scopes: RefCell<Scopes>,
    pub(super) stale_scopes: RefCell<Vec<NameId>>,
    pub(super) dirty: RefCell<Vec<u32>>,
    /// This turn's patches of shared values.
    pub(super) shared_patches: RefCell<SharedPatches>,
    pub(super) deferred: RefCell<BTreeMap<(u64, u64), Deferred>>,
    pub(super) refreshes: RefCell<Vec<Refresh>>,
    outgoing: RefCell<Outgoing>,
    turn: Cell<u64>,
    event_id: Cell<u64>,
    serial: Cell<u64>,
    scratch: RefCell<Vec<u8>>,
    full_warned: Cell<bool>,
}

impl Engine {
    pub fn new(parts: EngineParts) -> Rc<Self> {
        Rc::new(Self {
            shard: parts.shard,
            shards: parts.shards,
            node: parts.node,
            interval_ms: if parts.scope_rate == 0 {
                0
            } else {
                u64::from(1000 / parts.scope_rate.min(1000))
            },
            crossing: parts.crossing,
            hasher: parts.hasher.clone(),
            globals: GlobalState::new(parts.globals),
            shared: SharedTable::new(parts.shared),
            host: OnceCell::new(),
            pages: RefCell::default(),
            extras: RefCell::default(),
            data: RefCell::default(),
            templates: RefCell::new(Rc::new(templates::environment())),
            contexts: RefCell::default(),
            by_id: RefCell::default(),
            scopes: RefCell::new(Scopes::new(parts.hasher)),
            stale_scopes: RefCell::default(),
            dirty: RefCell::default(),
            shared_patches: RefCell::default(),
            deferred: RefCell::default(),
            refreshes: RefCell::default(),
            outgoing: RefCell::default(),
            turn: Cell::new(1),
            event_id: Cell::new(0),
            serial: Cell::new(0),
            scratch: RefCell::default(),
            full_warned: Cell::new(false),
        })
    }

    /// Gives the engine its shard; before that only definitions are possible.
    pub fn attach(&self, host: Rc<dyn Host>) {
        self.host.set(host).ok().expect("an engine has one shard");
    }

    pub(super) fn host(&self) -> &Rc<dyn Host> {
        self.host
            .get()
            .expect("an app's verbs work once its server runs, not while it is defined")
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.host().now_ms()
    }

    pub(super) fn nudge(&self) {
        self.host().nudge();
    }

    pub fn lanes(&self) -> Vec<Lane> {
        self.host.get().map(|host| host.lanes()).unwrap_or_default()
    }

    pub fn peers(&self) -> Arc<Peers> {
        self.host().peers()
    }

    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let outcome = self
            .host()
            .blocking(Box::new(move || Box::new(work())))
            .await;
        let value = outcome.map_err(Error::new)?;
        Ok(*value.downcast().expect("the job's own type"))
    }

    pub(super) fn next_page_index(&self) -> u16 {
        u16::try_from(self.pages.borrow().len()).expect("an app has at most 65,536 pages")
    }

    pub(super) fn add_page(&self, def: PageDef) {
        let inputs: Vec<&str> = def
            .slots
            .iter()
            .filter(|slot| slot.check.is_some())
            .map(|slot| slot.name)
            .chain(
                def.shared
                    .iter()
                    .filter(|shared| shared.check.is_some())
                    .map(|shared| shared.name),
            )
            .collect();
        def.inputs_json
            .replace(serde_json::to_string(&inputs).expect("names have a JSON form"));
        self.pages.borrow_mut().push(Rc::new(def));
    }

    pub fn pages(&self) -> Vec<Rc<PageDef>> {
        self.pages.borrow().clone()
    }

    pub fn page(&self, index: u16) -> Rc<PageDef> {
        Rc::clone(&self.pages.borrow()[usize::from(index)])
    }

    pub fn pattern_of(&self, index: u16) -> String {
        self.pages
            .borrow()
            .get(usize::from(index))
            .map_or_else(String::new, |page| page.pattern.clone())
    }

    pub fn param_index(&self, page: u16, name: &str) -> Option<u16> {
        let page = self.page(page);
        page.params
            .iter()
            .position(|param| param == name)
            .and_then(|index| u16::try_from(index).ok())
    }

    pub fn with_extras<T>(&self, change: impl FnOnce(&mut Extras) -> T) -> T {
        change(&mut self.extras.borrow_mut())
    }

    /// Data is given while the app is defined and lives as long as the process.
    pub(super) fn add_data<T: 'static>(&self, data: T) {
        let data: &'static T = Box::leak(Box::new(data));
        self.data.borrow_mut().insert(TypeId::of::<T>(), data);
    }

    pub(super) fn data<T: 'static>(&self) -> &T {
        let data = self.data.borrow().get(&TypeId::of::<T>()).copied();
        data.and_then(|data| data.downcast_ref())
            .unwrap_or_else(|| {
                let name = std::any::type_name::<T>();
                panic!("the app has no data of the type {name}: give it by app.data(…)")
            })
    }

    pub(super) fn add_template(&self, name: &str, source: &str) -> std::result::Result<(), String> {
        let mut templates = self.templates.borrow_mut();
        Rc::make_mut(&mut templates)
            .add_template_owned(name.to_owned(), source.to_owned())
            .map_err(|error| format!("{error:#}"))
    }

    /// Adds all files of a folder, or replaces them.
    pub fn add_template_folder(&self, folder: &std::path::Path) -> std::result::Result<(), String> {
        templates::add_folder(Rc::make_mut(&mut self.templates.borrow_mut()), folder)
    }

    pub(super) fn templates(&self) -> Rc<minijinja::Environment<'static>> {
        Rc::clone(&self.templates.borrow())
    }

    pub fn globals(&self) -> &GlobalState {
        &self.globals
    }

    pub(super) fn hasher(&self) -> &RandomState {
        &self.hasher
    }

    pub fn turn(&self) -> u64 {
        self.turn.get()
    }

    pub fn begin_turn(&self) {
        self.turn.set(self.turn.get() + 1);
        let mut patches = self.shared_patches.borrow_mut();
        if !patches.is_empty() {
            patches.clear();
            patches.shrink_to(64);
        }
    }

    pub(super) fn next_event_id(&self) -> u64 {
        let id = self.event_id.get() + 1;
        self.event_id.set(id);
        id
    }

    pub fn next_load_id(&self) -> u64 {
        self.next_event_id()
    }

    pub(super) fn next_serial(&self) -> u64 {
        let serial = self.serial.get() + 1;
        self.serial.set(serial);
        serial * u64::from(self.shards) + u64::from(self.shard)
    }

    /// A buffer for keys; one user at a time.
    pub(super) fn scratch(&self) -> RefMut<'_, Vec<u8>> {
        self.scratch.borrow_mut()
    }

    pub fn context(&self, key: u32) -> Option<Rc<Context>> {
        self.contexts.borrow().get(key as usize).cloned()
    }

    pub fn find(&self, id: &ContextId) -> Option<Rc<Context>> {
        let key = *self.by_id.borrow().get(&id.random)?;
        self.context(key).filter(|context| context.id == *id)
    }

    pub fn all_contexts(&self) -> Vec<Rc<Context>> {
        self.contexts
            .borrow()
            .iter()
            .map(|(_, context)| Rc::clone(context))
            .collect()
    }

    /// Puts a context on the list of those that have something to be told.
    pub fn list(&self, context: &Context, bits: u8) {
        let listed = context.has(dirty::LISTED);
        context.add_dirty(bits | dirty::LISTED);
        if !listed {
            self.dirty.borrow_mut().push(context.key);
            self.nudge();
        }
    }

    /// Some of its views have to be rendered, as bits.
    pub fn list_views(&self, context: &Context, views: u64) {
        if views != 0 {
            context.mark_views(views);
            self.list(context, dirty::VIEW);
        }
    }

    /// Takes the list.
    pub fn take_dirty(&self) -> Vec<u32> {
        std::mem::take(&mut *self.dirty.borrow_mut())
    }

    /// Gives the room of a list that was taken back, unless that is much for what stood in it.
    pub fn reuse_dirty(&self, mut list: Vec<u32>) {
        let mut dirty = self.dirty.borrow_mut();
        if dirty.is_empty() && list.capacity() <= list.len().saturating_mul(4) {
            list.clear();
            *dirty = list;
        }
    }

    pub fn has_dirty(&self) -> bool {
        !self.dirty.borrow().is_empty() || !self.stale_scopes.borrow().is_empty()
    }

    pub fn take_refreshes(&self) -> Vec<Refresh> {
        std::mem::take(&mut *self.refreshes.borrow_mut())
    }

    pub fn take_outgoing(&self) -> Outgoing {
        std::mem::take(&mut *self.outgoing.borrow_mut())
    }

    pub fn has_outgoing(&self) -> bool {
        let outgoing = self.outgoing.borrow();
        !outgoing.invalidations.is_empty()
            || !outgoing.names.is_empty()
            || !outgoing.published.is_empty()
    }

    pub(super) fn tell_others(&self, change: impl FnOnce(&mut Outgoing)) {
        change(&mut self.outgoing.borrow_mut());
        self.nudge();
    }

    pub(super) fn defer(&self, at_ms: u64, what: Deferred) {
        let mut deferred = self.deferred.borrow_mut();
        let mut key = (at_ms, 0);
        while deferred.contains_key(&key) {
            key.1 = deferred
                .range(..(at_ms + 1, 0))
                .next_back()
                .map_or(0, |(last, _)| last.1 + 1);
        }
        deferred.insert(key, what);
    }

    /// When something that was held back is due, in the shard's milliseconds.
    pub fn next_due_ms(&self) -> Option<u64> {
        self.deferred
            .borrow()
            .first_key_value()
            .map(|((at, _), _)| *at)
    }

    /// Told once, until there is room again.
    pub(super) fn warn_when_filling(&self) {
        let (used, rows) = self.shared.usage();
        let filling = used * 5 >= rows * 4;
        if filling && !self.full_warned.replace(true) {
            tracing::warn!(
                used,
                rows,
                "the table of shared signals is 80 % full: raise --shared-rows, or share fewer values"
            );
        } else if used * 2 < rows {
            self.full_warned.set(false);
        }
    }

    /// A view that fails for thousands of contexts is told to the log once a second.
    pub(super) fn log_view_failure(&self, context: &Context, reason: &str) {
        let page = self.page(context.page);
        let now = self.now_ms();
        if now.saturating_sub(page.last_failure_ms.get()) >= 1000 || page.last_failure_ms.get() == 0
        {
            page.last_failure_ms.set(now.max(1));
            tracing::error!(page = %page.pattern, shard = self.shard, reason, "a view failed");
        }
    }
}
