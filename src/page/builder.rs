//! What a page function gets: it defines the page once per shard, and takes `Copy` handles away.

mod hooks;
mod scope;

use std::any::Any;
use std::marker::PhantomData;
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ctx::Ctx;
use super::definition::{ActionDef, FIRST_JOIN, Handler, PageDef, SharedDef, SlotDef};
use super::error::{Outcome, Result};
use super::handles::{Action, Input, Load, ScopeOf, Shared, SharedInput, Signal};
use super::html::Html;
use super::load::LoadDef;
use super::render::{RenderCache, ViewDef};
use super::value;
use super::view::View;
use crate::scope::Scope;
pub(super) use hooks::handler;
pub use scope::PageScope;

/// A page while it is defined.
pub struct Page {
    pub(super) def: PageDef,
    /// The names of the components around the one that is being defined.
    path: Vec<&'static str>,
    view: usize,
    pub(super) mistakes: Vec<String>,
}

/// A component that has been mounted: its HTML goes where the page's view puts it.
#[derive(Clone, Copy, Debug)]
pub struct Component {
    page: u16,
    view: usize,
}

impl Component {
    /// The component's HTML in its own wrapper.
    #[must_use]
    pub fn html(self, view: &View) -> Html {
        view.engine().component_html(self.page, self.view, view)
    }
}

impl Page {
    pub(super) fn new(index: u16, pattern: &str) -> Self {
        let mut def = PageDef::new(index, pattern);
        def.views.push(ViewDef::default());
        def.caches.push(RenderCache::default());
        Self {
            def,
            path: Vec::new(),
            view: 0,
            mistakes: Vec::new(),
        }
    }

    /// The text of the browser's tab.
    pub fn title(&mut self, title: impl Fn(&View) -> String + 'static) {
        self.def.title = Some(Box::new(title));
    }

    /// A value of each context, written by the server only.
    pub fn signal<T: Serialize + DeserializeOwned>(&mut self, name: &str, initial: T) -> Signal<T> {
        self.slot(name, &initial, None)
    }

    /// A value of each context that the browser writes by `data-bind=(input)`.
    pub fn input<T: Serialize + DeserializeOwned>(&mut self, name: &str, initial: T) -> Input<T> {
        Input(self.slot(name, &initial, Some(value::normalise::<T>)))
    }

    fn slot<T: Serialize>(
        &mut self,
        name: &str,
        initial: &T,
        check: Option<super::definition::Check>,
    ) -> Signal<T> {
        let name = self.signal_name(name);
        let initial = value::encode(initial, name);
        self.def.slots.push(SlotDef {
            name,
            initial,
            check,
        });
        Signal {
            page: self.def.index,
            slot: small(self.def.slots.len() - 1),
            name,
            of: PhantomData,
        }
    }

    /// A value that all members of `scope` share, over all shards; `initial` makes it when the
    /// first of them comes.
    pub fn shared<T: Serialize + DeserializeOwned>(
        &mut self,
        scope: impl PageScope,
        name: &str,
        initial: impl Fn() -> T + 'static,
    ) -> Shared<T> {
        self.share(scope, name, initial, None)
    }

    /// As [`Page::shared`], and browsers may write it by `data-bind`.
    pub fn shared_input<T: Serialize + DeserializeOwned>(
        &mut self,
        scope: impl PageScope,
        name: &str,
        initial: impl Fn() -> T + 'static,
    ) -> SharedInput<T> {
        SharedInput(self.share(scope, name, initial, Some(value::normalise::<T>)))
    }

    fn share<T: Serialize>(
        &mut self,
        scope: impl PageScope,
        name: &str,
        initial: impl Fn() -> T + 'static,
        check: Option<super::definition::Check>,
    ) -> Shared<T> {
        let membership = scope.membership(self);
        let name = self.signal_name(name);
        let init = Rc::new(move || value::encode(&initial(), name).into_vec());
        self.def.shared.push(SharedDef {
            name,
            membership,
            init,
            check,
        });
        Shared {
            page: self.def.index,
            index: small(self.def.shared.len() - 1),
            name,
            of: PhantomData,
        }
    }

    /// Has each context join a scope, before its page is first rendered.
    pub fn join(&mut self, scope: impl Fn(&Ctx) -> Scope + 'static) -> ScopeOf {
        self.def.joins.push(Rc::new(scope));
        ScopeOf {
            page: self.def.index,
            membership: FIRST_JOIN + small(self.def.joins.len() - 1),
        }
    }

    /// Something that the browser can ask for; actions of one context run one after another.
    pub fn action<F, R>(&mut self, name: &str, run: F) -> Action
    where
        F: AsyncFn(&Ctx) -> R + 'static,
        R: Outcome,
    {
        self.add_action(name, handler(run), false)
    }

    /// As [`Page::action`], but it doesn't wait for the context's other actions, nor they for it.
    pub fn action_parallel<F, R>(&mut self, name: &str, run: F) -> Action
    where
        F: AsyncFn(&Ctx) -> R + 'static,
        R: Outcome,
    {
        self.add_action(name, handler(run), true)
    }

    fn add_action(&mut self, name: &str, run: Handler, parallel: bool) -> Action {
        let valid = !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        if !valid {
            self.mistakes.push(format!(
                "the action `{name}` has no plain name: use letters, digits, - and _"
            ));
        }
        let name = self.full_name(name, "-");
        let index = small(self.def.actions.len());
        if self.def.action_names.insert(name, index).is_some() {
            self.mistakes.push(format!(
                "two actions are named `{name}`: give each its own name"
            ));
        }
        self.def.actions.push(ActionDef {
            name,
            run,
            parallel,
        });
        Action { name }
    }

    /// Data for the views: loaded before the page is first rendered and again at each broadcast
    /// of `scope`; shared by what `load` reads.
    pub fn load<T, F, R>(&mut self, scope: impl PageScope, load: F) -> Load<T>
    where
        T: 'static,
        F: AsyncFn(&Ctx) -> R + 'static,
        R: IntoLoaded<T>,
    {
        let membership = scope.membership(self);
        let load = Rc::new(load);
        let run = Rc::new(move |ctx: Ctx| {
            let load = Rc::clone(&load);
            Box::pin(async move {
                let loaded = load(&ctx).await.into_loaded()?;
                Ok(Rc::new(loaded) as Rc<dyn Any>)
            }) as super::definition::LocalFuture<Result<Rc<dyn Any>>>
        });
        self.def.loads.push(LoadDef { membership, run });
        self.def.loaded |= 1_u64.checked_shl(u32::from(membership)).unwrap_or(0);
        Load {
            page: self.def.index,
            index: small(self.def.loads.len() - 1),
            of: PhantomData,
        }
    }

    /// What the page shows; its root needs an `id`. Runs again when something that it read by
    /// `get` changes, or one of its scopes is broadcast, and is shared by what it read.
    pub fn view<H: Into<Html>>(&mut self, view: impl Fn(&View) -> H + 'static) {
        self.set_view(Box::new(move |scene| Ok(view(scene).into())), false);
    }

    /// As [`Page::view`], for a view that also depends on a clock or on chance: never shared.
    pub fn view_each<H: Into<Html>>(&mut self, view: impl Fn(&View) -> H + 'static) {
        self.set_view(Box::new(move |scene| Ok(view(scene).into())), true);
    }

    /// Shows a minijinja template; `values` are what it can use, beside `text('name')`,
    /// `bind('name')` and `act('name', …)`.
    pub fn template(&mut self, file: &str, values: impl Fn(&View) -> minijinja::Value + 'static) {
        let file = file.to_owned();
        self.set_view(
            Box::new(move |view| {
                view.engine()
                    .render_template(&file, None, values(view), view)
            }),
            false,
        );
    }

    /// As [`Page::template`], but updates render only the template's block `block`.
    pub fn template_block(
        &mut self,
        file: &str,
        block: &str,
        values: impl Fn(&View) -> minijinja::Value + 'static,
    ) {
        let (file, block) = (file.to_owned(), block.to_owned());
        self.set_view(
            Box::new(move |view| {
                let block = view.is_update().then_some(block.as_str());
                view.engine()
                    .render_template(&file, block, values(view), view)
            }),
            false,
        );
    }

    fn set_view(&mut self, render: super::render::ViewFn, each: bool) {
        let view = &mut self.def.views[self.view];
        if view.render.is_some() {
            self.mistakes.push(
                "a page or component has one view: put more of it into components".to_owned(),
            );
        }
        view.render = Some(render);
        view.each = each;
    }

    /// What stands around the view in the page's first HTML; never patched.
    pub fn layout<H: Into<Html>>(&mut self, around: impl Fn(&View, Html) -> H + 'static) {
        self.def
            .layouts
            .push(Box::new(move |view, inner| around(view, inner).into()));
    }

    /// Mounts a component: `define` gets this page with `name` before all its names, and its
    /// view lives in a wrapper of its own, which is patched by itself.
    pub fn component(&mut self, name: &str, define: impl FnOnce(&mut Self)) -> Component {
        if !is_name(name) {
            self.mistakes.push(format!(
                "the component `{name}` has no plain name: use a letter, then letters and digits"
            ));
        }
        self.path.push(leak(name));
        let wrapper = format!("c-{}", self.path.join("-"));
        if self
            .def
            .views
            .iter()
            .any(|view| view.wrapper.as_deref() == Some(&wrapper))
        {
            self.mistakes.push(format!(
                "two components are named `{name}`: give each its own name"
            ));
        }
        let outer = self.view;
        self.def.views.push(ViewDef {
            wrapper: Some(wrapper),
            ..ViewDef::default()
        });
        self.def.caches.push(RenderCache::default());
        self.view = self.def.views.len() - 1;
        define(self);
        let view = std::mem::replace(&mut self.view, outer);
        self.path.pop();
        Component {
            page: self.def.index,
            view,
        }
    }

    /// A name with those of the components around it before it.
    fn full_name(&self, name: &str, between: &str) -> &'static str {
        let names: Vec<&str> = self.path.iter().copied().chain([name]).collect();
        leak(&names.join(between))
    }

    fn signal_name(&mut self, name: &str) -> &'static str {
        if !is_name(name) {
            self.mistakes.push(format!(
                "`{name}` is no name of a signal: use a letter, then letters and digits, since the browser reads it as $name"
            ));
        }
        let name = self.full_name(name, "_");
        let taken = self.def.slots.iter().any(|slot| slot.name == name)
            || self.def.shared.iter().any(|shared| shared.name == name);
        if taken {
            self.mistakes.push(format!(
                "two signals are named `{name}`: give each its own name"
            ));
        }
        name
    }

    pub(super) fn finish(mut self) -> std::result::Result<PageDef, Vec<String>> {
        if self.def.views.iter().any(|view| view.render.is_none()) {
            self.mistakes
                .push("a page or component has no view: call page.view(…)".to_owned());
        }
        if self.mistakes.is_empty() {
            Ok(self.def)
        } else {
            Err(self.mistakes)
        }
    }
}

/// What a load may return: a [`Result`] of what it loaded.
pub trait IntoLoaded<T> {
    #[doc(hidden)]
    fn into_loaded(self) -> Result<T>;
}

impl<T> IntoLoaded<T> for Result<T> {
    fn into_loaded(self) -> Self {
        self
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric())
}

/// Pages are defined once per shard and live as long as the process, and so do their names.
fn leak(name: &str) -> &'static str {
    Box::leak(name.to_owned().into_boxed_str())
}

fn small(index: usize) -> u16 {
    u16::try_from(index).expect("a page has at most 65,536 of each")
}
