//! The sixth stream of a browser: over HTTP/1.1 it is the last connection that the browser makes to
//! this host, so a seventh page would never be shown, and clicks would wait for ever.
//!
//! All pages of a session live on one shard, so they are counted there, when a stream opens.

use std::rc::Rc;

use super::shard::Shard;
use crate::page::Context;
use crate::scope::Scope;

/// Connections that browsers make to one host.
const BROWSER_CONNECTIONS: usize = 6;

/// A session with more pages than any browser has is a program, and knows what it does.
const BROWSER_PAGES_MAX: usize = 64;

/// How long a session is not told again.
const TELL_EVERY_MS: u64 = 600_000;

const HINT: &str = "Many pages of this site are open side by side. A browser makes six connections to one site, so clicks may wait: close a window, or hide it behind another tab.";

impl Shard {
    /// Tells user and log when a session's streams take all connections that a browser makes.
    pub(super) fn hint_at_many_streams(self: &Rc<Self>, context: &Rc<Context>) {
        let session = context.session_hash();
        let pages = self
            .engine
            .few_members_of(&Scope::session(session), BROWSER_PAGES_MAX);
        let streaming = pages
            .iter()
            .filter(|page| !page.streams.borrow().is_empty())
            .count();
        if streaming != BROWSER_CONNECTIONS || context.streams.borrow().len() != 1 {
            return;
        }
        let now = self.now();
        {
            let crowded = &mut self.streams.borrow_mut().crowded;
            crowded.retain(|_, at| now < *at + TELL_EVERY_MS);
            if crowded.insert(session, now).is_some() {
                return;
            }
        }
        tracing::warn!(
            shard = self.id,
            page = %context.path(),
            "a browser has {BROWSER_CONNECTIONS} streams open by HTTP/1.1, which is all that browsers connect to one host: its next page will hang; a proxy that speaks HTTP/2 to browsers has no such limit"
        );
        self.engine.tell_hint(context, HINT);
    }
}
