//! Whole frames come out however the bytes are cut, a second decoder sees the same, and what is
//! wrong, too long or endless is an error or is left out, within a bound.

use proptest::collection::vec;
use proptest::prelude::*;
use watermelon_proto::proto::{ServerOp, StreamDecoder};

use crate::wire::nats::frame::PASSED_MAX_BYTES;
use crate::wire::nats::{
    Address, Decoder, Frame, FrameError, LINE_MAX_BYTES, PAYLOAD_MAX_BYTES, ServerInfo, Subject,
    SubjectError,
};

fn decode(bytes: &[u8], piece: usize) -> Result<Vec<Frame>, FrameError> {
    let mut decoder = Decoder::default();
    let mut frames = Vec::new();
    for piece in bytes.chunks(piece.max(1)) {
        decoder.feed(piece);
        while let Some(frame) = decoder.next_frame()? {
            frames.push(frame);
        }
    }
    Ok(frames)
}

fn error(bytes: &[u8]) -> FrameError {
    decode(bytes, usize::MAX).expect_err("it is malformed")
}

fn message(sid: u64, payload: &[u8]) -> Frame {
    Frame::Message {
        sid,
        payload: payload.to_vec(),
    }
}

#[test]
fn each_operation_of_a_server_is_read() {
    let bytes = b"INFO {\"a\":1} \r\n+OK\r\nPING\r\nPONG \r\n-ERR 'Stale Connection'\r\n\
        MSG s 1 3\r\nabc\r\nMSG s 1 reply.to 0\r\n\r\nmsg\ts  1\t2\r\n\r\n\r\n\
        HMSG s 7 12 15\r\nNATS/1.0\r\n\r\nxyz\r\nHMSG s 7 r 12 12\r\nNATS/1.0\r\n\r\n\r\n";
    let expected = [
        Frame::Info(b"{\"a\":1}".to_vec()),
        Frame::Ok,
        Frame::Ping,
        Frame::Pong,
        Frame::Error(b"Stale Connection".to_vec()),
        message(1, b"abc"),
        message(1, b""),
        message(1, b"\r\n"),
        message(7, b"xyz"),
        message(7, b""),
    ];
    for piece in [1, 2, 3, 7, usize::MAX] {
        assert_eq!(decode(bytes, piece).as_deref(), Ok(&expected[..]));
    }
}

#[test]
fn what_is_no_frame_is_an_error_that_says_why() {
    for (bytes, expected) in [
        (&b"PING\n"[..], FrameError::LineEnd),
        (b"\r\n", FrameError::Operation),
        (b"GET / HTTP/1.1\r\n", FrameError::Operation),
        (b"PING 1\r\n", FrameError::Operation),
        (b"PUB s 1\r\na\r\n", FrameError::Operation),
        (b"MSG s 1\r\n", FrameError::Arguments),
        (b"MSG s 1 r 1 1\r\n", FrameError::Arguments),
        (b"HMSG s 1 12\r\n", FrameError::Arguments),
        (b"MSG s 1 r r 1 1 1 1 1 1\r\n", FrameError::Arguments),
        (b"MSG s x 1\r\n", FrameError::Number),
        (b"MSG s 1 -1\r\n", FrameError::Number),
        (b"MSG s 1 +1\r\n", FrameError::Number),
        (b"MSG s 1 99999999999999999999\r\n", FrameError::Number),
        (b"MSG s 1 67108865\r\n", FrameError::Number),
        (b"HMSG s 1 4 3\r\n", FrameError::Number),
        (b"MSG s 1 3\r\nabcd\r\n", FrameError::PayloadEnd),
        (b"MSG s 1 3\r\nab\r\nPING\r\n", FrameError::PayloadEnd),
        (
            b"HMSG s 1 12 12\r\nHTTP/1.0\r\n\r\n\r\n",
            FrameError::Headers,
        ),
        (b"HMSG s 1 10 10\r\nNATS/1.0\r\n\r\n", FrameError::Headers),
    ] {
        assert_eq!(error(bytes), expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_line_may_have_the_longest_length_and_no_more() {
    for (blanks, fits) in [(LINE_MAX_BYTES - 4, true), (LINE_MAX_BYTES - 3, false)] {
        let line = [&b"PING"[..], &vec![b' '; blanks], b"\r\n"].concat();
        let expected = if fits {
            Ok(vec![Frame::Ping])
        } else {
            Err(FrameError::LineTooLong)
        };
        for piece in [1000, LINE_MAX_BYTES, usize::MAX] {
            assert_eq!(decode(&line, piece), expected);
        }
    }
}

#[test]
fn a_line_that_is_too_long_and_ends_badly_is_one_error_however_it_comes() {
    let line = [&vec![b'x'; LINE_MAX_BYTES + 2][..], b"\n"].concat();
    for piece in [1000, LINE_MAX_BYTES + 2, usize::MAX] {
        assert_eq!(decode(&line, piece), Err(FrameError::LineTooLong));
    }
}

#[test]
fn an_endless_line_is_an_error_and_not_kept() {
    let mut decoder = Decoder::default();
    let piece = [b'x'; 16 * 1024];
    let mut fed = 0;
    let error = loop {
        decoder.feed(&piece);
        fed += piece.len();
        match decoder.next_frame() {
            Ok(frame) => assert_eq!(frame, None),
            Err(error) => break error,
        }
    };
    assert_eq!(error, FrameError::LineTooLong);
    assert!(fed <= LINE_MAX_BYTES + 2 * piece.len());
}

#[test]
fn a_payload_that_is_too_long_passes_and_the_next_frame_is_found() {
    for length in [PAYLOAD_MAX_BYTES, PAYLOAD_MAX_BYTES + 1, 3_000_000] {
        let payload = vec![b'x'; length];
        let head = format!("MSG s 1 {length}\r\n");
        let bytes = [head.as_bytes(), &payload, b"\r\nPING\r\n"].concat();
        let mut decoder = Decoder::default();
        let mut frames = Vec::new();
        for piece in bytes.chunks(16 * 1024) {
            decoder.feed(piece);
            while let Some(frame) = decoder.next_frame().expect("it is well-formed") {
                frames.push(frame);
            }
            assert!(decoder.held_bytes() <= 256 * 1024);
        }
        let first = if length > PAYLOAD_MAX_BYTES {
            let bytes = length as u64;
            Frame::Passed { sid: 1, bytes }
        } else {
            message(1, &payload)
        };
        assert_eq!(frames, [first, Frame::Ping]);
    }
    assert_eq!(
        error(format!("MSG s 1 {}\r\n", PASSED_MAX_BYTES + 1).as_bytes()),
        FrameError::Number
    );
}

#[test]
fn headers_that_are_too_long_pass_with_their_payload() {
    let header = vec![b'h'; PAYLOAD_MAX_BYTES + 1];
    let (headers, total) = (header.len(), header.len() + 2);
    let head = format!("HMSG s 1 {headers} {total}\r\n");
    let bytes = [head.as_bytes(), &header, b"ab\r\nPONG\r\n"].concat();
    let bytes_passed = total as u64;
    assert_eq!(
        decode(&bytes, 5000).expect("it is well-formed"),
        [
            Frame::Passed {
                sid: 1,
                bytes: bytes_passed
            },
            Frame::Pong
        ]
    );
}

#[test]
fn an_info_is_read_for_what_matters_and_bounded() {
    let info = ServerInfo::parse(
        br#"{"server_id":"N","max_payload":1048576,"tls_required":true,"nonce":"abc","ldm":true,
        "connect_urls":["10.0.0.1:4222","[::1]:4223","bad","x:0","a b:1","::1:4222","nats-2.internal:4222","h:+1"],
        "unknown":{"deep":[1,2]}}"#,
    )
    .expect("it is an INFO");
    assert_eq!(info.max_payload, 1_048_576);
    assert!(info.tls_required && !info.tls_available && info.leaving);
    assert_eq!(info.nonce.as_deref(), Some("abc"));
    let addresses: Vec<(&str, u16)> = info
        .addresses
        .iter()
        .map(|address| (address.host.as_str(), address.port))
        .collect();
    assert_eq!(
        addresses,
        [("10.0.0.1", 4222), ("::1", 4223), ("nats-2.internal", 4222)]
    );

    let many: Vec<String> = (0..5000).map(|n| format!("\"h{n}:1\"")).collect();
    let many = format!("{{\"connect_urls\":[{}]}}", many.join(","));
    let many = ServerInfo::parse(many.as_bytes()).expect("it is an INFO");
    assert_eq!(many.addresses.len(), 16);
    assert_eq!(many.max_payload, 1024 * 1024);

    let deep = |name| {
        format!(
            "{{\"{name}\":{}1{}}}",
            "[".repeat(30_000),
            "]".repeat(30_000)
        )
    };
    for refused in [
        "",
        "[]",
        "{",
        r#"{"max_payload":0}"#,
        r#"{"max_payload":-1}"#,
        r#"{"max_payload":"1"}"#,
        r#"{"ldm":1}"#,
        r#"{"nonce":5}"#,
        r#"{"connect_urls":{"a":1}}"#,
        r#"{"connect_urls":[1]}"#,
        &format!(r#"{{"nonce":"{}"}}"#, "n".repeat(257)),
        &deep("connect_urls"),
        &deep("nonce"),
    ] {
        assert_eq!(ServerInfo::parse(refused.as_bytes()), None, "{refused}");
    }
    assert!(ServerInfo::parse(br#"{"connect_urls":null}"#).is_some());
    // What nobody reads is skipped without recursion.
    assert!(ServerInfo::parse(deep("unknown").as_bytes()).is_some());
    assert_eq!(Address::parse(&format!("{}:1", "a".repeat(254))), None);
}

#[test]
fn a_subject_is_one_name_without_wildcards() {
    for good in ["via.broadcast", "x", "a.b*c", "$APP.x>y"] {
        assert_eq!(Subject::parse(good).map(|s| s.as_str() == good), Ok(true));
    }
    for (bad, error) in [
        ("", SubjectError::Length),
        (&"a".repeat(256), SubjectError::Length),
        ("a b", SubjectError::Character),
        ("a\r\nPUB x 0", SubjectError::Character),
        ("é", SubjectError::Character),
        (".a", SubjectError::EmptyPart),
        ("a.", SubjectError::EmptyPart),
        ("a..b", SubjectError::EmptyPart),
        ("a.*", SubjectError::Wildcard),
        (">", SubjectError::Wildcard),
    ] {
        assert_eq!(Subject::parse(bad), Err(error), "{bad}");
    }
}

/// Bytes of a whole frame.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let message = (
        "[a-z]{1,5}(\\.[a-z]{1,5}){0,2}",
        1..99_u64,
        proptest::option::of("[a-z]{1,9}"),
        vec(any::<u8>(), 0..200),
        any::<bool>(),
    )
        .prop_map(|(subject, sid, reply, payload, headers)| {
            let reply = reply.map(|reply| format!("{reply} ")).unwrap_or_default();
            let (operation, header) = if headers {
                ("HMSG", "NATS/1.0\r\nA: b\r\n\r\n")
            } else {
                ("MSG", "")
            };
            let lengths = if headers {
                format!("{} {}", header.len(), header.len() + payload.len())
            } else {
                payload.len().to_string()
            };
            let head = format!("{operation} {subject} {sid} {reply}{lengths}\r\n{header}");
            [head.as_bytes(), &payload, b"\r\n"].concat()
        });
    let words = prop_oneof![
        Just("PING"),
        Just("PONG"),
        Just("+OK"),
        Just("-ERR 'Some Words'")
    ]
    .prop_map(|word| format!("{word}\r\n").into_bytes());
    prop_oneof![4 => message, 1 => words]
}

fn seen_by_another(bytes: &[u8]) -> Vec<Frame> {
    use bytes::BufMut as _;

    let mut decoder = StreamDecoder::new();
    decoder.read_buf().put_slice(bytes);
    let mut frames = Vec::new();
    while let Some(operation) = decoder.decode().expect("it is well-formed") {
        frames.push(match operation {
            ServerOp::Ping => Frame::Ping,
            ServerOp::Pong => Frame::Pong,
            ServerOp::Success => Frame::Ok,
            ServerOp::Error { .. } => Frame::Error(b"Some Words".to_vec()),
            ServerOp::Message { message } => Frame::Message {
                sid: message
                    .subscription_id
                    .to_string()
                    .parse()
                    .expect("a number"),
                payload: message.base.payload.to_vec(),
            },
            ServerOp::Info { .. } => panic!("no INFO was made"),
        });
    }
    frames
}

proptest! {
    #[test]
    fn frames_are_what_another_decoder_sees(frames in vec(any_frame(), 0..12), piece in 1..50_usize) {
        let bytes = frames.concat();
        let seen = decode(&bytes, piece).expect("it is well-formed");
        prop_assert_eq!(seen.len(), frames.len());
        prop_assert_eq!(seen, seen_by_another(&bytes));
    }

    #[test]
    fn any_bytes_mean_the_same_however_they_are_cut(
        frames in vec(prop_oneof![any_frame(), vec(any::<u8>(), 0..30)], 0..8),
        flip in any::<(prop::sample::Index, u8)>(),
        piece in 1..40_usize,
    ) {
        let mut bytes = frames.concat();
        if !bytes.is_empty() {
            let at = flip.0.index(bytes.len());
            bytes[at] = flip.1;
        }
        prop_assert_eq!(decode(&bytes, piece), decode(&bytes, usize::MAX));
        prop_assert_eq!(decode(&bytes, 1), decode(&bytes, usize::MAX));
    }
}
