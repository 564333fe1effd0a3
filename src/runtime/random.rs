//! Random bytes, one system call per pool of them.

use std::cell::RefCell;

const POOL_BYTES: usize = 512;

struct Pool {
    bytes: [u8; POOL_BYTES],
    used: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; POOL_BYTES], used: POOL_BYTES }) };
}

/// `N` random bytes, fit for secrets. Each byte is given once and wiped.
///
/// # Panics
/// When the kernel has no randomness: nothing safe can be served then.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    const { assert!(N <= POOL_BYTES) };
    POOL.with_borrow_mut(|pool| {
        if pool.used + N > POOL_BYTES {
            getrandom::fill(&mut pool.bytes).expect("the kernel has randomness");
            pool.used = 0;
        }
        let taken = &mut pool.bytes[pool.used..pool.used + N];
        let mut out = [0; N];
        out.copy_from_slice(taken);
        taken.fill(0);
        pool.used += N;
        out
    })
}

/// A random number below `bound`, for jitter.
#[must_use]
pub fn below(bound: u32) -> u32 {
    u32::from_le_bytes(bytes::<4>()) % bound.max(1)
}
