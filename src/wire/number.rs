//! JSON on its way to the browser: big integers, and JSON or text inside HTML attributes.

use std::borrow::Cow;

/// The largest integer that a browser's number holds exactly: 2^53 - 1.
const MAX_SAFE: &[u8] = b"9007199254740991";

/// A signal's JSON as the browser gets it: a root integer beyond ±(2^53 − 1) becomes text, all else
/// is left alone.
#[must_use]
pub fn browser_json(value: &[u8]) -> Cow<'_, [u8]> {
    let trimmed = value.trim_ascii();
    let digits = trimmed.strip_prefix(b"-").unwrap_or(trimmed);
    let is_integer = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let fits =
        digits.len() < MAX_SAFE.len() || digits.len() == MAX_SAFE.len() && digits <= MAX_SAFE;
    if !is_integer || fits {
        return Cow::Borrowed(value);
    }
    Cow::Owned([b"\"", trimmed, b"\""].concat())
}

/// Appends JSON in a form that can stand inside a quoted HTML attribute and inside a Datastar
/// expression there. Bytes that are not UTF-8 become U+FFFD.
///
/// `;` is written as `\u003b`: the client splits the expression of `data-signals` at each `;` that it does
/// not take for part of a string, and a string that ends in a backslash leads it astray.
/// U+2028 and U+2029 end a line in JavaScript of before 2019, so they are escaped too. In JSON all three occur
/// inside strings only, so the value stays the same.
pub fn json_for_attribute(json: &[u8], out: &mut String) {
    out.reserve(json.len() + json.len() / 4);
    for character in String::from_utf8_lossy(json).chars() {
        match character {
            ';' => out.push_str("\\u003b"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            other => push_escaped(other, out),
        }
    }
}

/// Appends text escaped for HTML, as content and inside quoted attributes.
pub fn escape_html(text: &str, out: &mut String) {
    out.reserve(text.len());
    for character in text.chars() {
        push_escaped(character, out);
    }
}

fn push_escaped(character: char, out: &mut String) {
    match character {
        '&' => out.push_str("&amp;"),
        '"' => out.push_str("&quot;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '\'' => out.push_str("&#39;"),
        other => out.push(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn integers_beyond_the_browsers_travel_as_text() {
        for (value, sent) in [
            ("0", "0"),
            ("-1", "-1"),
            ("9007199254740991", "9007199254740991"),
            ("-9007199254740991", "-9007199254740991"),
            ("9007199254740992", "\"9007199254740992\""),
            ("-9007199254740992", "\"-9007199254740992\""),
            ("18446744073709551615", "\"18446744073709551615\""),
            (" 18446744073709551615\n", "\"18446744073709551615\""),
            ("1e300", "1e300"),
            ("9007199254740993.0", "9007199254740993.0"),
            ("\"9007199254740992\"", "\"9007199254740992\""),
            ("[9007199254740992]", "[9007199254740992]"),
            ("null", "null"),
            ("", ""),
            ("-", "-"),
        ] {
            assert_eq!(browser_json(value.as_bytes()), sent.as_bytes(), "{value}");
        }
    }

    #[test]
    fn attributes_and_text() {
        let mut out = String::new();
        json_for_attribute("{\"a\":\"<b> & 'c';\u{2028}\"}".as_bytes(), &mut out);
        assert_eq!(
            out,
            "{&quot;a&quot;:&quot;&lt;b&gt; &amp; &#39;c&#39;\\u003b\\u2028&quot;}"
        );
        out.clear();
        escape_html("<a href=\"x\">'&amp;'</a>;", &mut out);
        assert_eq!(
            out,
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp;amp;&#39;&lt;/a&gt;;"
        );
    }

    fn unescape(html: &str) -> String {
        html.replace("&quot;", "\"")
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&#39;", "'")
            .replace("&amp;", "&")
    }

    proptest! {
        #[test]
        fn a_value_survives_the_attribute(text: String, number: i64) {
            let value = serde_json::json!({ &text: [&text, number] });
            let mut out = String::new();
            json_for_attribute(&serde_json::to_vec(&value).unwrap(), &mut out);
            let raw = out.contains(['"', '<', '>', '\'', '\u{2028}', '\u{2029}']);
            prop_assert!(!raw, "{}", out);
            let plain = unescape(&out);
            prop_assert!(!plain.contains(';'));
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&plain).unwrap(), value);
        }

        #[test]
        fn text_survives_html(text: String) {
            let mut out = String::new();
            escape_html(&text, &mut out);
            prop_assert!(!out.contains(['"', '<', '>', '\'']));
            prop_assert_eq!(unescape(&out), text);
        }

        #[test]
        fn integers_are_exact_in_the_browser(number: i128) {
            let json = number.to_string();
            let sent = browser_json(json.as_bytes()).into_owned();
            let plain = number.unsigned_abs() < 1 << 53;
            let expected = if plain { json } else { format!("\"{json}\"") };
            prop_assert_eq!(sent, expected.into_bytes());
        }
    }
}
