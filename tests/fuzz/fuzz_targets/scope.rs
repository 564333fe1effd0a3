//! Any text as a scope, a pattern, an argument, a path and a name to be matched: what a second
//! implementation of the grammar says, and no argument ever forges another scope.
#![no_main]

use autovia_fuzz::scope::SCOPE_MAX_BYTES;
use autovia_fuzz::{Scope, pattern_is_valid, second_scope as second};
use libfuzzer_sys::fuzz_target;

/// Holes are kept apart by what no escape makes, so different arguments are different scopes.
const PATTERNS: [&str; 6] = [
    "room:{}:{}",
    "{}:{}",
    "a{}/{}:b",
    "r:{}*:{}",
    "r{}:{}*",
    "a:*:{}:{}",
];

fuzz_target!(|input: (u8, u8, &str, &str, &str, &str)| {
    let (pattern, repeat, one, two, three, four) = input;
    grammar(one);
    grammar(two);
    matching(one, two);
    assert_eq!(
        pattern_is_valid(one, usize::from(repeat)),
        second::is_pattern(one, usize::from(repeat)),
        "{one:?} as a pattern"
    );
    // A short input becomes a name that is too long.
    let times = if one.len() < 64 { repeat % 12 } else { 0 };
    let long = one.repeat(1 + usize::from(times));
    building(
        PATTERNS[usize::from(pattern) % PATTERNS.len()],
        [&long, two],
        [three, four],
    );
    members(&long, two, three);
    routes(&long, two);
});

fn grammar(text: &str) {
    match Scope::parse(text) {
        Ok(scope) => {
            assert!(second::is_scope(text), "{text:?} was accepted");
            assert_eq!(scope.as_str(), text);
            assert_eq!(scope.to_string(), text);
            assert_eq!(scope.is_wildcard(), text.contains('*'));
        }
        Err(error) => {
            assert!(!second::is_scope(text), "{text:?} was refused");
            assert!(!error.to_string().contains(['\n', '\r', '\0']), "{error}");
        }
    }
}

fn matching(one: &str, two: &str) {
    let Ok(scope) = Scope::parse(one) else { return };
    if two.len() != SCOPE_MAX_BYTES {
        assert_eq!(scope.matches(two), second::matches(one, two));
    }
    let filled = one.replacen('*', two, 1);
    if filled.len() <= SCOPE_MAX_BYTES {
        assert!(scope.matches(&filled), "{one:?} and {filled:?}");
    }
}

fn building(pattern: &'static str, some: [&str; 2], others: [&str; 2]) {
    assert!(pattern_is_valid(pattern, 2));
    let scope = Scope::build(pattern, &[&some[0], &some[1]]);
    let plain = second::fill(pattern, &some);
    let name = scope.as_str();
    assert_eq!(Scope::parse(name).as_ref().map(Scope::as_str), Ok(name));
    assert_eq!(scope.is_wildcard(), pattern.contains('*'), "{name:?}");
    if plain.len() <= SCOPE_MAX_BYTES {
        assert_eq!(name, plain);
    }
    let other = Scope::build(pattern, &[&others[0], &others[1]]);
    if some == others {
        assert_eq!(scope, other);
    } else if !pattern.contains('*')
        || plain.len().max(second::fill(pattern, &others).len()) <= SCOPE_MAX_BYTES
    {
        assert_ne!(scope, other, "{some:?} and {others:?}");
    }
}

/// A broadcast by wildcard reaches every member that it means, however long the names are.
fn members(one: &str, two: &str, three: &str) {
    let name = Scope::build("room:{}:{}", &[&one, &two]);
    let plain = second::fill("room:{}:{}", &[one, two]);
    for (pattern, argument) in [
        ("room:*", None),
        ("room:{}:*", Some(one)),
        ("room:{}:*", Some(three)),
        ("room:*:{}", Some(two)),
        ("room:*:{}", Some(three)),
        ("rooms:*:{}", Some(two)),
    ] {
        let arguments: Vec<&str> = argument.into_iter().collect();
        let wildcard = match arguments[..] {
            [argument] => Scope::build(pattern, &[&argument]),
            _ => Scope::build(pattern, &[]),
        };
        let whole = second::fill(pattern, &arguments);
        let meant = second::matches(&whole, &plain);
        let reached = wildcard.matches(name.as_str());
        assert!(reached || !meant, "{wildcard} does not reach {name}");
        let short = plain.len() < SCOPE_MAX_BYTES && whole.len() <= SCOPE_MAX_BYTES;
        assert!(!short || reached == meant, "{wildcard} reaches {name}");
        assert!(!(reached && pattern.starts_with("rooms")));
    }
}

fn routes(one: &str, two: &str) {
    let (route, other) = (Scope::route(one), Scope::route(two));
    assert!(!route.is_wildcard() && Scope::parse(route.as_str()).is_ok());
    assert_eq!(route == other, one == two, "{one:?} and {two:?}");
    let plain = second::route(one);
    if plain.len() <= SCOPE_MAX_BYTES {
        assert_eq!(route.as_str(), plain);
    }
}
