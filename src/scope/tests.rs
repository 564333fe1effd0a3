//! The grammar, the macro, and what a wildcard matches; `tests/fuzz` has a second implementation.

use super::*;

#[test]
fn arguments_cannot_forge_another_scope() {
    assert_eq!(scope!("room:{}", "lobby").as_str(), "room:lobby");
    assert_eq!(scope!("room:{}:x", "a:b").as_str(), "room:a.3ab:x");
    assert_ne!(scope!("{}:{}", "a", "b:c"), scope!("{}:{}", "a:b", "c"));
    assert!(!scope!("room:{}", "*").is_wildcard());
    assert_ne!(scope!("room:{}", "é"), scope!("room:{}", ".c3.a9"));
    assert!(Scope::parse(scope!("room:{}", "ü ☃ {x}").as_str()).is_ok());
}

#[test]
fn long_names_end_in_their_hash_and_stay_different() {
    let (a, b) = ("x".repeat(400), "x".repeat(401));
    let (a, b) = (scope!("room:{}", a), scope!("room:{}", b));
    assert_eq!(a.as_str().len(), SCOPE_MAX_BYTES);
    assert_ne!(a, b);
    assert!(Scope::parse(a.as_str()).is_ok());
}

#[test]
fn a_pattern_is_of_the_grammar_whatever_its_arguments_are() {
    for (good, arguments) in [("room:{}", 1), ("{}:{}", 2), ("a{}*", 1), ("global", 0)] {
        assert!(pattern_is_valid(good, arguments), "{good} was refused");
    }
    // With an empty argument `{}*` would be `*`; with `global` as one `{}` would be all.
    for (bad, arguments) in [
        ("", 0),
        ("{}*", 1),
        ("{}", 1),
        ("{}{}", 2),
        ("*", 0),
        ("a**", 0),
        ("tab", 0),
        ("route", 0),
        ("session", 0),
        ("a", 1),
        ("a{}", 0),
        ("a}", 0),
        ("a{", 0),
    ] {
        assert!(!pattern_is_valid(bad, arguments), "{bad} was accepted");
    }
    assert!(pattern_is_valid("tabs", 0) && pattern_is_valid("ta", 0));
}

#[test]
fn a_wildcard_reaches_names_that_were_cut() {
    let long = "x".repeat(400);
    let name = scope!("room:{}:chat", long);
    let cut = name.as_str();
    assert!(scope!("room:*").matches(cut) && scope!("room:*:chat").matches(cut));
    assert!(scope!("room:{}:*", long).matches(cut), "a cut wildcard");
    assert!(scope!("room:{}*", "x".repeat(230)).matches(cut));
    assert!(!scope!("rooms:*").matches(cut) && !scope!("room:{}:*", "y").matches(cut));
    assert!(scope!("room:{}:*", long).is_wildcard());
    assert!(scope!("room:*{}", long).matches(scope!("room:a{}", long).as_str()));
}

#[test]
fn the_grammar_is_php_vias() {
    for good in [
        "room:lobby",
        "route:/chat",
        "a*b",
        "room:*",
        "global",
        "x.y-z_9",
    ] {
        assert_eq!(
            Scope::parse(good)
                .map(|scope| scope.as_str().to_owned())
                .as_deref(),
            Ok(good)
        );
    }
    for bad in [
        "", "*", "*a", "a**", "a b", "{x}", "a@b", "é", "a\0", "tab", "route", "session",
    ] {
        assert!(Scope::parse(bad).is_err(), "{bad:?} was accepted");
    }
    assert!(Scope::parse(&"a".repeat(257)).is_err());
}

#[test]
fn wildcards_match_any_run() {
    let rooms = scope!("room:*");
    assert!(rooms.matches("room:a") && rooms.matches("room:a:b/c") && rooms.matches("room:"));
    assert!(!rooms.matches("rooms:a") && !rooms.matches("roo"));
    let middle = scope!("a*a");
    assert!(middle.matches("aa") && middle.matches("abba") && !middle.matches("a"));
}

#[test]
fn a_route_is_its_concrete_path() {
    assert_eq!(
        Scope::route("/examples/counter").as_str(),
        "route:/examples/counter"
    );
    assert_ne!(Scope::route("/s/A"), Scope::route("/s/B"));
    assert!(
        Scope::parse(Scope::route("/a%20b/*").as_str()).is_ok_and(|scope| !scope.is_wildcard())
    );
}
