//! The only unsafe code of accountd-login.

pub mod deadline;
pub mod logins;
pub mod pam;
pub mod resources;

use std::convert::Infallible;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use accountd_protocol::login::WindowSize;
use nix::errno::Errno;
use nix::unistd::ForkResult;

/// Forks a process that has one thread.
pub fn fork_single_threaded() -> nix::Result<ForkResult> {
    // SAFETY: false if this process had a second thread, which could hold a lock that the child
    // would wait for. The callers are `main` before anything is started, the spawner and the
    // keepers, which start none.
    unsafe { nix::unistd::fork() }
}

/// Executes the open `program` (execveat(2) with an empty path); returns only on an error.
pub fn execute(program: &OwnedFd, arguments: &[CString], environment: &[CString]) -> Result<Infallible, Errno> {
    let pointers = |texts: &[CString]| -> Vec<*const libc::c_char> {
        texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (arguments, environment) = (pointers(arguments), pointers(environment));
    // SAFETY: false if one of the two arrays did not end with a null pointer, or if a text had
    // been freed: they are borrowed for as long as the call lasts.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            program.as_raw_fd(),
            c"".as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        );
    }
    Err(Errno::last())
}

/// Has every descriptor from `first` on close when a program is executed (close_range(2)).
pub fn close_on_exec_from(first: u32) -> io::Result<()> {
    // SAFETY: false if close_range took pointers; it takes three numbers.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Takes every capability from the bounding set, so that no program that is executed later can
/// have one (capabilities(7)).
pub fn empty_bounding_set() -> io::Result<()> {
    for capability in 0..64 as libc::c_ulong {
        // SAFETY: false if PR_CAPBSET_DROP took anything but a number.
        let result = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
        if result != 0 {
            return match Errno::last() {
                // The first number that the kernel has no capability for.
                Errno::EINVAL if capability > 0 => Ok(()),
                error => Err(error.into()),
            };
        }
    }
    Ok(())
}

/// Clears the ambient set and the inheritable one with it (capabilities(7)).
pub fn clear_ambient_set() -> io::Result<()> {
    // SAFETY: false if PR_CAP_AMBIENT took anything but numbers.
    let result = unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Makes a copy of `from` with the number `to`, which stays open when a program is executed.
pub fn duplicate_to(from: BorrowedFd<'_>, to: i32) -> nix::Result<()> {
    // SAFETY: false if `to` belonged to an owner in this process that would close or use it
    // later. The caller is a child that does nothing but execute a program afterwards.
    let result = unsafe { libc::dup2(from.as_raw_fd(), to) };
    Errno::result(result).map(|_| ())
}

/// Ends a child of fork at once, without what `exit` would run of the parent.
pub fn end_child(code: i32) -> ! {
    // SAFETY: false if _exit could return or touch memory; it ends the process.
    unsafe { libc::_exit(code) }
}

/// Sets every signal back to its default disposition (signal(7)).
pub fn reset_signals() {
    for number in 1..=64 {
        // SAFETY: false if SIG_DFL were a function of ours. Numbers that can't be set are refused
        // by the kernel, which is as good.
        unsafe { libc::signal(number, libc::SIG_DFL) };
    }
}

/// Sets the size of a terminal (ioctl_tty(2), TIOCSWINSZ).
pub fn set_window_size(terminal: BorrowedFd<'_>, size: WindowSize) -> nix::Result<()> {
    let WindowSize { columns, rows, width, height } = size;
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: width, ws_ypixel: height };
    // SAFETY: false if the request wrote, or read more than a winsize, which outlives the call.
    let result = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
    Errno::result(result).map(|_| ())
}

/// Makes a terminal the one that controls this process, which leads a session of its own
/// (ioctl_tty(2), TIOCSCTTY).
pub fn set_controlling_terminal(terminal: BorrowedFd<'_>) -> nix::Result<()> {
    // SAFETY: false if TIOCSCTTY took anything but a number.
    let result = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSCTTY, 0) };
    Errno::result(result).map(|_| ())
}

/// This process, for somebody else to signal (pidfd_open(2)): it can not be another one by then.
pub fn own_descriptor() -> io::Result<OwnedFd> {
    // SAFETY: false if pidfd_open took anything but two numbers.
    let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, std::process::id(), 0) };
    let descriptor = RawFd::try_from(descriptor).map_err(io::Error::other)?;
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: false if somebody else owned the number, which is new.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Kills the process of a descriptor (pidfd_send_signal(2)); one that has ended hears nothing.
pub fn kill_by_descriptor(process: BorrowedFd<'_>) {
    let none: *const libc::siginfo_t = std::ptr::null();
    // SAFETY: false if a null pointer did not stand for the usual siginfo.
    unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), libc::SIGKILL, none, 0) };
}

/// Writing where nobody reads is an error, and no end (signal(7)).
pub fn ignore_broken_pipes() {
    // SAFETY: false if SIG_IGN were a function of ours.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}
