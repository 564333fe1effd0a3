//! What a view holds: it reads, and has no way to write or to broadcast.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use serde::de::DeserializeOwned;

use super::app::Lane;
use super::context::Context;
use super::ctx::{Reader, Scene, hex, param};
use super::engine::Engine;
use super::reads::{Read, Reads};
use crate::state::StateError;

/// One rendering of one context. What is read by `get` is noted: the result is shown to every
/// context whose values for those reads are equal.
pub struct View {
    scene: Scene,
    update: bool,
    /// What runs now stands around the page's view, and is never patched as a whole.
    around: Cell<bool>,
    reads: RefCell<Reads>,
}

impl Reader for View {
    fn scene(&self, page: u16, name: &str) -> &Scene {
        self.scene.check(page, name)
    }

    fn note(&self, read: Read) {
        self.reads.borrow_mut().note(read);
    }
}

impl View {
    pub(crate) fn new(engine: &Rc<Engine>, context: &Rc<Context>, update: bool) -> Self {
        let scene = Scene {
            engine: Rc::clone(engine),
            context: Rc::clone(context),
        };
        Self {
            scene,
            update,
            around: Cell::new(false),
            reads: RefCell::default(),
        }
    }

    pub(crate) fn reads(&self) -> Vec<Read> {
        self.reads.take().into_vec()
    }

    pub(crate) fn enter_layout(&self) {
        self.around.set(true);
    }

    pub(crate) fn is_around(&self) -> bool {
        self.around.get()
    }

    pub(crate) fn engine(&self) -> &Rc<Engine> {
        &self.scene.engine
    }

    pub(crate) fn context(&self) -> &Rc<Context> {
        &self.scene.context
    }

    /// This is a patch of an open page, not the page's first HTML.
    #[must_use]
    pub fn is_update(&self) -> bool {
        self.update
    }

    /// A path parameter, decoded; empty when the path has no such parameter.
    #[must_use]
    pub fn param(&self, name: &str) -> String {
        param(&self.scene, self, name)
    }

    /// The concrete path of the page.
    #[must_use]
    pub fn path(&self) -> &str {
        self.note(Read::Path);
        self.scene.context.path()
    }

    /// The app's own data, as `App::data` got it.
    ///
    /// # Panics
    /// When the app gave no `T`.
    #[must_use]
    pub fn data<T: 'static>(&self) -> &T {
        self.scene.engine.data::<T>()
    }

    /// A value of GlobalState.
    ///
    /// # Errors
    /// As [`GlobalState::get`](crate::GlobalState::get).
    pub fn global<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, StateError> {
        self.note(Read::Global(key.into()));
        self.scene.engine.globals().get(key)
    }

    /// The number of the shard that serves this page.
    #[must_use]
    pub fn shard(&self) -> usize {
        usize::from(self.scene.engine.shard)
    }

    /// The same key as [`Ctx::tab`](super::Ctx::tab); a view that asks is rendered for each context.
    #[must_use]
    pub fn tab(&self) -> u64 {
        self.note(Read::Identity);
        self.scene.context.serial()
    }

    /// The same key as [`Ctx::session`](super::Ctx::session).
    #[must_use]
    pub fn session(&self) -> String {
        self.note(Read::Session);
        hex(&self.scene.context.session_hash())
    }

    /// What each shard of this process holds and did.
    #[must_use]
    pub fn lanes(&self) -> Vec<Lane> {
        self.scene.engine.lanes()
    }

    /// What this node knows of its link and of the other nodes. A page that shows it joins
    /// [`Scope::PEERS`](crate::Scope::PEERS).
    #[must_use]
    pub fn peers(&self) -> std::sync::Arc<crate::Peers> {
        self.scene.engine.peers()
    }
}
