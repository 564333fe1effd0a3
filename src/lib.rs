//! autovia: a reactive web server, thread-per-core, for very many open pages.
//!
//! An app is written as pages with signals, inputs, actions and views; the browser runs Datastar
//! and holds one stream per page; `broadcast` renders every open page of a scope again, on every
//! shard.
//!
//! ```no_run
//! use autovia::prelude::*;
//! use maud::html;
//!
//! fn main() {
//!     autovia::run(|app| app.page("/", counter))
//! }
//!
//! fn counter(page: &mut Page) {
//!     let count = page.signal("count", 0);
//!     let step = page.input("step", 1);
//!     let add = page.action("add", async move |ctx| count.update(ctx, |n| n + step.get(ctx)));
//!
//!     page.view(move |view| html! {
//!         main #counter {
//!             p { (count.text(view)) }
//!             input type="number" data-bind=(step);
//!             button data-on:click=(add) { "+" }
//!         }
//!     });
//! }
//! ```

#[cfg(feature = "bench")]
#[doc(hidden)]
pub mod bench_support;
pub mod broker;
mod http;
mod page;
mod peers;
mod runtime;
mod scope;
mod secret;
pub mod server;
mod state;
pub mod wire;

pub use broker::{Broker, BrokerError, InMemoryBroker, MeshBroker};
#[doc(hidden)]
pub use minijinja;
pub use page::{
    Action, ActionCall, App, BroadcastScope, Component, Ctx, Error, Html, Input, IntoLoaded, Lane,
    Load, Outcome, Page, PageScope, Reader, Result, ScopeOf, Shared, SharedInput, Signal, View,
};
pub use peers::{Heard, Peer, Peers};
#[doc(hidden)]
pub use scope::pattern_is_valid;
pub use scope::{OwnScope, SCOPE_MAX_BYTES, Scope, ScopeError, TabScope};
pub use secret::Secret;
pub use server::config::ServerArgs;
pub use server::{Server, run};
pub use state::{GlobalState, StateError};

/// The words of an app, in one import.
pub mod prelude {
    pub use crate::{
        Action, App, Broker, Ctx, Html, Input, Page, Scope, Server, ServerArgs, Shared,
        SharedInput, Signal, View, context, scope, secs,
    };
}

/// A period of so many seconds.
#[must_use]
pub const fn secs(seconds: u64) -> std::time::Duration {
    std::time::Duration::from_secs(seconds)
}

/// The values of a template, by name: `context! { messages => messages.get(view) }`. Each needs
/// a `Serialize`; [`Html`] goes in as it is, all else is escaped by the template.
#[macro_export]
macro_rules! context {
    ($($name:ident => $value:expr),* $(,)?) => {
        $crate::minijinja::Value::from_pairs([$((
            ::core::stringify!($name),
            $crate::minijinja::Value::from($crate::minijinja::value::Serde(&$value)),
        )),*])
    };
}
