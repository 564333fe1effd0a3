//! Any bytes as a chunked body, whole and in pieces: the same outcome, never past the limit.
#![no_main]

use autovia_fuzz::wire::chunked::{ChunkedError, Decoder};
use libfuzzer_sys::fuzz_target;

const MAX: u64 = 300;

fn decode(bytes: &[u8], piece: usize) -> Result<(Vec<u8>, usize, bool), ChunkedError> {
    let mut decoder = Decoder::new(MAX);
    let (mut out, mut consumed) = (Vec::new(), 0);
    for piece in bytes.chunks(piece) {
        let progress = decoder.decode(piece, &mut out)?;
        assert!(out.len() as u64 <= MAX);
        consumed += progress.consumed;
        if progress.done {
            return Ok((out, consumed, true));
        }
        assert_eq!(progress.consumed, piece.len());
    }
    Ok((out, consumed, false))
}

fuzz_target!(|bytes: &[u8]| {
    let whole = decode(bytes, usize::MAX);
    assert_eq!(decode(bytes, 1), whole);
    assert_eq!(decode(bytes, 7), whole);
});
