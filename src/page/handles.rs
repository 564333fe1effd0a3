//! The small `Copy` handles that a page function gets, and what they read and write.

use std::marker::PhantomData;
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ctx::{Ctx, Reader};
use super::expression::{call, span};
use super::html::Html;
use super::reads::Read;
use super::value;
use super::view::View;
use crate::scope::Scope;
use crate::state::StateError;

/// A value of each context that the server writes and the browser shows.
///
/// The browser never writes it: two quick clicks both count, and nobody edits a balance from
/// the console.
pub struct Signal<T> {
    pub(crate) page: u16,
    pub(crate) slot: u16,
    pub(crate) name: &'static str,
    pub(crate) of: PhantomData<fn() -> T>,
}

/// A value of each context that the browser writes (`data-bind`) and the server reads.
pub struct Input<T>(pub(crate) Signal<T>);

/// A value that all members of a scope share, on every shard: written by the server.
pub struct Shared<T> {
    pub(crate) page: u16,
    pub(crate) index: u16,
    pub(crate) name: &'static str,
    pub(crate) of: PhantomData<fn() -> T>,
}

/// A [`Shared`] value that browsers may write too (`data-bind`): any member of the scope changes
/// it for all.
pub struct SharedInput<T>(pub(crate) Shared<T>);

/// Data that is loaded beside the view and shared by what it read.
pub struct Load<T> {
    pub(crate) page: u16,
    pub(crate) index: u16,
    pub(crate) of: PhantomData<fn() -> T>,
}

/// Something that the browser can ask the server to do. In HTML it is the expression that asks:
/// `data-on:click=(add)`.
#[derive(Clone, Copy, Debug)]
pub struct Action {
    pub(crate) name: &'static str,
}

/// An [`Action`] with arguments: `data-on:click=(vote.with(3))`.
#[derive(Clone, Debug)]
pub struct ActionCall(String);

/// A scope that each context of the page has joined.
#[derive(Clone, Copy, Debug)]
pub struct ScopeOf {
    pub(crate) page: u16,
    pub(crate) membership: u16,
}

macro_rules! copy_handles {
    ($($handle:ident),*) => {$(
        impl<T> Clone for $handle<T> {
            fn clone(&self) -> Self {
                *self
            }
        }
        impl<T> Copy for $handle<T> {}
    )*};
}
copy_handles!(Signal, Input, Shared, SharedInput, Load);

impl<T: Serialize + DeserializeOwned> Signal<T> {
    /// The value. A view that calls this shows it by itself and runs again when it changes.
    #[must_use]
    pub fn get(self, reader: &impl Reader) -> T {
        let scene = reader.scene(self.page, self.name);
        reader.note(Read::Tab(self.slot));
        scene.engine.with_tab(&scene.context, self.slot, |json| {
            value::decode(json)
                .unwrap_or_else(|reason| panic!("the value of `{}` is broken: {reason}", self.name))
        })
    }

    /// Sets the value.
    pub fn set(self, ctx: &Ctx, value: T) {
        let scene = ctx.scene(self.page, self.name);
        scene
            .engine
            .set_tab(&scene.context, self.slot, value::encode(&value, self.name));
    }

    /// Replaces the value by what `change` makes of it.
    pub fn update(self, ctx: &Ctx, change: impl FnOnce(T) -> T) {
        self.set(ctx, change(self.get(&ctx.untracked())));
    }

    /// `<span data-text="$name">value</span>`: the browser keeps the text right by itself, so
    /// this is no read, and a change sends the value and no HTML.
    #[must_use]
    pub fn text(self, view: &View) -> Html {
        let scene = view.scene(self.page, self.name);
        scene.engine.with_tab(&scene.context, self.slot, |json| {
            span(self.name, view, json)
        })
    }

    /// The name in the browser: `$name` in an expression.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.name
    }
}

impl<T: Serialize + DeserializeOwned> Input<T> {
    /// The value as the browser last sent it. A view that calls this runs again when it changes.
    #[must_use]
    pub fn get(self, reader: &impl Reader) -> T {
        self.0.get(reader)
    }

    /// Sets the value here and in the browser, over whatever is typed there.
    pub fn set(self, ctx: &Ctx, value: T) {
        self.0.set(ctx, value);
    }

    /// Reads the value and puts the initial one in its place, in the browser too if the user
    /// has not typed on since.
    #[must_use]
    pub fn take(self, ctx: &Ctx) -> T {
        let value = self.get(&ctx.untracked());
        let scene = ctx.scene(self.0.page, self.0.name);
        scene.engine.take_tab(&scene.context, self.0.slot);
        value
    }

    /// As [`Signal::text`].
    #[must_use]
    pub fn text(self, view: &View) -> Html {
        self.0.text(view)
    }

    /// The name in the browser: `$name` in an expression, or `data-bind="name"`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name
    }
}

impl<T: Serialize + DeserializeOwned> Shared<T> {
    /// The value. A view that calls this runs again when it changes.
    #[must_use]
    pub fn get(self, reader: &impl Reader) -> T {
        let scene = reader.scene(self.page, self.name);
        reader.note(Read::Shared(self.index));
        let json = scene.engine.shared_json(&scene.context, self.index);
        value::decode(&json)
            .unwrap_or_else(|reason| panic!("the value of `{}` is broken: {reason}", self.name))
    }

    /// Sets the value for all members of the scope; they see it at once.
    ///
    /// # Errors
    /// [`StateError`], when the value is too large or the table was full.
    #[allow(clippy::unused_async)]
    pub async fn set(self, ctx: &Ctx, value: T) -> Result<(), StateError> {
        let json = value::encode(&value, self.name);
        let scene = ctx.scene(self.page, self.name);
        scene
            .engine
            .change_shared(&scene.context, self.index, |_| Some(json.to_vec()))
            .map(drop)
    }

    /// Replaces the value by what `change` makes of it, atomically over all shards, and returns
    /// the new one. `change` must be pure: it runs again when another shard was faster.
    ///
    /// # Errors
    /// [`StateError`], when the value is too large or the table was full.
    #[allow(clippy::unused_async)]
    pub async fn update(self, ctx: &Ctx, change: impl Fn(T) -> T) -> Result<T, StateError> {
        let scene = ctx.scene(self.page, self.name);
        let new = std::cell::RefCell::new(None);
        scene
            .engine
            .change_shared(&scene.context, self.index, |old| {
                let value = change(self.read(old));
                let json = value::encode(&value, self.name).into_vec();
                new.replace(Some(value));
                Some(json)
            })?;
        Ok(new.into_inner().expect("an update calls its function"))
    }

    /// Stores `value` if the present one is `expected`; tells whether it did.
    ///
    /// # Errors
    /// [`StateError`], when the value is too large or the table was full.
    #[allow(clippy::unused_async)]
    pub async fn compare_and_set(
        self,
        ctx: &Ctx,
        expected: &T,
        value: &T,
    ) -> Result<bool, StateError> {
        let scene = ctx.scene(self.page, self.name);
        let expected = value::encode(expected, self.name);
        let json = value::encode(value, self.name);
        let stored = std::cell::Cell::new(false);
        scene
            .engine
            .change_shared(&scene.context, self.index, |old| {
                stored.set(*old == *expected);
                stored.get().then(|| json.to_vec())
            })?;
        Ok(stored.get())
    }

    fn read(self, json: &[u8]) -> T {
        value::decode(json)
            .unwrap_or_else(|reason| panic!("the value of `{}` is broken: {reason}", self.name))
    }

    /// As [`Signal::text`].
    #[must_use]
    pub fn text(self, view: &View) -> Html {
        let scene = view.scene(self.page, self.name);
        let json = scene.engine.shared_json(&scene.context, self.index);
        span(self.name, view, &json)
    }

    /// The name in the browser: `$name` in an expression.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.name
    }
}

impl Shared<i64> {
    /// Adds `by`, atomically over all shards, and returns the sum.
    ///
    /// # Errors
    /// [`StateError`], when the table was full.
    pub async fn increment(self, ctx: &Ctx, by: i64) -> Result<i64, StateError> {
        self.update(ctx, |value| value.saturating_add(by)).await
    }
}

impl<T> std::ops::Deref for SharedInput<T> {
    type Target = Shared<T>;

    fn deref(&self) -> &Shared<T> {
        &self.0
    }
}

impl<T: 'static> Load<T> {
    /// What was loaded last.
    ///
    /// # Panics
    /// Outside a page of this load.
    #[must_use]
    pub fn get(self, view: &View) -> Rc<T> {
        let scene = view.scene(self.page, "a load");
        view.note(Read::Load(self.index));
        let result = scene.context.loads.borrow()[usize::from(self.index)].clone();
        let value = Rc::clone(&result.expect("a page is rendered after its loads").value);
        value.downcast().expect("a load keeps its type")
    }
}

impl Action {
    /// The expression with arguments, which the action reads by [`Ctx::arg`].
    #[must_use]
    pub fn with(self, argument: impl Serialize) -> ActionCall {
        ActionCall(call(self.name, &[value::encode(&argument, self.name)]))
    }

    /// The expression with several arguments, from a tuple or a list.
    ///
    /// # Panics
    /// When `arguments` is no JSON list.
    #[must_use]
    pub fn with_all(self, arguments: impl Serialize) -> ActionCall {
        let json = value::encode(&arguments, self.name);
        let list: Vec<Box<serde_json::value::RawValue>> =
            serde_json::from_slice(&json).expect("arguments are a tuple or a list");
        let list: Vec<_> = list.iter().map(|raw| raw.get().as_bytes().into()).collect();
        ActionCall(call(self.name, &list))
    }

    /// The expression `@act('name')`.
    #[must_use]
    pub fn expression(self) -> String {
        call(self.name, &[])
    }

    /// The name, as in `/_action/<name>`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.name
    }
}

impl ActionCall {
    /// The expression `@act('name', …)`.
    #[must_use]
    pub fn expression(&self) -> &str {
        &self.0
    }
}

impl ScopeOf {
    /// The scope that this context has joined.
    #[must_use]
    pub fn of(self, reader: &impl Reader) -> Scope {
        let scene = reader.scene(self.page, "a scope");
        reader.note(Read::ScopeName(self.membership));
        scene.engine.scope_of(&scene.context, self.membership)
    }
}

#[cfg(feature = "maud")]
mod maud_support {
    use super::{Action, ActionCall, Input, SharedInput};

    impl<T> maud::Render for Input<T> {
        fn render_to(&self, buffer: &mut String) {
            buffer.push_str(self.0.name);
        }
    }

    impl<T> maud::Render for SharedInput<T> {
        fn render_to(&self, buffer: &mut String) {
            buffer.push_str(self.0.name);
        }
    }

    impl maud::Render for Action {
        fn render_to(&self, buffer: &mut String) {
            buffer.push_str(&self.expression());
        }
    }

    impl maud::Render for ActionCall {
        fn render_to(&self, buffer: &mut String) {
            buffer.push_str(&self.0);
        }
    }
}
