//! The app: its pages, its data and its clock, per shard.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::builder::Page;
use super::definition::LocalFuture;
use super::engine::Engine;
use super::error::{Outcome, Result};
use super::html::Html;
use crate::peers::Peers;
use crate::scope::Scope;
use crate::state::GlobalState;

pub(crate) type Tick = Rc<dyn Fn(App) -> LocalFuture<Result>>;

/// The app on one shard: defined by the function that `run` gets, once per shard.
///
/// What it is given must be the same on every shard; data that all shards share is made before
/// `run` and shared by `Arc`.
pub struct App {
    engine: Rc<Engine>,
}

/// What one shard of this process holds and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lane {
    /// The shard's number.
    pub shard: usize,
    /// Contexts on it, away and parked ones included.
    pub contexts: u64,
    /// Open streams.
    pub streams: u64,
    /// Events written to streams since the start.
    pub events: u64,
    /// Messages that came to it through rings from other shards since the start.
    pub crossings: u64,
    /// Actions that ran on it since the start.
    pub actions: u64,
}

/// How a response outside of pages looks: the status, and one plain line.
pub(crate) type ErrorPage = Rc<dyn Fn(u16, &str) -> Html>;

/// A file that the app serves from memory.
#[derive(Clone)]
pub(crate) struct Asset {
    pub content_type: &'static str,
    pub body: &'static [u8],
}

/// What else the app function set up.
#[derive(Default)]
pub(crate) struct Extras {
    pub ticks: Vec<(Duration, Tick)>,
    pub assets: HashMap<String, Asset>,
    pub error_page: Option<ErrorPage>,
    pub head: String,
    pub mistakes: Vec<String>,
}

impl App {
    pub(crate) fn of(engine: &Rc<Engine>) -> Self {
        Self {
            engine: Rc::clone(engine),
        }
    }

    /// Serves a page at `pattern`: `/`, `/chat/{room}`. `define` runs once, now.
    pub fn page(&mut self, pattern: &str, define: impl FnOnce(&mut Page)) {
        let index = self.engine.next_page_index();
        let mut page = Page::new(index, pattern);
        define(&mut page);
        match page.finish() {
            Ok(def) => self.engine.add_page(def),
            Err(mistakes) => self.engine.with_extras(|extras| {
                extras.mistakes.extend(
                    mistakes
                        .into_iter()
                        .map(|text| format!("page {pattern}: {text}")),
                );
            }),
        }
    }

    /// Keeps the app's own data for `ctx.data::<T>()`; one of each type.
    pub fn data<T: 'static>(&mut self, data: T) {
        self.engine.add_data(data);
    }

    /// Runs `run` once per `period` and process, not once per shard.
    pub fn every<F, R>(&mut self, period: Duration, run: F)
    where
        F: AsyncFn(&Self) -> R + 'static,
        R: Outcome,
    {
        let run = Rc::new(run);
        let tick: Tick = Rc::new(move |app: Self| {
            let run = Rc::clone(&run);
            Box::pin(async move { run(&app).await.into_result() })
        });
        self.engine.with_extras(|extras| {
            if period.is_zero() {
                extras.mistakes.push(
                    "the app's period is zero: use for example Duration::from_secs(2)".to_owned(),
                );
            }
            extras.ticks.push((period, tick));
        });
    }

    /// Adds a template's source under `name`, compiled into the binary or made by the app.
    pub fn template(&mut self, name: &str, source: &str) {
        if let Err(error) = self.engine.add_template(name, source) {
            self.engine
                .with_extras(|extras| extras.mistakes.push(format!("template {name}: {error}")));
        }
    }

    /// Serves `body` at `path` with an ETag.
    pub fn asset(&mut self, path: &str, content_type: &'static str, body: &'static [u8]) {
        self.engine.with_extras(|extras| {
            extras
                .assets
                .insert(path.to_owned(), Asset { content_type, body });
        });
    }

    /// How 404 and 500 look, by status and one plain line.
    pub fn error_page<H: Into<Html>>(&mut self, page: impl Fn(u16, &str) -> H + 'static) {
        self.engine.with_extras(|extras| {
            extras.error_page = Some(Rc::new(move |status, text| page(status, text).into()));
        });
    }

    /// HTML for the `<head>` of every page.
    pub fn head(&mut self, html: impl Into<Html>) {
        let html: Html = html.into();
        self.engine
            .with_extras(|extras| extras.head.push_str(html.as_str()));
    }

    /// Invalidates `scope`: every page that shows it renders again, on every shard and node.
    ///
    /// # Errors
    /// None today; the result lets a tick end with it.
    #[allow(clippy::needless_pass_by_value)]
    pub fn broadcast(&self, scope: Scope) -> Result {
        self.engine.broadcast(&scope);
        Ok(())
    }

    /// As [`App::broadcast`], but on this node only: for what belongs to this process, such as a
    /// picture of its own work.
    ///
    /// # Errors
    /// None today; the result lets a tick end with it.
    #[allow(clippy::needless_pass_by_value)]
    pub fn broadcast_here(&self, scope: Scope) -> Result {
        self.engine.broadcast_here(&scope);
        Ok(())
    }

    /// Values by key that all shards share.
    #[must_use]
    pub fn global(&self) -> &GlobalState {
        self.engine.globals()
    }

    /// The data that [`App::data`] keeps.
    ///
    /// # Panics
    /// When the app gave no `T`.
    #[must_use]
    pub fn get<T: 'static>(&self) -> &T {
        self.engine.data::<T>()
    }

    /// Runs `work` on a thread that may block.
    ///
    /// # Errors
    /// When too much blocking work waits already, or `work` panicked.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        self.engine.blocking(work).await
    }

    /// What each shard of this process holds and did.
    #[must_use]
    pub fn lanes(&self) -> Vec<Lane> {
        self.engine.lanes()
    }

    /// What this node knows of its link and of the other nodes. Pages that show it
    /// join [`Scope::PEERS`].
    #[must_use]
    pub fn peers(&self) -> Arc<Peers> {
        self.engine.peers()
    }

    /// The number of this shard.
    #[must_use]
    pub fn shard(&self) -> usize {
        usize::from(self.engine.shard)
    }
}
