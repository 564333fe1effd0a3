//! What a page is, once per shard: tables that its contexts share.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use super::context::slot_bit;
use super::ctx::Ctx;
use super::error::Result;
use super::html::Html;
use super::load::LoadDef;
use super::render::{RenderCache, ViewDef};
use super::value::Encoded;
use super::view::View;
use crate::scope::Scope;

pub(crate) type LocalFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// An action, a hook or a tick.
pub(crate) type Handler = Rc<dyn Fn(Ctx) -> LocalFuture<Result>>;

/// Checks a value from the browser and gives it in the server's own form.
pub(crate) type Check = fn(&[u8]) -> std::result::Result<Encoded, String>;

/// The memberships that every context has; a page's own joins come after them.
pub(crate) const GLOBAL: u16 = 0;
pub(crate) const ROUTE: u16 = 1;
pub(crate) const SESSION: u16 = 2;
pub(crate) const FIRST_JOIN: u16 = 3;

/// A value of each context.
pub(crate) struct SlotDef {
    pub name: &'static str,
    pub initial: Encoded,
    /// `Some` for an input: the browser may write it.
    pub check: Option<Check>,
}

/// A value that the members of a scope share.
pub(crate) struct SharedDef {
    pub name: &'static str,
    pub membership: u16,
    pub init: Rc<dyn Fn() -> Vec<u8>>,
    /// `Some`: browsers may write it too.
    pub check: Option<Check>,
}

pub(crate) struct ActionDef {
    pub name: &'static str,
    pub run: Handler,
    /// Actions of one context run one after another, unless this is set.
    pub parallel: bool,
}

pub(crate) struct EveryDef {
    pub period: Duration,
    pub run: Handler,
}

#[derive(Default)]
pub(crate) struct Hooks {
    pub connect: Vec<Handler>,
    pub disconnect: Vec<Handler>,
    pub cleanup: Vec<Handler>,
}

/// Names the scope that a context joins.
pub(crate) type Join = Rc<dyn Fn(&Ctx) -> Scope>;

type Title = Box<dyn Fn(&View) -> String>;

type Around = Box<dyn Fn(&View, Html) -> Html>;

/// All that a page function defined.
pub(crate) struct PageDef {
    pub index: u16,
    pub pattern: String,
    pub params: Vec<String>,
    pub slots: Vec<SlotDef>,
    pub shared: Vec<SharedDef>,
    pub joins: Vec<Join>,
    pub loads: Vec<LoadDef>,
    pub actions: Vec<ActionDef>,
    pub action_names: HashMap<&'static str, u16>,
    pub views: Vec<ViewDef>,
    pub caches: Vec<RenderCache>,
    pub layouts: Vec<Around>,
    pub title: Option<Title>,
    pub hooks: Hooks,
    pub everys: Vec<EveryDef>,
    /// Which memberships some load of this page hangs on, as bits.
    pub loaded: u64,
    /// Contexts of this page on this shard.
    pub population: Cell<usize>,
    /// Renderings are reported once per second and page when they fail.
    pub last_failure_ms: Cell<u64>,
    pub inputs_json: RefCell<String>,
    /// Components that a layout placed, by view.
    pub around: RefCell<BTreeSet<usize>>,
}

impl PageDef {
    pub fn new(index: u16, pattern: &str) -> Self {
        let params = pattern
            .split('/')
            .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
            .map(|name| name.trim_start_matches('*').to_owned())
            .collect();
        Self {
            index,
            pattern: pattern.to_owned(),
            params,
            slots: Vec::new(),
            shared: Vec::new(),
            joins: Vec::new(),
            loads: Vec::new(),
            actions: Vec::new(),
            action_names: HashMap::new(),
            views: Vec::new(),
            caches: Vec::new(),
            layouts: Vec::new(),
            title: None,
            hooks: Hooks::default(),
            everys: Vec::new(),
            loaded: 0,
            population: Cell::new(0),
            last_failure_ms: Cell::new(0),
            inputs_json: RefCell::new(String::new()),
            around: RefCell::default(),
        }
    }

    /// The views whose cache is as `wanted`, as bits.
    pub fn views_where(&self, wanted: impl Fn(&RenderCache) -> bool) -> u64 {
        let views = (0..).zip(&self.caches);
        views
            .filter(|(_, cache)| wanted(cache))
            .fold(0, |views, (view, _)| views | slot_bit(view))
    }

    /// A load of this page hangs on `membership`.
    pub fn loads_on(&self, membership: u16) -> bool {
        membership < 64 && self.loaded >> membership & 1 == 1
    }
}
