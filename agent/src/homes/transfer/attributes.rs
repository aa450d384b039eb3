//! Group, mode, extended attributes, ACLs and times of a copy (xattr(7), acl(5)).

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use nix::errno::Errno;
use nix::sys::stat::{FileStat, Mode, fchmod, futimens};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, fchown};
use xattr::FileExt;

use super::{Fault, failed};

const ACCESS_ACL: &str = "system.posix_acl_access";
const DEFAULT_ACL: &str = "system.posix_acl_default";
const USER: &[u8] = b"user.";

/// Whether a copy has everything that the original has.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    All,
    /// The file system of the copy does not know some of it.
    NotAll,
}

/// Gives `copy`, which its owner can write and has inherited nothing, what `original` has.
///
/// setuid and setgid are kept like cp(1) keeps them for the user: a file of the same owner says
/// nothing that the original did not say; where the group can't be kept they go.
pub fn adopt(original: &File, status: &FileStat, copy: &File) -> Result<Kept, Fault> {
    let mut kept = Kept::All;
    for name in names(original) {
        if name.as_bytes().starts_with(USER) {
            kept = kept.and(carry(original, copy, &name)?);
        }
    }
    let mut mode = Mode::from_bits_truncate(status.st_mode & 0o7777);
    match fchown(copy, None, Some(Gid::from_raw(status.st_gid))) {
        Ok(()) => {}
        Err(Errno::EPERM | Errno::EINVAL) => mode.remove(Mode::S_ISUID | Mode::S_ISGID),
        Err(error) => return Err(failed("set the group of a copy")(error)),
    }
    fchmod(copy, mode).map_err(failed("set the mode of a copy"))?;
    for name in [ACCESS_ACL, DEFAULT_ACL] {
        kept = kept.and(carry(original, copy, OsStr::new(name))?);
    }
    set_times(copy, status)?;
    Ok(kept)
}

/// Takes the ACLs away that a directory has inherited from the one above.
pub fn strip_acls(directory: &OwnedFd) -> Result<(), Fault> {
    let directory = File::from(directory.as_fd().try_clone_to_owned().map_err(lost)?);
    for name in [ACCESS_ACL, DEFAULT_ACL] {
        match directory.remove_xattr(name) {
            Err(error) if !is_absent(&error) => return Err(lost(error)),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

fn set_times(copy: &File, status: &FileStat) -> Result<(), Fault> {
    let (accessed, modified) = times(status);
    futimens(copy, &accessed, &modified).map_err(failed("set the times of a copy"))
}

/// Last access and last change of the content.
pub fn times(status: &FileStat) -> (TimeSpec, TimeSpec) {
    let accessed = TimeSpec::new(status.st_atime, status.st_atime_nsec);
    (accessed, TimeSpec::new(status.st_mtime, status.st_mtime_nsec))
}

fn names(file: &File) -> Vec<std::ffi::OsString> {
    file.list_xattr().map(Iterator::collect).unwrap_or_default()
}

fn carry(original: &File, copy: &File, name: &OsStr) -> Result<Kept, Fault> {
    let value = match original.get_xattr(name) {
        Ok(Some(value)) => value,
        Ok(None) => return Ok(Kept::All),
        Err(error) if is_absent(&error) => return Ok(Kept::All),
        Err(_) => return Ok(Kept::NotAll),
    };
    match copy.set_xattr(name, &value) {
        Ok(()) => Ok(Kept::All),
        Err(error) if no_room(&error) => Err(lost(error)),
        Err(_) => Ok(Kept::NotAll),
    }
}

fn lost(source: io::Error) -> Fault {
    Fault::File { doing: "set an attribute of a copy", source }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENODATA | libc::EOPNOTSUPP))
}

/// ext4 answers ENOSPC also for a value that is too large for it; then there is room elsewhere.
fn no_room(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EDQUOT))
}

impl Kept {
    pub fn and(self, other: Kept) -> Kept {
        match (self, other) {
            (Kept::All, Kept::All) => Kept::All,
            (Kept::NotAll, _) | (_, Kept::NotAll) => Kept::NotAll,
        }
    }
}
