//! Events in gzip: each is compressed once, and the result is good for every stream that carries it.
//!
//! A gzip body is a header and one deflate stream (RFC 1952). Each event is compressed by itself and ended
//! by a full flush, which forgets all that was before and ends on a byte (RFC 1951, 3.2.4; zlib's
//! `Z_FULL_FLUSH`): so blocks of one event may follow those of any other, in any stream. The trailer, a
//! check sum of all, never comes: a stream has no end but that of its connection.

use std::collections::HashMap;
use std::rc::Rc;

use flate2::{Compress, Compression, FlushCompress, Status};

use crate::page::Patch;

/// The header of a gzip body without name and time, from an unknown system.
pub(super) const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// Events are short and many.
const LEVEL: u32 = 5;

/// Room for the blocks' own heads, in bytes: what can't be compressed grows by less.
const MARGIN_BYTES: usize = 64;

/// One per shard, made when the first stream wants it: it needs 300 KiB.
pub(super) struct Deflater {
    compress: Compress,
    /// What this turn compressed, by the address of what it is made of, which it keeps alive.
    turn: HashMap<*const u8, (Patch, Patch)>,
}

impl Deflater {
    pub fn new() -> Self {
        Self {
            compress: Compress::new(Compression::new(LEVEL), false),
            turn: HashMap::new(),
        }
    }

    /// The event as blocks of a deflate stream.
    pub fn deflate(&mut self, patch: &Patch) -> Patch {
        if let Some((_, known)) = self.turn.get(&patch.as_ptr()) {
            return Rc::clone(known);
        }
        let deflated: Patch = self.blocks(patch).into();
        let both = (Rc::clone(patch), Rc::clone(&deflated));
        self.turn.insert(patch.as_ptr(), both);
        deflated
    }

    /// The next turn has events of its own.
    pub fn forget(&mut self) {
        if !self.turn.is_empty() {
            self.turn.clear();
            self.turn.shrink_to(1024);
        }
    }

    fn blocks(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.compress.reset();
        let mut out = Vec::with_capacity(bytes.len() / 2 + MARGIN_BYTES);
        loop {
            let taken = usize::try_from(self.compress.total_in()).expect("an event fits memory");
            let status = self
                .compress
                .compress_vec(&bytes[taken..], &mut out, FlushCompress::Full)
                .expect("deflate takes any bytes");
            // With room left nothing is held back any more.
            let all_in = self.compress.total_in() == bytes.len() as u64;
            if all_in && out.len() < out.capacity() || status == Status::StreamEnd {
                return out;
            }
            out.reserve(out.capacity().max(MARGIN_BYTES));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn inflate(blocks: &[Patch]) -> Vec<u8> {
        let mut body = GZIP_HEADER.to_vec();
        blocks
            .iter()
            .for_each(|block| body.extend_from_slice(block));
        let mut decoded = Vec::new();
        let mut reader = flate2::write::GzDecoder::new(&mut decoded);
        std::io::Write::write_all(&mut reader, &body).expect("it is gzip");
        // All that came is there, though the trailer is not.
        std::io::Write::flush(&mut reader).expect("it is gzip");
        drop(reader);
        decoded
    }

    #[test]
    fn an_event_is_compressed_once_per_turn() {
        let mut deflater = Deflater::new();
        let patch: Patch = b"data: elements <p>hello, hello, hello</p>\n\n"
            .as_slice()
            .into();
        let first = deflater.deflate(&patch);
        assert!(Rc::ptr_eq(&first, &deflater.deflate(&patch)));
        deflater.forget();
        let again = deflater.deflate(&patch);
        assert!(!Rc::ptr_eq(&first, &again));
        assert_eq!(first, again);
    }

    #[test]
    fn each_event_can_be_read_when_it_has_come() {
        let mut deflater = Deflater::new();
        let events: Vec<Patch> = (0..50)
            .map(|number| {
                format!("data: {}\n\n", "x".repeat(number * 997))
                    .into_bytes()
                    .into()
            })
            .collect();
        let blocks: Vec<Patch> = events.iter().map(|event| deflater.deflate(event)).collect();
        for come in 0..=events.len() {
            assert_eq!(inflate(&blocks[..come]), events[..come].concat());
        }
    }

    proptest! {
        #[test]
        fn blocks_follow_each_other_in_any_order(
            events in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..3000), 1..8),
            order in proptest::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let mut deflater = Deflater::new();
            let events: Vec<Patch> = events.into_iter().map(Into::into).collect();
            let blocks: Vec<Patch> = events.iter().map(|event| deflater.deflate(event)).collect();
            let order: Vec<usize> = order.iter().map(|index| index.index(events.len())).collect();
            let sent: Vec<Patch> = order.iter().map(|&index| Rc::clone(&blocks[index])).collect();
            let told: Vec<u8> = order.iter().flat_map(|&index| events[index].to_vec()).collect();
            prop_assert_eq!(inflate(&sent), told);
        }
    }
}
