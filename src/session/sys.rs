//! The only unsafe code of accountd-session.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

/// A copy of the open descriptor of this process that has the number, closed when a program takes
/// its place (fcntl(2), F_DUPFD_CLOEXEC). EBADF: there is none.
///
/// pidfd_getfd(2) would need nothing unsafe, but containers forbid it without CAP_SYS_PTRACE.
pub fn copy_of(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: false if fcntl took a pointer for this command; it takes numbers.
    let copy = Errno::result(unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) })?;
    // SAFETY: false if somebody else had the number; the kernel has given it out just now.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}
