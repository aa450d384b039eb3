//! Files that are uploaded whole or not at all.
//!
//! A new file is written without a name (O_TMPFILE, open(2)) and gets its name at the end; so
//! nothing is left of it when the session is killed, whatever kills it. Where the target exists, the file
//! is linked under a hidden name first and renamed over it, because linkat(2) replaces nothing. On
//! a file system without O_TMPFILE (NFS, vfat, some of FUSE) it has the hidden name from the start.
//!
//! Hidden names are `.accountd-upload-HASH-N`: HASH is made of the user and the target, N counts
//! from 0. They could be guessed, and that does no harm: they are made with O_EXCL, only the owner
//! can make one that is taken for left over, and where all of them are taken the name is random.
//! What is won is that the next upload of the same target finds what a killed session has left
//! without reading the directory, however large that is. A file that a session is at work on is
//! locked (flock(2)); one that is not is left over, and goes.

use std::collections::hash_map::RandomState;
use std::ffi::{CStr, CString};
use std::hash::BuildHasher;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat};
use nix::unistd::{Gid, LinkatFlags, Uid, UnlinkatFlags, dup, fchown, geteuid, linkat, unlinkat};
use rustix::fs::{FlockOperation, XattrFlags, fgetxattr, flistxattr, flock, fsetxattr};

use crate::path::{Place, Tree, open_data_in};
use crate::rename::rename_to_free;

/// How many uploads of one target at a time have a name that can be cleaned up.
const SLOTS: u32 = 8;
/// Names and values of extended attributes end there (xattr(7)).
const MAX_XATTR: usize = 64 * 1024;

/// What the client wants of a target that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Replaced,
    /// It must not exist, neither now nor at the end (O_EXCL).
    New,
}

/// How a new file is made.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// Access mode, and O_APPEND.
    pub flags: OFlag,
    /// Of a file that replaces none; the umask takes its part.
    pub mode: Mode,
    pub target: Target,
}

/// A file that is being uploaded. Dropped, nothing of it is left.
#[derive(Debug)]
pub struct Upload {
    file: OwnedFd,
    directory: OwnedFd,
    name: CString,
    /// The name that it has meanwhile, where it can't be without.
    hidden: Option<CString>,
    wish: Wish,
}

impl Upload {
    /// Begins to upload to `path`. `None`: the target is no file or has several names, or its directory
    /// takes no new one; so it has to be written in place, if it can be written at all.
    pub fn begin(tree: &Tree, path: &[u8], wish: Wish) -> nix::Result<Option<Self>> {
        if matches!(path, [] | [.., b'/']) {
            return Ok(None);
        }
        let (directory, name) = match wish.target {
            Target::Replaced => tree.destination(path)?,
            Target::New => tree.directory_of(path)?,
        };
        Self::begin_in(directory, name, wish)
    }

    /// The same for a name in a directory, which is no symbolic link (ELOOP).
    pub fn begin_in(directory: OwnedFd, name: CString, wish: Wish) -> nix::Result<Option<Self>> {
        if matches!(name.to_bytes(), b"." | b"..") {
            return Ok(None);
        }
        let old = match existing(&directory, &name, wish.target)? {
            Existing::None => None,
            Existing::File(old) => Some(old),
            Existing::Other => return Ok(None),
        };
        let mode = if old.is_some() { Mode::S_IRUSR | Mode::S_IWUSR } else { wish.mode };
        let (file, hidden) = match make(&directory, &name, wish.flags, mode) {
            Ok(made) => made,
            Err(Errno::EACCES | Errno::EPERM) if old.is_some() => return Ok(None),
            Err(error) => return Err(error),
        };
        let upload = Self { file, directory, name, hidden, wish };
        if let Some(old) = old {
            keep_attributes(&old, &upload.file);
        }
        Ok(Some(upload))
    }

    pub fn file(&self) -> &OwnedFd {
        &self.file
    }

    /// Where it will be.
    pub fn place(&self) -> (&OwnedFd, &CStr) {
        (&self.directory, &self.name)
    }

    pub fn target(&self) -> Target {
        self.wish.target
    }

    /// Gives the file its name. On failure nothing is left of it, and the target is as it was.
    pub fn publish(mut self) -> nix::Result<()> {
        // NFS and quotas tell only at a close that the data could not be stored; the lock stays.
        nix::unistd::close(dup(&self.file)?)?;
        match (self.hidden.clone(), self.wish.target) {
            (None, Target::New) => self.link(&self.name),
            (None, Target::Replaced) => match self.link(&self.name) {
                Err(Errno::EEXIST) => {
                    let hidden = claim(&self.name, |hidden| self.link(hidden))?;
                    self.hidden = Some(hidden.clone());
                    self.rename(&hidden)
                }
                result => result,
            },
            (Some(hidden), Target::Replaced) => self.rename(&hidden),
            (Some(hidden), Target::New) => {
                let place = |name| Place::in_directory(&self.directory, name);
                rename_to_free(&place(&hidden), &place(&self.name))?;
                self.hidden = None;
                Ok(())
            }
        }
    }

    fn link(&self, name: &CStr) -> nix::Result<()> {
        let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        linkat(AT_FDCWD, path.as_str(), &self.directory, name, LinkatFlags::AT_SYMLINK_FOLLOW)
    }

    fn rename(&mut self, hidden: &CStr) -> nix::Result<()> {
        renameat(&self.directory, hidden, &self.directory, self.name.as_c_str())?;
        self.hidden = None;
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(hidden) = &self.hidden {
            // It is locked, so nobody else takes it away; what stays is cleaned up next time.
            let _ = unlinkat(&self.directory, hidden.as_c_str(), UnlinkatFlags::NoRemoveDir);
        }
    }
}

enum Existing {
    None,
    /// A file that the user may write and replace.
    File(OwnedFd),
    Other,
}

/// Who may not write to a file may not replace it either; so it is opened to write it.
fn existing(directory: &OwnedFd, name: &CStr, target: Target) -> nix::Result<Existing> {
    if target == Target::New {
        return match fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(_) => Err(Errno::EEXIST),
            Err(Errno::ENOENT) => Ok(Existing::None),
            Err(error) => Err(error),
        };
    }
    let open = |mode| open_data_in(directory, name, mode | OFlag::O_NOFOLLOW, Mode::empty());
    let old = match open(OFlag::O_WRONLY) {
        Ok(old) => old,
        // It may be written, but it runs; that hinders nobody from replacing it.
        Err(Errno::ETXTBSY) => open(OFlag::O_RDONLY)?,
        Err(Errno::ENOENT) => return Ok(Existing::None),
        // A pipe that nobody reads, or a device.
        Err(Errno::ENXIO | Errno::EISDIR) => return Ok(Existing::Other),
        Err(error) => return Err(error),
    };
    let (status, around) = (fstat(&old)?, fstat(directory)?);
    let own = geteuid().as_raw();
    // In a directory like /tmp only the owners may rename over a file.
    let is_stuck = around.st_mode & libc::S_ISVTX != 0 && ![status.st_uid, around.st_uid, 0].contains(&own);
    let is_stuck = is_stuck && own != 0;
    // Replaced under one of its names, it would be two files.
    let is_one = is_file(&status) && status.st_nlink == 1;
    Ok(if is_one && !is_stuck { Existing::File(old) } else { Existing::Other })
}

fn is_file(status: &FileStat) -> bool {
    status.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFREG.bits()
}

/// A file without a name where that is possible, with a hidden one elsewhere; locked either way.
fn make(directory: &OwnedFd, name: &CStr, flags: OFlag, mode: Mode) -> nix::Result<(OwnedFd, Option<CString>)> {
    sweep(directory, name);
    match openat(directory, c".", flags | OFlag::O_TMPFILE | OFlag::O_CLOEXEC, mode) {
        Ok(file) => {
            let _ = flock(&file, FlockOperation::NonBlockingLockExclusive);
            Ok((file, None))
        }
        // Not known to the file system; to the kernel; to a server in between.
        Err(Errno::EOPNOTSUPP | Errno::EISDIR | Errno::EINVAL | Errno::ENOSYS | Errno::ENOENT) => {
            let (file, hidden) = make_hidden(directory, name, flags, mode)?;
            Ok((file, Some(hidden)))
        }
        Err(error) => Err(error),
    }
}

fn make_hidden(directory: &OwnedFd, name: &CStr, flags: OFlag, mode: Mode) -> nix::Result<(OwnedFd, CString)> {
    let mut made = None;
    let hidden = claim(name, |hidden| {
        let file = openat(
            directory,
            hidden,
            flags | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC,
            mode,
        )?;
        // Whoever cleans up may have come between making and locking: then it is another's turn.
        if flock(&file, FlockOperation::NonBlockingLockExclusive) == Err(rustix::io::Errno::WOULDBLOCK)
            || !is_there(directory, hidden, &fstat(&file)?)
        {
            return Err(Errno::EEXIST);
        }
        made = Some(file);
        Ok(())
    })?;
    Ok((made.ok_or(Errno::EIO)?, hidden))
}

/// The first hidden name that `make` can make.
fn claim(name: &CStr, mut make: impl FnMut(&CStr) -> nix::Result<()>) -> nix::Result<CString> {
    for slot in 0..SLOTS {
        let hidden = hidden_name(name, u64::from(slot));
        match make(&hidden) {
            Ok(()) => return Ok(hidden),
            Err(Errno::EEXIST) => {}
            Err(error) => return Err(error),
        }
    }
    let hidden = hidden_name(name, RandomState::new().hash_one(name) | 1 << 63);
    make(&hidden).map(|()| hidden)
}

/// Removes what killed sessions of this user have left of the same target. Slots are taken from
/// the first on; behind a free one there is nothing.
fn sweep(directory: &OwnedFd, name: &CStr) {
    for slot in 0..SLOTS {
        let hidden = hidden_name(name, u64::from(slot));
        match remove_left_over(directory, &hidden) {
            Ok(()) | Err(Errno::EBUSY) => {}
            Err(_) => return,
        }
    }
}

/// EBUSY: it belongs to somebody else, or a session is at work on it.
fn remove_left_over(directory: &OwnedFd, hidden: &CStr) -> nix::Result<()> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let file = match openat(directory, hidden, flags | OFlag::O_RDWR, Mode::empty()) {
        Err(Errno::EACCES) => openat(directory, hidden, flags | OFlag::O_RDONLY, Mode::empty()),
        result => result,
    };
    let file = file.map_err(|error| if error == Errno::ENOENT { error } else { Errno::EBUSY })?;
    let status = fstat(&file)?;
    if !is_file(&status)
        || status.st_uid != geteuid().as_raw()
        || flock(&file, FlockOperation::NonBlockingLockExclusive).is_err()
        || !is_there(directory, hidden, &status)
    {
        return Err(Errno::EBUSY);
    }
    unlinkat(directory, hidden, UnlinkatFlags::NoRemoveDir)
}

fn is_there(directory: &OwnedFd, name: &CStr, file: &FileStat) -> bool {
    fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW)
        .is_ok_and(|found| (found.st_dev, found.st_ino) == (file.st_dev, file.st_ino))
}

/// FNV-1a: the name has to be the same for every build of this program.
fn hidden_name(name: &CStr, number: u64) -> CString {
    let own = geteuid().as_raw().to_le_bytes();
    let hash = own
        .iter()
        .chain(name.to_bytes())
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    CString::new(format!(".accountd-upload-{hash:016x}-{number:x}")).unwrap_or_default()
}

/// Owner, permissions, ACL and other extended attributes of the file that is replaced, as far as
/// the user may. Where the group can't be kept, its members get what others had.
fn keep_attributes(old: &OwnedFd, new: &OwnedFd) {
    let Ok(status) = fstat(old) else { return };
    let (uid, gid) = (Uid::from_raw(status.st_uid), Gid::from_raw(status.st_gid));
    let has_group = fchown(new, Some(uid), Some(gid)).is_ok() || fchown(new, None, Some(gid)).is_ok();
    let mut mode = status.st_mode & 0o777;
    if !has_group {
        mode &= 0o707 | (mode & 0o007) << 3;
    }
    // What can't be kept is lost, as when a file is deleted and made anew.
    let _ = fchmod(new, Mode::from_bits_truncate(mode));
    let _ = keep_extended(old, new, has_group);
}

fn keep_extended(old: &impl AsFd, new: &impl AsFd, has_group: bool) -> rustix::io::Result<()> {
    let mut names = vec![0; MAX_XATTR];
    let length = flistxattr(old, &mut names)?;
    names.truncate(length);
    let mut value = vec![0; MAX_XATTR];
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        // Capabilities were for what the file was, an ACL is about its group too.
        if name == b"security.capability" || (name == b"system.posix_acl_access" && !has_group) {
            continue;
        }
        if let Ok(length) = fgetxattr(old, name, &mut value) {
            let _ = fsetxattr(new, name, value.get(..length).unwrap_or_default(), XattrFlags::empty());
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "upload_tests.rs"]
mod tests;
