//! Directories by descriptor: open below, make, copy, remove (openat2(2), unlinkat(2)).

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, RenameFlags, ResolveFlag, openat2, renameat, renameat2};
use nix::sys::stat::{FileStat, Mode, fchmod, fstat, fstatat, mkdirat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, fchownat, symlinkat, unlinkat};

use super::{Owner, emptying};

/// How often a rename is tried.
const RENAMES: usize = 3;
/// The deepest skeleton that is copied.
const MAX_DEPTH: usize = 32;

/// Opens `path` below `directory`; no component, nor the last, may be a symbolic link.
pub fn open_below(directory: &impl AsFd, path: &(impl nix::NixPath + ?Sized), flags: OFlag) -> nix::Result<OwnedFd> {
    open_new_below(directory, path, flags, Mode::empty())
}

/// The directory `name` in `directory`; EXDEV where something is mounted on it.
pub fn open_here(directory: &impl AsFd, name: &CStr) -> nix::Result<OwnedFd> {
    let how = how(OFlag::O_RDONLY | OFlag::O_DIRECTORY).resolve(BELOW | ResolveFlag::RESOLVE_NO_XDEV);
    open_how(directory, name, how)
}

fn open_new_below(
    directory: &impl AsFd,
    path: &(impl nix::NixPath + ?Sized),
    flags: OFlag,
    mode: Mode,
) -> nix::Result<OwnedFd> {
    open_how(directory, path, how(flags).mode(mode).resolve(BELOW))
}

#[cfg(test)]
mod tests;

const BELOW: ResolveFlag =
    ResolveFlag::RESOLVE_BENEATH.union(ResolveFlag::RESOLVE_NO_SYMLINKS).union(ResolveFlag::RESOLVE_NO_MAGICLINKS);

fn how(flags: OFlag) -> OpenHow {
    OpenHow::new().flags(flags | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW)
}

fn open_how(directory: &impl AsFd, path: &(impl nix::NixPath + ?Sized), how: OpenHow) -> nix::Result<OwnedFd> {
    loop {
        match openat2(directory, path, how) {
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            result => return result,
        }
    }
}

/// The directory `path` below `directory`, readable, so that it can be listed and synced.
pub fn open_directory(directory: &impl AsFd, path: &(impl nix::NixPath + ?Sized)) -> nix::Result<OwnedFd> {
    open_below(directory, path, OFlag::O_RDONLY | OFlag::O_DIRECTORY)
}

/// Whether something is mounted on the entry `name`.
pub fn is_mount_point(directory: &impl AsFd, name: &str) -> nix::Result<bool> {
    let how = how(OFlag::O_PATH | OFlag::O_DIRECTORY).resolve(BELOW | ResolveFlag::RESOLVE_NO_XDEV);
    match open_how(directory, name, how) {
        Ok(_) => Ok(false),
        Err(Errno::EXDEV) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Makes a directory of `mode` and opens it; where that fails, there is none.
pub fn make_directory(parent: &impl AsFd, name: &CStr, mode: Mode) -> nix::Result<OwnedFd> {
    mkdirat(parent, name, mode)?;
    let made = open_directory(parent, name).and_then(|made| fchmod(&made, mode).map(|()| made));
    made.inspect_err(|_| {
        // The error that is returned says what happened; an empty directory is what is left.
        let _ = unlinkat(parent, name, UnlinkatFlags::RemoveDir);
    })
}

/// Writes a new file of `mode` for `owner` and syncs it.
pub fn write_file(parent: &impl AsFd, name: &CStr, content: &[u8], owner: Owner, mode: Mode) -> io::Result<()> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL;
    let mut file = File::from(open_new_below(parent, name, flags, Mode::from_bits_truncate(0o600))?);
    io::Write::write_all(&mut file, content)?;
    give(&file, owner, mode)?;
    file.sync_all()
}

/// Sets owner and permission bits of an open file, in this order: chown(2) clears bits.
pub fn give(file: &impl AsFd, owner: Owner, mode: Mode) -> nix::Result<()> {
    fchown(file, Some(Uid::from_raw(owner.uid.0)), Some(Gid::from_raw(owner.gid.0)))?;
    fchmod(file, mode)
}

pub fn is_empty(directory: &impl AsFd) -> nix::Result<bool> {
    Ok(entries(directory)?.is_empty())
}

/// Copies what is in `from` into the empty directory `to`, for `owner`: files without setuid,
/// setgid and sticky bits, directories, and symbolic links as they are. Sockets, devices and
/// pipes are left out.
pub fn copy_tree(from: &impl AsFd, to: &impl AsFd, owner: Owner) -> io::Result<()> {
    copy_level(from, to, owner, MAX_DEPTH)
}

fn copy_level(from: &impl AsFd, to: &impl AsFd, owner: Owner, depth: usize) -> io::Result<()> {
    let depth = depth.checked_sub(1).ok_or_else(|| io::Error::other("the skeleton is too deep"))?;
    for name in entries(from)? {
        let status = fstatat(from, name.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW)?;
        let mode = Mode::from_bits_truncate(status.st_mode & 0o777);
        match kind(&status) {
            libc::S_IFDIR => {
                let made = make_directory(to, &name, Mode::S_IRWXU)?;
                copy_level(&open_directory(from, name.as_c_str())?, &made, owner, depth)?;
                give(&made, owner, mode)?;
                nix::unistd::fsync(&made)?;
            }
            libc::S_IFREG => {
                let mut source = File::from(open_below(from, name.as_c_str(), OFlag::O_RDONLY | OFlag::O_NONBLOCK)?);
                let mut content = Vec::new();
                io::Read::read_to_end(&mut source, &mut content)?;
                write_file(to, &name, &content, owner, mode)?;
            }
            libc::S_IFLNK => {
                let target = nix::fcntl::readlinkat(from, name.as_c_str())?;
                symlinkat(target.as_os_str(), to, name.as_c_str())?;
                let (uid, gid) = (Uid::from_raw(owner.uid.0), Gid::from_raw(owner.gid.0));
                fchownat(to, name.as_c_str(), Some(uid), Some(gid), AtFlags::AT_SYMLINK_NOFOLLOW)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Removes everything in a directory, which is root's alone from then on.
pub fn remove_content(directory: &OwnedFd) -> nix::Result<()> {
    emptying::take(directory)?;
    if emptying::empty(directory, |_| false)?.is_none() { Ok(()) } else { Err(Errno::ENOTEMPTY) }
}

/// Removes the directory `name` with all that is in it, if it is there.
pub fn remove_tree(parent: &impl AsFd, name: &CStr) -> nix::Result<()> {
    match open_directory(parent, name) {
        Ok(directory) => remove_content(&directory)?,
        Err(Errno::ENOENT) => return Ok(()),
        Err(error) => return Err(error),
    }
    unlinkat(parent, name, UnlinkatFlags::RemoveDir)
}

/// Renames, in directories of root's, but never over what is there. Tried more than once: whoever
/// asks has decided already, and has nothing better to do when it fails.
pub fn rename_to_free<P: nix::NixPath + ?Sized>(from: (&OwnedFd, &P), to: (&OwnedFd, &P)) -> nix::Result<()> {
    let mut renamed = try_to_rename(from, to);
    for _ in 1..RENAMES {
        match renamed {
            Err(Errno::EIO | Errno::EROFS | Errno::ENOSPC | Errno::EDQUOT | Errno::ENOMEM | Errno::EINTR) => {
                renamed = try_to_rename(from, to);
            }
            Ok(()) | Err(_) => break,
        }
    }
    renamed
}

/// Not every file system knows RENAME_NOREPLACE (ZFS before 2.2, NFS); there the name is looked at
/// first (renameat2(2)).
fn try_to_rename<P: nix::NixPath + ?Sized>(from: (&OwnedFd, &P), to: (&OwnedFd, &P)) -> nix::Result<()> {
    match renameat2(from.0, from.1, to.0, to.1, RenameFlags::RENAME_NOREPLACE) {
        Err(Errno::EINVAL | Errno::ENOSYS) => {}
        result => return result,
    }
    match fstatat(to.0, to.1, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(_) => Err(Errno::EEXIST),
        Err(Errno::ENOENT) => renameat(from.0, from.1, to.0, to.1),
        Err(error) => Err(error),
    }
}

/// The names in a directory, without `.` and `..`.
pub fn entries(directory: &impl AsFd) -> nix::Result<Vec<CString>> {
    let listed = Dir::from_fd(open_below(directory, c".", OFlag::O_RDONLY | OFlag::O_DIRECTORY)?)?;
    let mut names = Vec::new();
    for entry in listed {
        let entry = entry?;
        let name = entry.file_name();
        if entry.file_type() == Some(Type::Directory) && (name == c"." || name == c"..") {
            continue;
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

pub fn kind(status: &FileStat) -> libc::mode_t {
    status.st_mode & libc::S_IFMT
}

/// Who owns the open file.
pub fn owner_of(file: &impl AsFd) -> nix::Result<u32> {
    Ok(fstat(file)?.st_uid)
}
