//! The first HTML of a page: the shell with its seeds around the view.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use super::context::Context;
use super::engine::Engine;
use super::html::{Html, escape};
use super::render::run_view;
use super::values::write_member;
use super::view::View;
use crate::wire::number::json_for_attribute;

const SHELL: &str = include_str!("../../assets/shell.html");

impl Engine {
    /// The whole document for `context`.
    ///
    /// # Errors
    /// The text of what failed in the view, its layout or its title.
    pub fn document(
        self: &Rc<Self>,
        context: &Rc<Context>,
        heartbeat_seconds: u32,
        theme: &str,
    ) -> Result<String, String> {
        let page = self.page(context.page);
        let view = View::new(self, context, false);
        let mut html = run_view(&page.views[0], &view)?;
        // What stands around the view is never patched, so what that reads doesn't count.
        self.note_reads(&page.caches[0], &view.reads());
        view.enter_layout();
        let around = catch_unwind(AssertUnwindSafe(|| {
            for layout in page.layouts.iter().rev() {
                html = layout(&view, std::mem::take(&mut html));
            }
            page.title.as_ref().map(|title| title(&view))
        }));
        let title = around.map_err(|_| "the layout or the title of a page panicked".to_owned())?;
        let mut signals = vec![b'{'];
        write_member(
            &mut signals,
            "via_ctx",
            format!("\"{}\"", context.id.encode()).as_bytes(),
        );
        self.write_values(context, &mut signals, |_| true);
        signals.push(b'}');
        let head = self.with_extras(|extras| extras.head.clone());
        Ok(fill(|name, out| match name {
            "theme" => out.push_str(theme),
            "title" => escape(title.as_deref().unwrap_or("autovia"), out),
            "head" => out.push_str(&head),
            "signals" => json_for_attribute(&signals, out),
            "inputs" => escape(&page.inputs_json.borrow(), out),
            "heartbeat" => out.push_str(&heartbeat_seconds.to_string()),
            "body" => out.push_str(html.as_str()),
            _ => {}
        }))
    }
}

/// Fills the shell in one pass, so that what is put in is never looked at again.
fn fill(mut value: impl FnMut(&str, &mut String)) -> String {
    let mut out = String::with_capacity(SHELL.len() + 4096);
    let mut rest = SHELL;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((name, after)) = after.split_once("}}") else {
            break;
        };
        value(name, &mut out);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// A page that stands for an answer without a page: 404, 500.
pub(crate) fn plain_page(title: &str, html: &Html) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title><link rel=\"icon\" href=\"/favicon.svg\" type=\"image/svg+xml\"><link rel=\"stylesheet\" href=\"/via.css\"></head><body><div id=\"content\">{}</div></body></html>",
        html.as_str()
    )
}
