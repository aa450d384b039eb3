//! A private directory in the new home, in which copies come to be before they get their names.
//!
//! It also holds what would else have to be kept in memory: a link to the copy of every file
//! that has several names, and a mark for every directory that is still being filled. So a
//! transfer that was killed goes on where it was, and nothing half done has a name of its own.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::fd::OwnedFd;

use accountd_protocol::id::Uid;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat, mkdirat};
use nix::unistd::{LinkatFlags, UnlinkatFlags, linkat, symlinkat, unlinkat};

use super::attributes::strip_acls;
use super::entries::Entries;
use super::walk::{FileId, open_here};
use super::{Fault, failed};
use crate::homes::directory::{self, rename_to_free};

/// Its name. In the old home it is what is left of an earlier transfer, and is not copied.
pub const STAGING: &CStr = c".accountd-transfer";

#[derive(Debug)]
pub struct Staging {
    directory: OwnedFd,
    /// The name of what is being made; another process of an agent that died has another one.
    new: CString,
}

/// Whether a copy got its name.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    Yes,
    /// The name is taken, or can't be given in that directory.
    No,
}

impl Staging {
    /// Opens or makes it in `home`.
    pub fn open(home: &OwnedFd, uid: Uid) -> Result<Self, Fault> {
        match mkdirat(home, STAGING, Mode::S_IRWXU) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(error) => return Err(failed("make a directory for the copies")(error)),
        }
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        let directory = open_here(home, STAGING, flags).map_err(failed("open the directory for the copies"))?;
        if directory::owner_of(&directory).map_err(failed("look at the directory for the copies"))? != uid.0 {
            return Err(Fault::NotOwned);
        }
        strip_acls(&directory)?;
        let new =
            CString::new(format!("new-{}", std::process::id())).map_err(|_| failed("name a copy")(Errno::EINVAL))?;
        Ok(Self { directory, new })
    }

    /// A new file for a copy, private and empty.
    pub fn make_file(&self) -> Result<File, Fault> {
        self.clear()?;
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let how = OpenHow::new()
            .flags(flags)
            .mode(Mode::from_bits_truncate(0o600))
            .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
        openat2(&self.directory, self.new.as_c_str(), how).map(File::from).map_err(failed("make a copy"))
    }

    /// Makes something that is no file, by `make`.
    pub fn make(&self, make: impl FnOnce(&OwnedFd, &CStr) -> nix::Result<()>) -> Result<(), Fault> {
        self.clear()?;
        make(&self.directory, &self.new).map_err(failed("make a copy"))
    }

    /// A new directory, marked as one that is being filled.
    pub fn make_directory(&self) -> Result<OwnedFd, Fault> {
        self.clear()?;
        let made =
            directory::make_directory(&self.directory, &self.new, Mode::S_IRWXU).map_err(failed("make a directory"))?;
        let status = fstat(&made).map_err(failed("look at a directory"))?;
        match symlinkat(c"filling", &self.directory, mark(&status)?.as_c_str()) {
            Ok(()) | Err(Errno::EEXIST) => Ok(made),
            Err(error) => Err(failed("mark a directory")(error)),
        }
    }

    /// Whether this transfer has made the directory and is not done with it.
    pub fn is_filling(&self, status: &FileStat) -> Result<bool, Fault> {
        Ok(fstatat(&self.directory, mark(status)?.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW).is_ok())
    }

    pub fn filled(&self, status: &FileStat) -> Result<(), Fault> {
        self.unlink(&mark(status)?)
    }

    /// Gives what was made its name in `directory`.
    pub fn place(&self, directory: &OwnedFd, name: &CStr) -> Result<Placed, Fault> {
        match rename_to_free((&self.directory, self.new.as_c_str()), (directory, name)) {
            Ok(()) => Ok(Placed::Yes),
            Err(error) if is_of_the_name(error) => self.clear().map(|()| Placed::No),
            Err(error) => Err(failed("give a copy its name")(error)),
        }
    }

    /// Keeps what was made for the other names of the file `id`.
    pub fn keep_made(&self, id: FileId) -> Result<(), Fault> {
        let other = link(id)?;
        self.unlink(&other)?;
        match linkat(&self.directory, self.new.as_c_str(), &self.directory, other.as_c_str(), LinkatFlags::empty()) {
            Ok(()) | Err(Errno::EMLINK) => Ok(()),
            Err(error) => Err(failed("keep a copy for its other names")(error)),
        }
    }

    /// The copy of the file `id`, if it is kept here.
    pub fn kept(&self, id: FileId) -> Result<Option<FileStat>, Fault> {
        Ok(fstatat(&self.directory, link(id)?.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW).ok())
    }

    /// Gives the copy that is kept of `id` one more name.
    pub fn place_kept(&self, id: FileId, directory: &OwnedFd, name: &CStr) -> Result<Placed, Fault> {
        match linkat(&self.directory, link(id)?.as_c_str(), directory, name, LinkatFlags::empty()) {
            Ok(()) => Ok(Placed::Yes),
            Err(error) if error == Errno::EMLINK || is_of_the_name(error) => Ok(Placed::No),
            Err(error) => Err(failed("give a copy another name")(error)),
        }
    }

    /// Keeps a copy that has its name already.
    pub fn keep_placed(&self, id: FileId, directory: &OwnedFd, name: &CStr) -> Result<(), Fault> {
        match linkat(directory, name, &self.directory, link(id)?.as_c_str(), LinkatFlags::empty()) {
            Ok(()) | Err(Errno::EEXIST | Errno::EMLINK | Errno::EPERM) => Ok(()),
            Err(error) => Err(failed("keep a copy for its other names")(error)),
        }
    }

    /// Takes it away: the transfer is complete.
    pub fn remove(self, home: &OwnedFd) -> Result<(), Fault> {
        loop {
            let again = open_here(&self.directory, c".", OFlag::O_RDONLY | OFlag::O_DIRECTORY);
            let listed = again.map_err(failed("open the directory for the copies"))?;
            let (mut entries, mut removed) = (Entries::default(), 0);
            while let Some(name) =
                entries.next(&listed).map_err(|source| Fault::File { doing: "list the copies", source })?
            {
                self.unlink(name)?;
                removed += 1;
            }
            if removed == 0 {
                break;
            }
        }
        match unlinkat(home, STAGING, UnlinkatFlags::RemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(failed("remove the directory for the copies")(error)),
        }
    }

    /// Takes away what was made and got no name.
    fn clear(&self) -> Result<(), Fault> {
        self.unlink(&self.new)
    }

    fn unlink(&self, name: &CStr) -> Result<(), Fault> {
        let removed = match unlinkat(&self.directory, name, UnlinkatFlags::NoRemoveDir) {
            Err(Errno::EISDIR) => unlinkat(&self.directory, name, UnlinkatFlags::RemoveDir),
            removed => removed,
        };
        match removed {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(failed("remove what is left of a copy")(error)),
        }
    }
}

/// Errors that are about one name in one directory, not about the file system.
fn is_of_the_name(error: Errno) -> bool {
    matches!(
        error,
        Errno::EEXIST
            | Errno::EACCES
            | Errno::EPERM
            | Errno::ENAMETOOLONG
            | Errno::EINVAL
            | Errno::EILSEQ
            | Errno::ENOENT
    )
}

fn link(id: FileId) -> Result<CString, Fault> {
    named(format!("link-{:x}-{:x}", id.device, id.inode))
}

fn mark(directory: &FileStat) -> Result<CString, Fault> {
    named(format!("filling-{:x}", directory.st_ino))
}

fn named(name: String) -> Result<CString, Fault> {
    CString::new(name).map_err(|_| failed("name a copy")(Errno::EINVAL))
}
