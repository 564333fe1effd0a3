//! The scope grammar once more, as plainly as it can be said and slowly: what the server's own
//! reading of it has to agree with.

use crate::scope::SCOPE_MAX_BYTES;

/// Whether a text is a scope.
pub fn is_scope(text: &str) -> bool {
    let length = text.chars().count();
    let stars: Vec<usize> = text
        .char_indices()
        .filter(|(_, c)| *c == '*')
        .map(|(at, _)| at)
        .collect();
    let known = text.chars().all(|c| {
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:/-*".contains(c)
    });
    known
        && (1..=SCOPE_MAX_BYTES).contains(&length)
        && (stars.is_empty() || (stars.len() == 1 && stars[0] > 0))
        && !["tab", "route", "session"].contains(&text)
}

/// Whether a pattern gives a scope with any arguments: tried with empty and with plain ones.
pub fn is_pattern(pattern: &str, arguments: usize) -> bool {
    let holes = pattern.matches("{}").count();
    let fixed = pattern.replace("{}", "");
    holes == arguments
        && pattern.len() <= SCOPE_MAX_BYTES
        && is_scope_or_word(&fixed)
        && (holes > 0 || is_scope(pattern))
}

/// With holes, the fixed part may be a word such as `tab`: an argument makes it another name.
fn is_scope_or_word(fixed: &str) -> bool {
    is_scope(fixed) || ["tab", "route", "session"].contains(&fixed)
}

/// Whether `name` is matched by `wildcard`, character by character.
pub fn matches(wildcard: &str, name: &str) -> bool {
    let mut rest = wildcard.chars();
    match rest.next() {
        None => name.is_empty(),
        Some('*') => {
            let rest = rest.as_str();
            name.char_indices()
                .map(|(at, _)| at)
                .chain([name.len()])
                .any(|at| matches(rest, &name[at..]))
        }
        Some(c) => name
            .strip_prefix(c)
            .is_some_and(|name| matches(rest.as_str(), name)),
    }
}

/// A pattern with its holes filled, not yet shortened.
pub fn fill(pattern: &str, arguments: &[&str]) -> String {
    let mut name = pattern.to_owned();
    for argument in arguments {
        name = name.replacen("{}", &escape(argument, "_-"), 1);
    }
    name
}

/// The scope of a path, not yet shortened.
pub fn route(path: &str) -> String {
    format!("route:{}", escape(path, "_-/"))
}

fn escape(text: &str, kept: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match char::from(byte) {
            c if c.is_ascii_alphanumeric() || (c.is_ascii() && kept.contains(c)) => escaped.push(c),
            _ => {
                escaped.push('.');
                for digit in [byte / 16, byte % 16] {
                    escaped.push(char::from_digit(digit.into(), 16).expect("a digit"));
                }
            }
        }
    }
    escaped
}
