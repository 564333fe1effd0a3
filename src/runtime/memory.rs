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

/// Tables with room for fewer are left alone.
const ROOM_MIN: usize = 4096;

/// Gives back the room of a table most of which is empty, as far as nobody stands in it.
pub fn shrink<T>(table: &mut slab::Slab<T>) {
    if table.capacity() > ROOM_MIN && table.len() * 4 < table.capacity() {
        table.shrink_to_fit();
    }
}
