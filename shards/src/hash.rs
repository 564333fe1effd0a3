//! SipHash (Aumasson and Bernstein, 2012): a keyed hash, so that whoever chooses keys from outside can't
//! aim them all at one bucket. With one round per word and three at the end, as hash tables use it; the
//! same code with two and four is checked against the standard library's in the test below.

/// The hash under `key` of `len` bytes that lie in `words`, little-endian, padded with zeros.
#[inline]
pub(crate) fn siphash(key: [u64; 2], words: &[u64], len: usize) -> u64 {
    sip::<1, 3>(key, words, len)
}

#[inline]
fn sip<const PER_WORD: usize, const AT_END: usize>(
    key: [u64; 2],
    words: &[u64],
    len: usize,
) -> u64 {
    let mut v = [
        key[0] ^ 0x736f_6d65_7073_6575,
        key[1] ^ 0x646f_7261_6e64_6f6d,
        key[0] ^ 0x6c79_6765_6e65_7261,
        key[1] ^ 0x7465_6462_7974_6573,
    ];
    let (full, rest) = words.split_at(len / 8);
    let last = rest.first().copied().unwrap_or(0) | (len as u64) << 56;
    for &word in full.iter().chain([&last]) {
        v[3] ^= word;
        for _ in 0..PER_WORD {
            round(&mut v);
        }
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    for _ in 0..AT_END {
        round(&mut v);
    }
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

#[inline]
fn round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[2] = v[2].wrapping_add(v[3]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[1]);
    v[0] = v[0].wrapping_add(v[3]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].rotate_left(32);
}

#[cfg(test)]
mod tests {
    #[test]
    #[allow(deprecated)] // The standard library's SipHasher is the reference here, nothing else.
    fn equals_the_standard_library() {
        use std::hash::{Hasher, SipHasher};
        let bytes: Vec<u8> = (0..64).map(|i| i * 3 + 1).collect();
        for len in 0..=bytes.len() {
            let mut padded = bytes[..len].to_vec();
            padded.resize(len.next_multiple_of(8), 0);
            let (chunks, _) = padded.as_chunks::<8>();
            let words: Vec<_> = chunks
                .iter()
                .map(|&chunk| u64::from_le_bytes(chunk))
                .collect();
            let key = [len as u64 * 0x0123_4567, !(len as u64)];
            let mut reference = SipHasher::new_with_keys(key[0], key[1]);
            reference.write(&bytes[..len]);
            let hash = super::sip::<2, 4>(key, &words, len);
            assert_eq!(hash, reference.finish(), "{len} bytes");
        }
    }
}
