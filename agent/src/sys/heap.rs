//! The memory that the C library keeps for later.

/// Gives free memory back to the system, in all arenas (malloc_trim(3)). Takes some milliseconds
/// for a hundred megabytes, during which other threads may wait for memory.
#[cfg(target_env = "gnu")]
pub fn give_back() {
    // SAFETY: malloc_trim takes no pointer and may be called by any thread at any time.
    unsafe { libc::malloc_trim(0) };
}

/// musl's allocator gives pages back by itself.
#[cfg(not(target_env = "gnu"))]
pub fn give_back() {}
