//! As much of HTML as tests need to look into a page that autovia made itself.
//!
//! It is no HTML parser: it finds attributes and plain text in well-formed markup with quoted
//! attribute values, which is what the server writes. Anything finer is asked of the real browser.

/// The unescaped values of every attribute called `name`, also with Datastar modifiers
/// (`name__ifmissing`).
pub fn attribute_values(html: &str, name: &str) -> Vec<String> {
    let mut values = Vec::new();
    for (at, _) in html.match_indices(name) {
        if !html[..at].ends_with(|before: char| before.is_ascii_whitespace()) {
            continue;
        }
        let after = &html[at + name.len()..];
        let Some((modifiers, rest)) = after.split_once('=') else {
            continue;
        };
        if !(modifiers.is_empty() || modifiers.starts_with("__"))
            || modifiers.contains([' ', '<', '>'])
        {
            continue;
        }
        let quote = rest
            .chars()
            .next()
            .filter(|quote| matches!(quote, '"' | '\''));
        if let Some(value) = quote.and_then(|quote| rest[1..].split(quote).next()) {
            values.push(unescape(value));
        }
    }
    values
}

/// The unescaped text between the element with this id and the next tag, trimmed.
pub fn element_text(html: &str, id: &str) -> Option<String> {
    let at = html.find(&format!(" id=\"{id}\""))?;
    let (_, content) = html[at..].split_once('>')?;
    let text = content.split('<').next()?;
    Some(unescape(text).trim().to_owned())
}

/// Replaces the character references that escaping produces: the five named ones and numbers.
pub fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        match after
            .split_once(';')
            .and_then(|(name, tail)| Some((character(name)?, tail)))
        {
            Some((character, tail)) => {
                plain.push(character);
                rest = tail;
            }
            None => {
                plain.push('&');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain
}

fn character(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            code.ok().and_then(char::from_u32)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_in_either_quotes_and_unescaped() {
        let html = r#"<meta data-signals='{"a":"&lt;b&gt; &amp;amp; &#39;"}'><div
            data-signals__ifmissing="{&quot;n&quot;:1}" data-signals-x="no" xdata-signals="no">"#;
        assert_eq!(
            attribute_values(html, "data-signals"),
            [r#"{"a":"<b> &amp; '"}"#, r#"{"n":1}"#]
        );
    }

    #[test]
    fn text_of_an_element_is_trimmed_and_unescaped() {
        let html = r#"<p class="shard-id">9</p><b id="shard" class="x"> 1 &#x26; 2</b>"#;
        assert_eq!(element_text(html, "shard").as_deref(), Some("1 & 2"));
        assert_eq!(element_text(html, "other"), None);
        assert_eq!(
            unescape("a & b &unknown; &#x1F600;"),
            "a & b &unknown; \u{1F600}"
        );
    }
}
