//! Memory that was freed and is still the process's.

/// Gives the kernel back what holds nothing any more. glibc keeps pages that lie below one in use; it looks
/// through all of them here, which takes a while. Other allocators give theirs back by themselves.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes no pointer, and locks each arena while it looks at it.
    unsafe {
        libc::malloc_trim(0);
    }
}
