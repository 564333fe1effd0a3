use proptest::collection::vec;
use proptest::prelude::*;

use super::super::{BULK_MAX_BYTES, FRAME_MAX_BYTES, LINE_MAX_BYTES};
use super::*;

/// All replies of `bytes`, fed in pieces of these lengths, in turn.
fn fed(
    bytes: &[u8],
    protocol: Protocol,
    pieces: &[usize],
) -> (Vec<Value>, Result<(), RespError>, usize) {
    let mut decoder = Decoder::new(protocol);
    let (mut values, mut rest, mut held) = (Vec::new(), bytes, 0);
    for piece in pieces.iter().cycle() {
        let (now, later) = rest.split_at((*piece).clamp(1, rest.len().max(1)).min(rest.len()));
        rest = later;
        decoder.feed(now);
        loop {
            match decoder.next() {
                Ok(Some(value)) => values.push(value),
                Ok(None) => break,
                Err(error) => return (values, Err(error), held),
            }
        }
        held = held.max(decoder.held());
        if rest.is_empty() {
            break;
        }
    }
    (values, Ok(()), held)
}

fn whole(bytes: &[u8], protocol: Protocol) -> Result<Vec<Value>, RespError> {
    let (values, outcome, _) = fed(bytes, protocol, &[usize::MAX]);
    outcome.map(|()| values)
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

#[test]
fn every_kind_of_reply() {
    let push = Value::Push(vec![text("message"), text("ch"), text("{}")]);
    for (bytes, value) in [
        ("+OK\r\n", text("OK")),
        ("$0\r\n\r\n", text("")),
        ("$4\r\n\r\n\r\n\r\n", text("\r\n\r\n")),
        ("=8\r\ntxt:text\r\n", text("text")),
        (":-7\r\n", Value::Number(-7)),
        ("_\r\n", Value::Null),
        ("#t\r\n", Value::Other),
        (",1.5\r\n", Value::Other),
        ("(123456789012345678901\r\n", Value::Other),
        ("-NOAUTH no\r\n", Value::Error(Refusal::new("NOAUTH no"))),
        ("!3\r\nERR\r\n", Value::Error(Refusal::new("ERR"))),
        ("*0\r\n", Value::List(Vec::new())),
        (
            "%1\r\n+role\r\n$6\r\nmaster\r\n",
            Value::List(vec![text("role"), text("master")]),
        ),
        (
            "%2\r\n+b\r\n:2\r\n+b\r\n%1\r\n+a\r\n:1\r\n",
            Value::List(vec![text("b"), Value::Number(2), text("b"), Value::Other]),
        ),
        (">3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$2\r\n{}\r\n", push),
    ] {
        assert_eq!(
            whole(bytes.as_bytes(), Protocol::Three),
            Ok(vec![value]),
            "{bytes:?}"
        );
    }
}

#[test]
fn the_old_version_has_other_nulls_and_fewer_kinds() {
    let nulls = b"$-1\r\n*-1\r\n*2\r\n$-1\r\n:1\r\n";
    assert_eq!(
        whole(nulls, Protocol::Two),
        Ok(vec![
            Value::Null,
            Value::Null,
            Value::List(vec![Value::Null, Value::Number(1)]),
        ])
    );
    assert_eq!(whole(b"$-1\r\n", Protocol::Three), Err(RespError::Number));
    assert_eq!(whole(b"_\r\n", Protocol::Two), Err(RespError::Kind));
    assert_eq!(whole(b">1\r\n", Protocol::Two), Err(RespError::Kind));
}

#[test]
fn what_breaks_the_protocol() {
    use RespError::*;
    let line = format!("+{}", "a".repeat(2000));
    let deep = "*1\r\n".repeat(10_000);
    let many = format!("*1024\r\n{}", ":1\r\n".repeat(1024));
    let heavy = format!(
        "*3\r\n{0}{0}",
        format!("$65000\r\n{}\r\n", "x".repeat(65000))
    );
    for (bytes, error) in [
        ("?\r\n", Kind),
        ("HTTP/1.1 400 Bad Request\r\n", Kind),
        ("\r\n", Kind),
        ("~1\r\n:1\r\n", Kind),
        ("|1\r\n+a\r\n+b\r\n", Kind),
        ("$?\r\n", Number),
        ("*?\r\n", Number),
        ("$03\r\nabc\r\n", Number),
        ("$+3\r\nabc\r\n", Number),
        ("$-2\r\n", Number),
        ("$\r\n", Number),
        ("$99999999999\r\n", Number),
        ("$1000000000\r\n", Number),
        (":\r\n", Number),
        (":1.5\r\n", Number),
        (":99999999999999999999\r\n", Number),
        ("$3\r\nabcXY", LineEnd),
        ("$3\r\nabcd\r\n", LineEnd),
        ("+a\rb\r\n", LineEnd),
        ("+a\n", LineEnd),
        (line.as_str(), LineTooLong),
        (deep.as_str(), TooDeep),
        (many.as_str(), TooMany),
        ("*4294967295\r\n", TooMany),
        ("%2147483648\r\n", TooMany),
        (heavy.as_str(), TooLong),
        ("_x\r\n", Content),
        ("#x\r\n", Content),
        (",x\r\n", Content),
        ("=8\r\nxyz:text\r\n", Content),
        ("*1\r\n%1\r\n*0\r\n:1\r\n", Content),
    ] {
        let shown = &bytes[..bytes.len().min(40)];
        assert_eq!(
            whole(bytes.as_bytes(), Protocol::Three),
            Err(error),
            "{shown:?}"
        );
    }
}

#[test]
fn a_line_may_have_the_longest_length_and_no_more() {
    for protocol in [Protocol::Two, Protocol::Three] {
        for (bytes, fits) in [(LINE_MAX_BYTES, true), (LINE_MAX_BYTES + 1, false)] {
            let line = format!("+{}\r\n", "a".repeat(bytes));
            let expected = if fits {
                Ok(())
            } else {
                Err(RespError::LineTooLong)
            };
            for piece in [1, LINE_MAX_BYTES + 1, LINE_MAX_BYTES + 2, usize::MAX] {
                let (_, outcome, _) = fed(line.as_bytes(), protocol, &[piece]);
                assert_eq!(outcome, expected, "{bytes} bytes in pieces of {piece}");
            }
        }
    }
}

#[test]
fn an_error_stays() {
    let mut decoder = Decoder::new(Protocol::Three);
    decoder.feed(b"?");
    assert_eq!(decoder.next(), Err(RespError::Kind));
    decoder.feed(b"+OK\r\n");
    assert_eq!(decoder.next(), Err(RespError::Kind));
}

#[test]
fn a_long_message_is_read_over_and_the_next_one_comes() {
    let message = |length: usize| {
        let payload = "x".repeat(length);
        format!(">3\r\n+message\r\n+ch\r\n${length}\r\n{payload}\r\n")
    };
    let bytes = [
        message(BULK_MAX_BYTES),
        message(BULK_MAX_BYTES + 1),
        message(3_000_000),
        message(2),
    ]
    .concat();
    for piece in [1000, 16 * 1024, usize::MAX] {
        let (values, outcome, held) = fed(bytes.as_bytes(), Protocol::Three, &[piece]);
        assert_eq!(outcome, Ok(()));
        assert_eq!(values.len(), 4);
        assert_eq!(values[1..3], [Value::TooLong, Value::TooLong]);
        let Value::Push(parts) = &values[3] else {
            panic!("{:?}", values[3])
        };
        assert_eq!(parts[2], text("xx"));
        assert!(piece > FRAME_MAX_BYTES || held <= FRAME_MAX_BYTES, "{held}");
    }
    let unended = format!(
        "${}\r\n{}XY",
        BULK_MAX_BYTES + 1,
        "x".repeat(BULK_MAX_BYTES + 1)
    );
    assert_eq!(
        whole(unended.as_bytes(), Protocol::Three),
        Err(RespError::LineEnd)
    );
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        vec(any::<u8>(), 0..40).prop_map(Value::Text),
        any::<i64>().prop_map(Value::Number),
        Just(Value::Null),
        "[A-Z]{1,8} [a-z ]{0,20}".prop_map(|text| Value::Error(Refusal::new(text))),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| vec(inner, 0..6).prop_map(Value::List))
}

fn encode(value: &Value, protocol: Protocol, out: &mut Vec<u8>) {
    match value {
        Value::Text(text) => {
            out.extend(format!("${}\r\n", text.len()).bytes());
            out.extend(text);
            out.extend(b"\r\n");
        }
        Value::Number(number) => out.extend(format!(":{number}\r\n").bytes()),
        Value::Null if protocol == Protocol::Two => out.extend(b"$-1\r\n"),
        Value::Null => out.extend(b"_\r\n"),
        Value::Error(refusal) => out.extend(format!("-{}\r\n", refusal.text()).bytes()),
        Value::List(list) => {
            out.extend(format!("*{}\r\n", list.len()).bytes());
            list.iter().for_each(|value| encode(value, protocol, out));
        }
        other => panic!("{other:?} is not made here"),
    }
}

proptest! {
    #[test]
    fn replies_survive_any_split(
        values in vec(any_value(), 0..6),
        old: bool,
        pieces in vec(1_usize..50, 1..20),
    ) {
        let protocol = if old { Protocol::Two } else { Protocol::Three };
        let mut bytes = Vec::new();
        values.iter().for_each(|value| encode(value, protocol, &mut bytes));
        let (decoded, outcome, _) = fed(&bytes, protocol, &pieces);
        prop_assert_eq!(outcome, Ok(()));
        prop_assert_eq!(decoded, values);
    }

    #[test]
    fn any_bytes_in_any_split_read_the_same(
        bytes in vec(prop_oneof![
            4 => proptest::sample::select(b"+-:$*>%_#,(=!~|?019\r\n".as_slice()),
            1 => any::<u8>(),
        ], 0..200),
        old: bool,
        pieces in vec(1_usize..9, 1..20),
    ) {
        let protocol = if old { Protocol::Two } else { Protocol::Three };
        let (values, outcome, _) = fed(&bytes, protocol, &pieces);
        let (values_at_once, outcome_at_once, _) = fed(&bytes, protocol, &[usize::MAX]);
        prop_assert_eq!(values, values_at_once);
        prop_assert_eq!(outcome, outcome_at_once);
    }
}
