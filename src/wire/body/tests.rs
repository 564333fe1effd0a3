//! Bodies and queries that are taken, and those that are refused.

use proptest::prelude::*;

use super::*;

const MAX: usize = 1000;

fn parse(json: &str) -> Result<ActionBody, BodyError> {
    ActionBody::parse(json.as_bytes(), MAX_DEPTH, MAX)
}

#[test]
fn a_body_is_taken_apart() {
    let body =
        parse(r#" {"step": 2, "via_ctx":"c\u0031", "draft":"h\"i", "_args":[1, {"a":[]}, null]} "#)
            .unwrap();
    assert_eq!(body.context, "c1");
    assert_eq!(
        body.args.iter().map(|arg| arg.get()).collect::<Vec<_>>(),
        ["1", r#"{"a":[]}"#, "null"]
    );
    assert_eq!(body.inputs.len(), 2);
    assert_eq!(body.input("step").unwrap().get(), "2");
    assert_eq!(body.input("draft").unwrap().get(), r#""h\"i""#);
    assert!(body.input("via_ctx").is_none());
    let body = parse(r#"{"via_ctx":""}"#).unwrap();
    assert_eq!(
        (body.context.as_str(), body.args.len(), body.inputs.len()),
        ("", 0, 0)
    );
}

#[test]
fn other_bodies_are_refused_by_name() {
    for (json, error) in [
        ("{}", BodyError::NoContext),
        (r#"{"step":1}"#, BodyError::NoContext),
        (r#"{"via_ctx":1}"#, BodyError::ContextNotText),
        (r#"{"via_ctx":null}"#, BodyError::ContextNotText),
        (r#"{"via_ctx":["a"]}"#, BodyError::ContextNotText),
        (r#"{"via_ctx":"\ud800"}"#, BodyError::ContextNotText),
        (r#"{"via_ctx":"a","_args":{}}"#, BodyError::ArgsNotList),
        (r#"{"via_ctx":"a","_args":null}"#, BodyError::ArgsNotList),
        (r#"{"via_ctx":"a","via_ctx":"b"}"#, BodyError::Repeated),
        (r#"{"via_ctx":"a","x":1,"\u0078":2}"#, BodyError::Repeated),
        (r#"[{"via_ctx":"a"}]"#, BodyError::NotObject),
        ("\"a\"", BodyError::NotObject),
        ("null", BodyError::NotObject),
    ] {
        assert_eq!(parse(json).unwrap_err(), error, "{json}");
        assert_eq!(error.status(), 400);
    }
    for json in [
        "",
        " ",
        "{",
        "}",
        "nul",
        r#"{"via_ctx":"a"} x"#,
        r#"{"via_ctx":"a",}"#,
        r#"{via_ctx:"a"}"#,
        r"{'via_ctx':'a'}",
        r#"{"via_ctx":"a","x":01}"#,
        r#"{"via_ctx":"a","x":NaN}"#,
        "{\"via_ctx\":\"a\nb\"}",
        r#"{"via_ctx":"a","x":"\q"}"#,
        r#"{"via_ctx":"a","x":[1}}"#,
        r"{1:2}",
        "\u{feff}{}",
        "{\"via_ctx\":\"a\"}\0",
    ] {
        assert!(
            matches!(parse(json), Err(BodyError::NotJson { .. })),
            "{json}"
        );
    }
    let error = ActionBody::parse(b"{\"via_ctx\":\"\xff\"}", MAX_DEPTH, MAX).unwrap_err();
    assert_eq!(error, BodyError::NotJson { line: 0, column: 0 });
}

#[test]
fn depth_and_size_have_exact_bounds() {
    let nested = |lists: usize| {
        format!(
            r#"{{"via_ctx":"a","x":{}{}}}"#,
            "[".repeat(lists),
            "]".repeat(lists)
        )
    };
    assert!(parse(&nested(MAX_DEPTH - 1)).is_ok());
    assert_eq!(
        parse(&nested(MAX_DEPTH)).unwrap_err(),
        BodyError::TooDeep { max: MAX_DEPTH }
    );
    let open = "[".repeat(500_000);
    let error = ActionBody::parse(open.as_bytes(), MAX_DEPTH, usize::MAX).unwrap_err();
    assert_eq!(error, BodyError::TooDeep { max: MAX_DEPTH });
    // Brackets inside strings don't count, whatever is escaped there; behind a string they do.
    let open = "[{".repeat(100);
    let inside = format!(r#"{{"via_ctx":"{open}","x":"\"{open}","y":"a\\"}}"#);
    assert!(parse(&inside).is_ok());
    let behind = format!(r#"{{"via_ctx":"a\\","x":{open}"#);
    assert_eq!(
        parse(&behind).unwrap_err(),
        BodyError::TooDeep { max: MAX_DEPTH }
    );

    let sized = |bytes: usize| format!(r#"{{"via_ctx":"{}"}}"#, "a".repeat(bytes - 14));
    assert!(parse(&sized(MAX)).is_ok());
    assert_eq!(
        parse(&sized(MAX + 1)).unwrap_err(),
        BodyError::TooLarge { max: MAX }
    );
    assert_eq!(BodyError::TooLarge { max: MAX }.status(), 413);
}

#[test]
fn stream_queries() {
    for (query, result) in [
        ("datastar=%7B%22via_ctx%22%3A%22c1%22%7D", Ok("c1")),
        ("datastar={\"via_ctx\":\"c1\"}", Ok("c1")),
        ("x=1&datastar=%7B%22via_ctx%22%3A+%22c+1%22%7D&y", Ok("c 1")),
        (
            "datastar={\"via_ctx\":\"c\",\"other\":{\"a\":[1]}}",
            Ok("c"),
        ),
        ("", Err(BodyError::NoContext)),
        ("datastar", Err(BodyError::NoContext)),
        ("Datastar={\"via_ctx\":\"c\"}", Err(BodyError::NoContext)),
        ("datastar={}", Err(BodyError::NoContext)),
        ("datastar={\"via_ctx\":7}", Err(BodyError::ContextNotText)),
        ("datastar=[]", Err(BodyError::NotObject)),
        ("datastar={}&datastar={}", Err(BodyError::RepeatedParameter)),
        ("datastar=%7", Err(BodyError::Percent(PercentError::Escape))),
        (
            "datastar=%ff",
            Err(BodyError::Percent(PercentError::NotUtf8)),
        ),
        ("datastar=%00", Err(BodyError::Percent(PercentError::Nul))),
        ("datastar=", Err(BodyError::NotJson { line: 1, column: 0 })),
    ] {
        assert_eq!(
            stream_query(query, 100).as_deref(),
            result.as_ref().copied(),
            "{query}"
        );
    }
    let long = format!("datastar={{\"via_ctx\":\"{}\"}}", "a".repeat(87));
    assert_eq!(
        stream_query(&long, 100),
        Err(BodyError::TooLarge { max: 100 })
    );
    assert!(stream_query(&long, 101).is_ok());
}

fn value() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::hash_map(".{0,4}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_a_page_sends_arrives(
        context: String,
        args in proptest::collection::vec(value(), 0..4),
        inputs in proptest::collection::hash_map("[a-z]{1,6}", value(), 0..6),
    ) {
        let mut object: serde_json::Map<_, _> = inputs.clone().into_iter().collect();
        object.insert(CONTEXT_MEMBER.to_owned(), context.clone().into());
        object.insert(ARGS_MEMBER.to_owned(), args.clone().into());
        let json = serde_json::to_vec(&object).unwrap();
        let body = ActionBody::parse(&json, MAX_DEPTH, usize::MAX).unwrap();
        prop_assert_eq!(&body.context, &context);
        let read: Vec<serde_json::Value> =
            body.args.iter().map(|arg| serde_json::from_str(arg.get()).unwrap()).collect();
        prop_assert_eq!(read, args);
        prop_assert_eq!(body.inputs.len(), inputs.len());
        for (name, value) in &inputs {
            let raw = body.input(name).unwrap().get();
            prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(raw).unwrap(), value);
        }
    }

    #[test]
    fn any_bytes_are_harmless(
        pieces in proptest::collection::vec(
            prop::sample::select(vec!["{", "}", "[", "]", "\"", "\\", ",", ":", "via_ctx", "_args", "a", "1", " ", "\u{0}", "ü"]),
            0..24,
        ),
    ) {
        let text = pieces.concat();
        if let Ok(body) = parse(&text) {
            let whole: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(whole[CONTEXT_MEMBER].as_str(), Some(body.context.as_str()));
        }
        prop_assert_eq!(stream_query(&format!("datastar={text}"), MAX).is_ok(), stream_query(&format!("datastar={text}&"), MAX).is_ok());
    }
}
