//! A walk through a tree that may be as deep and as wide as a user likes.
//!
//! One descriptor is open at a time. A level above is come back to over `..`, which has to be the
//! very directory that was left, and is read on where it was left: so neither descriptors nor
//! the stack nor names grow with the tree, but for a few bytes per level. No symbolic link is
//! followed and no mount point entered (openat2(2)).

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat};

use super::entries::Entries;
use super::{Fault, failed};
use crate::homes::directory;

/// So many levels keep what they have read ahead.
const MOST_READ_AHEAD: usize = 64;

/// What tells one file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileId {
    pub device: u64,
    pub inode: u64,
}

impl FileId {
    pub fn of(status: &FileStat) -> Self {
        Self { device: status.st_dev, inode: status.st_ino }
    }
}

/// An entry that is being looked at.
#[derive(Debug)]
pub struct Entry<'a> {
    pub directory: &'a OwnedFd,
    pub name: &'a CStr,
    pub status: FileStat,
    /// How many directories it is below the top.
    pub depth: usize,
}

/// Whether a walk goes into a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Descent {
    Into,
    Past,
}

/// What is done with what a walk finds.
pub trait Visitor {
    /// A directory, opened; its status is of the open one.
    fn enter(&mut self, entry: &Entry<'_>, opened: &OwnedFd) -> Result<Descent, Fault>;
    /// All of a directory has been seen, that of the top too.
    fn leave(&mut self, opened: &OwnedFd) -> Result<(), Fault>;
    /// Anything else.
    fn visit(&mut self, entry: &Entry<'_>) -> Result<(), Fault>;
    /// What can not be looked into: another file system, no permission, or changed meanwhile.
    fn pass(&mut self);
}

/// A level above the present one.
struct Above {
    id: FileId,
    entries: Entries,
}

/// Shows `visitor` everything below `top`, whatever is in a directory before the directory's end.
pub fn walk(top: OwnedFd, visitor: &mut impl Visitor) -> Result<(), Fault> {
    let (mut current, mut entries) = (top, Entries::default());
    let mut above: Vec<Above> = Vec::new();
    loop {
        let next = entries.next(&current).map_err(|source| Fault::File { doing: "read a directory", source })?;
        if let Some(name) = next {
            let name = name.to_owned();
            if let Some(opened) = look(&current, &name, above.len(), visitor)? {
                if above.len() >= MOST_READ_AHEAD {
                    entries.shrink();
                }
                let id = FileId::of(&fstat(&current).map_err(failed("look at a directory"))?);
                above.push(Above { id, entries: std::mem::take(&mut entries) });
                current = opened;
            }
            continue;
        }
        visitor.leave(&current)?;
        let Some(level) = above.pop() else { return Ok(()) };
        current = parent(&current, level.id)?;
        entries = level.entries;
        entries.go_on(&current).map_err(|source| Fault::File { doing: "read a directory on", source })?;
    }
}

/// Shows one entry; gives the directory to go into.
fn look(
    directory: &OwnedFd,
    name: &CString,
    depth: usize,
    visitor: &mut impl Visitor,
) -> Result<Option<OwnedFd>, Fault> {
    let status = match fstatat(directory, name.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(status) => status,
        Err(Errno::ENOENT) => return Ok(None),
        Err(_) => {
            visitor.pass();
            return Ok(None);
        }
    };
    let entry = Entry { directory, name, status, depth };
    if directory::kind(&status) != libc::S_IFDIR {
        return visitor.visit(&entry).map(|()| None);
    }
    let Ok((opened, status)) = open_searchable(directory, name) else {
        visitor.pass();
        return Ok(None);
    };
    match visitor.enter(&Entry { status, ..entry }, &opened)? {
        Descent::Into => Ok(Some(opened)),
        Descent::Past => Ok(None),
    }
}

/// A directory that can be read and whose entries can be looked at, on the same mount.
fn open_searchable(directory: &OwnedFd, name: &CStr) -> nix::Result<(OwnedFd, FileStat)> {
    let opened = open_here(directory, name, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
    let status = fstatat(&opened, c".", AtFlags::AT_SYMLINK_NOFOLLOW)?;
    Ok((opened, status))
}

/// The directory above, if it is still the one that was come from.
pub fn parent(directory: &OwnedFd, id: FileId) -> Result<OwnedFd, Fault> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let above = openat(directory, c"..", flags, Mode::empty()).map_err(failed("open the directory above"))?;
    let status = fstat(&above).map_err(failed("look at the directory above"))?;
    if FileId::of(&status) == id { Ok(above) } else { Err(Fault::Moved) }
}

/// Opens an entry of `directory` itself: no symbolic link, no mount point.
pub fn open_here(directory: &OwnedFd, name: &CStr, flags: OFlag) -> nix::Result<OwnedFd> {
    let resolve = ResolveFlag::RESOLVE_BENEATH
        | ResolveFlag::RESOLVE_NO_SYMLINKS
        | ResolveFlag::RESOLVE_NO_MAGICLINKS
        | ResolveFlag::RESOLVE_NO_XDEV;
    let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW).resolve(resolve);
    loop {
        match openat2(directory, name, how) {
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            result => return result,
        }
    }
}
