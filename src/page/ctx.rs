//! What an action, a hook or a load holds: one context, and the verbs.

use std::cell::RefCell;
use std::rc::Rc;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::app::{App, Lane};
use super::context::Context;
use super::engine::Engine;
use super::error::{BadInput, Error, Result};
use super::handles::ScopeOf;
use super::reads::{Read, Tracked};
use super::value;
use crate::scope::{OwnScope, Scope};
use crate::state::GlobalState;

/// One context and its shard.
#[doc(hidden)]
#[derive(Clone)]
pub struct Scene {
    pub(crate) engine: Rc<Engine>,
    pub(crate) context: Rc<Context>,
}

impl Scene {
    /// A handle belongs to one page: used on another it would name a foreign value.
    pub(crate) fn check(&self, page: u16, name: &str) -> &Self {
        assert!(
            self.context.page == page,
            "`{name}` was made by the page {}, but is used on {}",
            self.engine.pattern_of(page),
            self.engine.pattern_of(self.context.page),
        );
        self
    }
}

/// What values can be read from: a [`Ctx`] or a [`View`](super::View).
pub trait Reader: sealed::Sealed {
    #[doc(hidden)]
    fn scene(&self, page: u16, name: &str) -> &Scene;
    #[doc(hidden)]
    fn note(&self, read: Read);
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Ctx {}
    impl Sealed for super::super::View {}
}

/// One context, as actions, loads and hooks see it. Cheap to clone; never leaves its shard.
#[derive(Clone)]
pub struct Ctx {
    pub(crate) scene: Scene,
    pub(crate) arguments: Rc<[Box<RawValue>]>,
    pub(crate) click: Option<u64>,
    pub(crate) reads: Option<Rc<RefCell<Tracked>>>,
}

impl Reader for Ctx {
    fn scene(&self, page: u16, name: &str) -> &Scene {
        self.scene.check(page, name)
    }

    fn note(&self, read: Read) {
        if let Some(reads) = &self.reads {
            let Scene { engine, context } = &self.scene;
            reads.borrow_mut().note(read, engine, context);
        }
    }
}

impl Ctx {
    pub(crate) fn new(engine: &Rc<Engine>, context: &Rc<Context>) -> Self {
        let scene = Scene {
            engine: Rc::clone(engine),
            context: Rc::clone(context),
        };
        Self {
            scene,
            arguments: Rc::from([]),
            click: None,
            reads: None,
        }
    }

    /// A context whose reads are noted, for a load.
    pub(crate) fn tracked(
        engine: &Rc<Engine>,
        context: &Rc<Context>,
    ) -> (Self, Rc<RefCell<Tracked>>) {
        let reads = Rc::new(RefCell::default());
        (
            Self {
                reads: Some(Rc::clone(&reads)),
                ..Self::new(engine, context)
            },
            reads,
        )
    }

    pub(crate) fn untracked(&self) -> Self {
        Self {
            reads: None,
            ..self.clone()
        }
    }

    fn engine(&self) -> &Rc<Engine> {
        &self.scene.engine
    }

    /// A path parameter, decoded; empty when the path has no such parameter.
    #[must_use]
    pub fn param(&self, name: &str) -> String {
        param(&self.scene, self, name)
    }

    /// The concrete path of the page, as it was asked for, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.note(Read::Path);
        self.scene.context.path()
    }

    /// The first argument of the action.
    ///
    /// # Errors
    /// When it is absent or no `T`: the browser gets a 422.
    pub fn arg<T: DeserializeOwned>(&self) -> Result<T> {
        self.arg_at(0)
    }

    /// The argument at `index`, from 0.
    ///
    /// # Errors
    /// When it is absent or no `T`: the browser gets a 422.
    pub fn arg_at<T: DeserializeOwned>(&self, index: usize) -> Result<T> {
        let Some(raw) = self.arguments.get(index) else {
            let text = format!(
                "argument {} is missing: {} were sent",
                index + 1,
                self.arguments.len()
            );
            return Err(BadInput { text }.into());
        };
        value::decode(raw.get().as_bytes()).map_err(|reason| {
            BadInput {
                text: format!("argument {}: {reason}", index + 1),
            }
            .into()
        })
    }

    /// Invalidates `scope`: every page that shows it renders again, on every shard and node.
    /// Never waits; two calls before the next render are worth one.
    ///
    /// # Errors
    /// None today; the result lets an action end with a broadcast after `?`.
    pub fn broadcast(&self, scope: impl BroadcastScope) -> Result {
        let scope = scope.resolve(self);
        self.engine().broadcast(&scope);
        Ok(())
    }

    /// The app's own data, as `App::data` got it.
    ///
    /// # Panics
    /// When the app gave no `T`.
    #[must_use]
    pub fn data<T: 'static>(&self) -> &T {
        self.engine().data::<T>()
    }

    /// Runs `work` on a thread that may block, and waits for it without blocking the shard. What it returns must own no
    /// descriptor (a file, a socket) where shards have descriptor tables of their own (`--descriptor-tables`).
    ///
    /// # Errors
    /// When too much blocking work waits already, or `work` panicked.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        self.engine().blocking(work).await
    }

    /// Sends the browser of this page to `url`: a path of this site, or an `http(s)` address.
    ///
    /// # Errors
    /// When `url` is neither.
    pub fn redirect(&self, url: &str) -> Result {
        let own = url.starts_with('/') && !url.starts_with("//") && !url.starts_with("/\\");
        if !(own || url.starts_with("https://") || url.starts_with("http://")) {
            return Err(Error::new(format!(
                "`{url}` is no place to redirect to: use a path such as /login, or an http(s) address"
            )));
        }
        let url = serde_json::to_string(url)?;
        self.execute_script(&format!("window.location.assign({url})"))
    }

    /// Runs `script` in the browser of this page, before the next change of its elements. It is
    /// kept while the page has no stream.
    ///
    /// # Errors
    /// When more than 64 KiB of scripts wait already.
    pub fn execute_script(&self, script: &str) -> Result {
        self.engine().queue_script(&self.scene.context, script)
    }

    /// Values by key that all shards share.
    #[must_use]
    pub fn global(&self) -> &GlobalState {
        self.engine().globals()
    }

    /// The number of the shard that serves this page.
    #[must_use]
    pub fn shard(&self) -> usize {
        usize::from(self.engine().shard)
    }

    /// A number that no other context of this process has: a key for what the app keeps per page.
    #[must_use]
    pub fn tab(&self) -> u64 {
        self.note(Read::Identity);
        self.scene.context.serial()
    }

    /// A text that is the same for all pages of this browser session, and no other: a key for
    /// what the app keeps per user. It is a hash; the session id itself never leaves the server.
    #[must_use]
    pub fn session(&self) -> String {
        self.note(Read::Session);
        hex(&self.scene.context.session_hash())
    }

    /// The app, for what concerns no single page.
    #[must_use]
    pub fn app(&self) -> App {
        App::of(self.engine())
    }

    /// What each shard of this process holds and did.
    #[must_use]
    pub fn lanes(&self) -> Vec<Lane> {
        self.engine().lanes()
    }

    /// What this node knows of its link and of the other nodes. A page that shows it joins
    /// [`Scope::PEERS`](crate::Scope::PEERS).
    #[must_use]
    pub fn peers(&self) -> std::sync::Arc<crate::Peers> {
        self.engine().peers()
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all");
        text
    })
}

pub(super) fn param(scene: &Scene, reader: &impl Reader, name: &str) -> String {
    match scene.engine.param_index(scene.context.page, name) {
        Some(index) => {
            reader.note(Read::Param(index));
            scene.context.param_at(index).to_owned()
        }
        None => String::new(),
    }
}

/// What [`Ctx::broadcast`] accepts: a [`Scope`], one of this context's own, or a joined one.
/// `Scope::TAB` is none.
pub trait BroadcastScope {
    #[doc(hidden)]
    fn resolve(self, ctx: &Ctx) -> Scope;
}

impl BroadcastScope for Scope {
    fn resolve(self, _: &Ctx) -> Scope {
        self
    }
}

impl BroadcastScope for &Scope {
    fn resolve(self, _: &Ctx) -> Scope {
        self.clone()
    }
}

impl BroadcastScope for ScopeOf {
    fn resolve(self, ctx: &Ctx) -> Scope {
        self.of(&ctx.untracked())
    }
}

impl BroadcastScope for OwnScope {
    fn resolve(self, ctx: &Ctx) -> Scope {
        ctx.scene.engine.own_scope(&ctx.scene.context, self)
    }
}
