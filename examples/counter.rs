//! The smallest page: a value that the server writes, and one that the browser writes.

use autovia::prelude::*;
use maud::html;

#[allow(dead_code)] // The showcase mounts the page function alone.
fn main() {
    autovia::run(|app| app.page("/", counter));
}

/// Two values, three actions, one field.
pub fn counter(page: &mut Page) {
    let count = page.signal("count", 0_i64);
    let step = page.input("step", 1_i64);

    let add = page.action("increment", async move |ctx| {
        count.update(ctx, |n| n.saturating_add(step.get(ctx)))
    });
    let subtract = page.action("decrement", async move |ctx| {
        count.update(ctx, |n| n.saturating_sub(step.get(ctx)))
    });
    let reset = page.action("reset", async move |ctx| count.set(ctx, 0));

    page.view(move |view| {
        html! {
            section.live #counter {
                p.big.huge.num { output.flash #count { (count.text(view)) } }
                div.row {
                    button #increment data-on:click=(add) { "+" }
                    button #decrement data-on:click=(subtract) { "−" }
                    button.quiet #reset data-on:click=(reset) { "Reset" }
                }
                label for="step" { "Step" }
                input #step type="number" data-bind=(step);
            }
        }
    });
}
