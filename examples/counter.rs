//! The smallest page: a value that the server writes, and one that the browser writes.

use autovia::prelude::*;
use maud::html;

#[allow(dead_code)] // The showcase mounts the page function alone.
fn main() {
    autovia::run(|app| app.page("/", counter));
}

pub fn counter(page: &mut Page) {
    let count = page.signal("count", 0_i64);
    let step = page.input("step", 1_i64);
    let increment = page.action("increment", async move |ctx| {
        count.update(ctx, |n| n + step.get(ctx))
    });
    let decrement = page.action("decrement", async move |ctx| {
        count.update(ctx, |n| n - step.get(ctx))
    });
    let reset = page.action("reset", async move |ctx| count.set(ctx, 0));

    page.view(move |view| {
        html! {
            section #counter {
                output #count { (count.text(view)) }
                label { "Step " input #step type="number" data-bind=(step); }
                button #decrement data-on:click=(decrement) { "−" }
                button #increment data-on:click=(increment) { "+" }
                button #reset data-on:click=(reset) { "Reset" }
            }
        }
    });
}
