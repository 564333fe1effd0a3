//! All scopes: who a change concerns. The same page function serves three paths.

use autovia::prelude::*;
use autovia::{Component, PageScope};
use maud::html;

#[allow(dead_code)] // The showcase mounts the page function alone.
fn main() {
    autovia::run(|app| {
        for path in PATHS {
            app.page(path, all_scopes);
        }
    });
}

/// Where the page is served: each path is a route of its own.
pub const PATHS: [&str; 3] = [
    "/examples/all-scopes",
    "/examples/all-scopes/page-a",
    "/examples/all-scopes/page-b",
];

/// One component for each scope.
pub fn all_scopes(page: &mut Page) {
    let blue = page.join(|_| scope!("room:blue"));
    let status = page.component("global", status);
    let message = page.component("tab", message);
    let route = shared_counter(page, "route", Scope::ROUTE);
    let session = shared_counter(page, "session", Scope::SESSION);
    let room = shared_counter(page, "room", blue);

    page.view(move |view| {
        html! {
            div.stack #all-scopes {
                nav.rooms aria-label="Pages" {
                    @for (path, name) in PATHS.iter().zip(["Start", "Page A", "Page B"]) {
                        a href=(path) aria-current=[(view.path() == *path).then_some("page")] { (name) }
                    }
                }
                (status.html(view))
                div.scopes {
                    section.scope #scope-route {
                        header.row { span.scope-name { "ROUTE" } }
                        p { "Everybody on this very path, in every browser." }
                        (route.html(view))
                    }
                    section.scope #scope-session {
                        header.row { span.scope-name { "SESSION" } }
                        p { "All tabs of this browser, on all three pages." }
                        (session.html(view))
                    }
                    section.scope #scope-room {
                        header.row { span.scope-name { "room:blue" } }
                        p { "Whoever has joined the room, as all three pages do." }
                        (room.html(view))
                    }
                }
                (message.html(view))
            }
        }
    });
}

/// A counter whose scope is the only thing that differs.
fn shared_counter(page: &mut Page, name: &'static str, scope: impl PageScope) -> Component {
    page.component(name, |page| {
        let count = page.shared(scope, "count", || 0_i64);
        let add = page.action("increment", async move |ctx| {
            count.increment(ctx, 1).await?; // every member's number follows, on every shard
            Ok(())
        });
        let reset = page.action("reset", async move |ctx| {
            count.set(ctx, 0).await?;
            Ok(())
        });

        page.view(move |view| {
            html! {
                p.big.num { span.flash id={(name) "-count"} { (count.text(view)) } }
                div.row {
                    button id={(name) "-increment"} data-on:click=(add) { "Add one" }
                    button.quiet id={(name) "-reset"} data-on:click=(reset) { "Reset" }
                }
            }
        });
    })
}

const STATUSES: [&str; 5] = [
    "Operational",
    "Busy",
    "Roadworks ahead",
    "Green wave",
    "Rush hour",
];

/// GLOBAL: values by key, and a broadcast to every page of the site.
fn status(page: &mut Page) {
    let change = page.action("updateStatus", async |ctx| {
        let state = ctx.global();
        let visitors = state.increment("example:allscopes:visitors", 1).await?;
        let next = STATUSES[usize::try_from(visitors).unwrap_or(0) % STATUSES.len()];
        state.set("example:allscopes:status", next).await?;
        ctx.broadcast(Scope::GLOBAL)
    });

    page.view(move |view| {
        let status = view.global::<String>("example:allscopes:status").ok().flatten();
        let visitors = view.global::<i64>("example:allscopes:visitors").ok().flatten();
        html! {
            section.scope #scope-global {
                header.row { span.scope-name { "GLOBAL" } }
                p { "Everybody, on every page of this site." }
                p.big.flash #status { (status.as_deref().unwrap_or(STATUSES[0])) }
                p { "changed " b.num #visitors { (visitors.unwrap_or(0)) } " times" }
                div.row { button #update-status data-on:click=(change) { "Change it for everybody" } }
            }
        }
    });
}

/// TAB: a value that never leaves its page.
fn message(page: &mut Page) {
    let draft = page.input("draft", String::new());
    let kept = page.signal("message", "Nothing yet".to_owned());
    let keep = page.action("updateMessage", async move |ctx| {
        let text = draft.take(ctx);
        if !text.trim().is_empty() {
            kept.set(ctx, text);
        }
    });

    page.view(move |view| {
        html! {
            section.scope #scope-tab {
                header.row { span.scope-name { "TAB" } }
                p { "This tab alone. Load the page again, and it starts anew." }
                p.lead.flash #message { (kept.text(view)) }
                form.composer data-on:submit=(keep) {
                    input #draft aria-label="Message" placeholder="Only you will see this" autocomplete="off" data-bind=(draft);
                    button #update-message { "Keep" }
                }
            }
        }
    });
}
