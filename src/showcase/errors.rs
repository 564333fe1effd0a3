//! 404, 500 and their like, in the site's dress. No script runs on them.

use maud::{Markup, html};

use super::frame::{Here, site};

/// The page for a status and the server's one plain line.
pub fn error_page(status: u16, text: &str) -> Markup {
    let (sign, heading) = match status {
        404 => ("no such exit", "This road goes nowhere."),
        500..=599 => ("breakdown ahead", "This page could not be made."),
        _ => ("no entry", "This request was turned away."),
    };
    site(
        Here::Nowhere,
        &html! {
            main.page.errorpage #main {
                p.sign { (status) small { (sign) } }
                h1 { (heading) }
                p { (text) }
                @if status >= 500 {
                    p.soft { "All other pages go on; nobody else was held up." }
                }
                div.row {
                    @if status >= 500 { a.button href="" { "Try again" } }
                    a.button.quiet[status >= 500] href="/" { "To the home page" }
                    @if status < 500 { a.button.quiet href="/#examples" { "All examples" } }
                }
            }
        },
        None,
    )
}
