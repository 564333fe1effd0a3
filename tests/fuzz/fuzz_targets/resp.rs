//! Any bytes as what a Redis server says: the same replies however the bytes are cut, bounded memory, and
//! sessions that take any reply.
#![no_main]

use autovia_fuzz::wire::resp::{
    Channels, Decoder, FRAME_MAX_BYTES, Login, Protocol, RespError, Subscription, Value, receivers,
};
use libfuzzer_sys::fuzz_target;

fn replies(bytes: &[u8], piece: usize, protocol: Protocol) -> (Vec<Value>, Option<RespError>) {
    let mut decoder = Decoder::new(protocol);
    let mut values = Vec::new();
    for bytes in bytes.chunks(piece) {
        decoder.feed(bytes);
        loop {
            match decoder.next() {
                Ok(Some(value)) => values.push(value),
                Ok(None) => break,
                Err(error) => return (values, Some(error)),
            }
        }
        assert!(decoder.held() <= FRAME_MAX_BYTES);
    }
    (values, None)
}

fuzz_target!(|bytes: &[u8]| {
    let [choice, bytes @ ..] = bytes else { return };
    let protocol = if choice & 1 == 0 {
        Protocol::Three
    } else {
        Protocol::Two
    };
    let piece = usize::from(choice >> 1) + 1;
    let (values, error) = replies(bytes, piece, protocol);
    let whole = replies(bytes, 16 * 1024, protocol);
    // Debug, since a number that is none equals nothing, not even itself.
    assert_eq!(
        format!("{values:?}{error:?}"),
        format!("{:?}{:?}", whole.0, whole.1)
    );

    let mut login = Login::new("autovia-0123456789abcdef", Some("user"), Some("geheim"));
    let mut subscription = Subscription::new(Channels::Plain, "ch");
    for value in values {
        if let Err(error) = login.receive(&value) {
            assert!(!error.to_string().contains("geheim"));
        }
        let _ = receivers(value.clone());
        if let Err(error) = subscription.receive(value) {
            assert!(error.to_string().len() < 100);
        }
    }
});
