//! The system calls of the sandbox that nix doesn't wrap.

use std::ffi::CStr;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::{SigSet, Signal};

/// `struct mount_attr` of mount_setattr(2).
#[repr(C)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

const OPEN_TREE_CLONE: libc::c_uint = 1;
const MOUNT_ATTR_RDONLY: u64 = 1;

/// A detached copy of the mount at `path`, with all that is mounted below (open_tree(2)).
pub fn clone_tree(path: &CStr) -> io::Result<OwnedFd> {
    let flags = OPEN_TREE_CLONE | libc::O_CLOEXEC as libc::c_uint | libc::AT_RECURSIVE as libc::c_uint;
    // SAFETY: false if `path` were not NUL-terminated.
    let descriptor = unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) };
    let descriptor = i32::try_from(descriptor).unwrap_or(-1);
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: false if the descriptor were owned by somebody else; the call has just made it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Attaches a detached tree at `target` (move_mount(2)).
pub fn attach_tree(tree: &OwnedFd, target: &CStr) -> io::Result<()> {
    let flags = libc::MOVE_MOUNT_F_EMPTY_PATH;
    // SAFETY: false if one of the two paths were not NUL-terminated.
    let result = unsafe {
        libc::syscall(libc::SYS_move_mount, tree.as_raw_fd(), c"".as_ptr(), libc::AT_FDCWD, target.as_ptr(), flags)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Makes the mount at `path` and all below it read-only (mount_setattr(2)).
pub fn make_read_only(path: &CStr) -> io::Result<()> {
    let attributes = MountAttributes { set: MOUNT_ATTR_RDONLY, clear: 0, propagation: 0, user_namespace: 0 };
    // SAFETY: false if `attributes` were smaller than the size that is passed beside it, or if
    // `path` were not NUL-terminated.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::AT_RECURSIVE,
            &raw const attributes,
            size_of::<MountAttributes>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Takes a capability from all programs that are started from here on (capabilities(7)).
pub fn drop_from_bounding_set(capability: u32) -> io::Result<()> {
    // SAFETY: false if PR_CAPBSET_DROP took anything but a number.
    let result = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(capability), 0, 0, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Has the command end with the process that starts it, and get the signals that this one has
/// blocked for itself (the mask is inherited).
pub fn end_with_parent(command: &mut Command) {
    let prepare = || {
        SigSet::empty().thread_set_mask()?;
        nix::sys::prctl::set_pdeathsig(Signal::SIGTERM)?;
        Ok(())
    };
    // SAFETY: false if the closure did what is not allowed between fork and exec: it makes two
    // system calls and neither allocates nor locks.
    unsafe { command.pre_exec(prepare) };
}
