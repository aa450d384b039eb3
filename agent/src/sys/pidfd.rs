//! Processes by descriptor (pidfd_open(2)): a number can be another process by the time of a
//! signal, a descriptor can not.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

/// The process that has this number now.
pub fn open(pid: i32) -> nix::Result<OwnedFd> {
    // SAFETY: takes two numbers, and gives a new descriptor (close-on-exec) or an error.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    let fd = i32::try_from(fd).map_err(|_| Errno::EBADF)?;
    // SAFETY: the call has just given it, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// ESRCH when it has ended and was waited for.
pub fn send_signal(process: &OwnedFd, signal: Signal) -> nix::Result<()> {
    let (fd, signal) = (process.as_raw_fd(), signal as libc::c_int);
    // SAFETY: the descriptor is open for as long as `process` is borrowed; null stands for no siginfo, 0 for no
    // flags.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, std::ptr::null::<u8>(), 0) };
    Errno::result(result).map(drop)
}

/// It can be read from when its process has ended.
pub fn has_ended(process: &OwnedFd) -> bool {
    let mut events = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
    poll(&mut events, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}
