//! Any bytes as what a NATS server says: the same events however the bytes are cut, bounded memory,
//! and nothing of what was said in an error. Also as a seed, a credentials file and a subject.
#![no_main]

use autovia_fuzz::wire::nats::{
    Address, Credentials, Decoder, Event, Frame, FrameError, LINE_MAX_BYTES, Login,
    PAYLOAD_MAX_BYTES, Session, SessionError, Subject, UserSeed,
};
use libfuzzer_sys::fuzz_target;

const PIECE_BYTES: usize = 16 * 1024;

fn frames(bytes: &[u8], piece: usize) -> (Vec<Frame>, Option<FrameError>) {
    let mut decoder = Decoder::default();
    let mut frames = Vec::new();
    for bytes in bytes.chunks(piece) {
        decoder.feed(bytes);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
        // A vector may have grown to twice what it holds.
        assert!(decoder.held_bytes() <= 2 * (LINE_MAX_BYTES + 2 * PAYLOAD_MAX_BYTES + PIECE_BYTES));
    }
    (frames, None)
}

fn events(bytes: &[u8], piece: usize) -> (Vec<Event>, Option<SessionError>, Vec<u8>) {
    let subject = Subject::parse("via.broadcast").expect("it is a subject");
    let mut session = Session::new(subject);
    let (mut events, mut said) = (Vec::new(), Vec::new());
    for bytes in bytes.chunks(piece) {
        session.feed(bytes);
        loop {
            match session.next_event() {
                Ok(Some(event)) => {
                    let greeted = matches!(event, Event::Info(_)) && events.is_empty();
                    if greeted {
                        let login = Login::Token("geheim".to_owned());
                        session.login(&login, "n", false).expect("it was greeted");
                    }
                    if event == Event::Ready {
                        let _ = session.publish(&[b"{}".to_vec()]);
                    }
                    events.push(event);
                }
                Ok(None) => break,
                Err(error) => {
                    said.extend(session.take_output());
                    return (events, Some(error), said);
                }
            }
            said.extend(session.take_output());
        }
        said.extend(session.take_output());
    }
    (events, None, said)
}

fuzz_target!(|bytes: &[u8]| {
    let [piece, bytes @ ..] = bytes else { return };
    let piece = usize::from(*piece) + 1;
    assert_eq!(frames(bytes, piece), frames(bytes, PIECE_BYTES));
    let (heard, error, said) = events(bytes, piece);
    if let Some(error) = &error {
        let text = error.to_string();
        assert!(text.len() < 200 && !text.contains("geheim"));
    }
    // Only how many pings may wait depends on how the bytes are cut.
    let (whole, whole_error, whole_said) = events(bytes, PIECE_BYTES);
    if error != Some(SessionError::Pings) && whole_error != Some(SessionError::Pings) {
        assert_eq!((heard, error, said), (whole, whole_error, whole_said));
    }

    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(seed) = UserSeed::parse(text) {
            assert!(seed.public_key().starts_with('U'));
        }
        if let Ok(credentials) = Credentials::parse(text) {
            assert!(text.contains(&credentials.jwt));
        }
        if let Ok(subject) = Subject::parse(text) {
            assert!(!subject.as_str().contains([' ', '\r', '\n']));
        }
        if let Some(address) = Address::parse(text) {
            assert!(text.contains(&address.host) && address.port != 0);
        }
    }
});
