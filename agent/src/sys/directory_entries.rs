//! Raw reading of a directory (getdents64(2)), whose position can be kept and come back to.
//!
//! readdir(3) keeps its place in a stream that owns the descriptor; a walk through a very deep
//! tree can't keep a descriptor for each level.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Fills `buffer` with records of linux_dirent64, and gives how many bytes of it; none at the end.
pub fn read_entries(directory: &impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    let descriptor = directory.as_fd().as_raw_fd();
    // SAFETY: false if the length were larger than the buffer that is passed beside it.
    let read = unsafe { libc::syscall(libc::SYS_getdents64, descriptor, buffer.as_mut_ptr(), buffer.len()) };
    usize::try_from(read).map_err(|_| io::Error::last_os_error())
}
