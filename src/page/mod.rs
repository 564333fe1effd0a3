//! What an app author touches: pages, signals, actions, views, and the engine that keeps their
//! contexts. No sockets, no clock, no executor: those come through [`host::Host`].

mod app;
mod builder;
mod clicks;
pub(crate) mod context;
mod ctx;
mod definition;
mod document;
mod engine;
mod error;
mod expression;
mod handles;
pub(crate) mod host;
mod html;
pub(crate) mod load;
mod members;
mod patches;
pub(crate) mod reads;
mod render;
mod scopes;
#[cfg(test)]
mod shared_renderings;
mod sweep;
mod templates;
mod value;
mod values;
mod view;

pub use app::{App, Lane};
pub use builder::{Component, IntoLoaded, Page, PageScope};
pub(crate) use clicks::{Arrival, Ended};
pub(crate) use context::{Context, Life};
pub use ctx::{BroadcastScope, Ctx, Reader};
pub(crate) use definition::{Handler, LocalFuture};
pub(crate) use document::plain_page;
pub(crate) use engine::{Engine, EngineParts, Refresh};
pub(crate) use error::BadInput;
pub use error::{Error, Outcome, Result};
pub use handles::{Action, ActionCall, Input, Load, ScopeOf, Shared, SharedInput, Signal};
pub use html::Html;
pub(crate) use members::NewContext;
pub(crate) use patches::Patch;
pub(crate) use scopes::stale;
pub use view::View;
