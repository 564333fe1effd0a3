//! What handles look like in HTML: a text that the browser keeps right, a call of an action.

use std::fmt::Write;

use super::html::{Html, escape};
use super::value;
use super::view::View;

/// In updates the span is left empty: the browser fills it, and the HTML can be shared.
pub(super) fn span(name: &str, view: &View, json: &[u8]) -> Html {
    let mut html = format!("<span data-text=\"${name}\">");
    if !view.is_update() {
        match serde_json::from_slice::<String>(json) {
            Ok(text) => escape(&text, &mut html),
            Err(_) if json != b"null" => escape(&String::from_utf8_lossy(json), &mut html),
            Err(_) => {}
        }
    }
    html.push_str("</span>");
    Html::trusted(html)
}

/// `@act('name', args…)`: the client swaps `$` and `@` even inside texts, so every character of a
/// text that is not plain becomes an escape. What is left is safe in an attribute too.
pub(crate) fn call(name: &str, arguments: &[value::Encoded]) -> String {
    let mut out = format!("@act('{name}'");
    for json in arguments {
        out.push_str(", ");
        let text = String::from_utf8_lossy(json);
        let mut in_text = false;
        let mut escaped = false;
        for c in text.chars() {
            if escaped {
                escaped = false;
                // The escapes of JSON are those of JavaScript; a quote becomes its number.
                if c == '"' {
                    out.push_str("u0022")
                } else {
                    out.push(c)
                }
            } else if in_text && c == '\\' {
                escaped = true;
                out.push(c);
            } else if c == '"' {
                in_text = !in_text;
                out.push('\'');
            } else if in_text
                && !(c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.' | ','))
            {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    write!(out, "\\u{unit:04x}").expect("a String takes all");
                }
            } else {
                out.push(c);
            }
        }
    }
    out.push(')');
    out
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::super::Action;

    fn expression(argument: impl Serialize) -> String {
        Action { name: "vote" }
            .with(argument)
            .expression()
            .to_owned()
    }

    #[test]
    fn arguments_are_plain_javascript() {
        assert_eq!(Action { name: "vote" }.expression(), "@act('vote')");
        assert_eq!(expression(3), "@act('vote', 3)");
        assert_eq!(expression("a b"), "@act('vote', 'a b')");
        assert_eq!(
            Action { name: "go" }.with_all((1, "x")).expression(),
            "@act('go', 1, 'x')"
        );
    }

    #[test]
    fn no_text_leaves_its_quotes() {
        let hostile = "');alert(1)//$count @post('/x') \"\\ \n\u{2028} é 😀 </script>";
        let call = expression(hostile);
        let inner = call
            .strip_prefix("@act('vote', '")
            .and_then(|rest| rest.strip_suffix("')"))
            .unwrap();
        assert!(
            !inner.contains(['\'', '"', '$', '@', '<', '>', '&', '(', ';']),
            "{inner}"
        );
        let back: String = serde_json::from_str(&format!("\"{inner}\"")).unwrap();
        assert_eq!(back, hostile);
    }
}
