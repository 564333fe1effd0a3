//! The source of an example, with the lines that matter marked.

use maud::{Markup, html};

/// How an example's file stands beside it; `marked` are parts of the lines that matter.
pub fn figure(file: &str, source: &str, marked: &[&str]) -> Markup {
    html! {
        figure.source {
            figcaption { (file) }
            pre tabindex="0" { code {
                @for line in source.lines().filter(|line| !line.contains("#[allow(dead_code)]")) {
                    @if marked.iter().any(|mark| line.contains(mark)) {
                        mark { (line) }
                    } @else {
                        (line)
                    }
                    "\n"
                }
            } }
        }
    }
}

/// The part of `source` from the line that starts with `from` to its closing brace.
pub fn excerpt<'a>(source: &'a str, from: &str) -> &'a str {
    let Some(start) = source.find(&format!("\n{from}")).map(|at| at + 1) else {
        return source;
    };
    let rest = &source[start..];
    rest.find("\n}").map_or(rest, |end| &rest[..end + 2])
}
