//! SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash, so that whoever chooses keys from outside
//! can't aim them all at one bucket. Checked against the standard library's in the tests below.

/// The hash of `bytes` under `key`.
pub(crate) fn siphash(key: [u64; 2], bytes: &[u8]) -> u64 {
    let mut v = [
        key[0] ^ 0x736f_6d65_7073_6575,
        key[1] ^ 0x646f_7261_6e64_6f6d,
        key[0] ^ 0x6c79_6765_6e65_7261,
        key[1] ^ 0x7465_6462_7974_6573,
    ];
    let (words, rest) = bytes.as_chunks::<8>();
    for &word in words {
        absorb(&mut v, u64::from_le_bytes(word));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    last[7] = (bytes.len() & 0xff) as u8;
    absorb(&mut v, u64::from_le_bytes(last));
    v[2] ^= 0xff;
    for _ in 0..4 {
        round(&mut v);
    }
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

fn absorb(v: &mut [u64; 4], word: u64) {
    v[3] ^= word;
    round(v);
    round(v);
    v[0] ^= word;
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
        let bytes: Vec<u8> = (0..200).collect();
        for len in 0..bytes.len() {
            let key = [len as u64 * 0x0123_4567, !(len as u64)];
            let mut reference = SipHasher::new_with_keys(key[0], key[1]);
            reference.write(&bytes[..len]);
            assert_eq!(
                super::siphash(key, &bytes[..len]),
                reference.finish(),
                "{len} bytes"
            );
        }
    }
}
