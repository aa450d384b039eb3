//! Copies a home, as its user. What is in the new home already stays as it is.

use std::collections::HashSet;
use std::ffi::CStr;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use accountd_protocol::id::Uid;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, readlinkat};
use nix::sys::stat::{FchmodatFlags, FileStat, Mode, UtimensatFlags, fchmodat, fstat, fstatat, utimensat};
use nix::unistd::{Gid, fchownat, mkfifoat, symlinkat};

use super::attributes::{Kept, adopt, times};
use super::file::{Content, copy_content};
use super::measure::weight;
use super::report::Reporter;
use super::staging::{Placed, STAGING, Staging};
use super::walk::{Descent, Entry, FileId, Visitor, open_here, parent};
use super::{Fault, failed};
use crate::homes::directory::kind;
use crate::identity::authorized_keys::MAX_BYTES;

/// How often a file is copied that changes meanwhile.
const TRIES: usize = 3;

/// One pass over the old home.
pub struct Copier<'a> {
    pub uid: Uid,
    /// Homes of other accounts: not entered.
    pub others: &'a HashSet<FileId>,
    pub staging: &'a Staging,
    pub reporter: &'a mut Reporter,
    /// How much this pass has added to the new home.
    pub added: u64,
    /// The directory of the copy that is being filled, and those above it.
    current: OwnedFd,
    above: Vec<FileId>,
    in_ssh: bool,
}

impl<'a> Copier<'a> {
    /// `home` is the new one.
    pub fn new(
        home: OwnedFd,
        uid: Uid,
        (others, staging): (&'a HashSet<FileId>, &'a Staging),
        reporter: &'a mut Reporter,
    ) -> Self {
        Self { uid, others, staging, reporter, added: 0, current: home, above: Vec::new(), in_ssh: false }
    }

    fn is_foreign(&self, status: &FileStat) -> bool {
        status.st_uid != self.uid.0
    }

    fn leave_alone(&mut self) {
        self.reporter.counts.left_alone += 1;
    }

    fn count(&mut self, status: &FileStat) -> Result<(), Fault> {
        self.reporter.counts.files += 1;
        self.reporter.counts.bytes += weight(status);
        self.reporter.tell_sometimes()
    }

    /// The directory of the copy for one of the original; `None` when something else is there.
    fn directory_for(&mut self, name: &CStr) -> Result<Option<OwnedFd>, Fault> {
        match open_here(&self.current, name, OFlag::O_RDONLY | OFlag::O_DIRECTORY) {
            Ok(there) => {
                let status = fstat(&there).map_err(failed("look at a directory"))?;
                return Ok((!self.is_foreign(&status)).then_some(there));
            }
            Err(Errno::ENOENT) => {}
            Err(_) => return Ok(None),
        }
        let made = self.staging.make_directory()?;
        let placed = self.staging.place(&self.current, name)?;
        self.added += 1;
        Ok((placed == Placed::Yes).then_some(made))
    }

    fn copy(&mut self, entry: &Entry<'_>) -> Result<(), Fault> {
        if let Ok(there) = fstatat(&self.current, entry.name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            return self.found(entry, &there);
        }
        let placed = match kind(&entry.status) {
            libc::S_IFREG => self.copy_regular(entry)?,
            libc::S_IFLNK => self.copy_link(entry)?,
            _ => self.copy_pipe(entry)?,
        };
        match placed {
            Placed::Yes => {
                self.added += 1;
                self.count(&entry.status)
            }
            Placed::No => {
                self.leave_alone();
                Ok(())
            }
        }
    }

    /// A copy that is complete, or else something that stays.
    fn found(&mut self, entry: &Entry<'_>, there: &FileStat) -> Result<(), Fault> {
        if self.is_foreign(there) || !self.is_same(entry, there) {
            self.leave_alone();
            return Ok(());
        }
        if has_more_names(&entry.status) {
            self.staging.keep_placed(FileId::of(&entry.status), &self.current, entry.name)?;
        }
        self.count(&entry.status)
    }

    fn is_same(&self, entry: &Entry<'_>, there: &FileStat) -> bool {
        kind(&entry.status) == kind(there)
            && match kind(there) {
                libc::S_IFREG => is_same_content(&entry.status, there),
                libc::S_IFLNK => readlinkat(entry.directory, entry.name) == readlinkat(&self.current, entry.name),
                _ => true,
            }
    }

    fn copy_regular(&mut self, entry: &Entry<'_>) -> Result<Placed, Fault> {
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_NOATIME;
        let Ok(original) = open_here(entry.directory, entry.name, flags).map(File::from) else {
            return Ok(Placed::No);
        };
        let mut status = fstat(&original).map_err(failed("look at a file"))?;
        for _ in 0..TRIES {
            if kind(&status) != libc::S_IFREG || self.is_foreign(&status) {
                return Ok(Placed::No);
            }
            let id = FileId::of(&status);
            if has_more_names(&status)
                && self.staging.kept(id)?.is_some_and(|kept| is_same_content(&status, &kept))
                && self.staging.place_kept(id, &self.current, entry.name)? == Placed::Yes
            {
                return Ok(Placed::Yes);
            }
            let copy = self.staging.make_file()?;
            if self.fill(&original, &status, &copy)? == Content::Unreadable {
                return Ok(Placed::No);
            }
            let kept = adopt(&original, &status, &copy)?;
            let now = fstat(&original).map_err(failed("look at a file"))?;
            if !is_same_content(&status, &now) {
                status = now;
                continue;
            }
            if kept == Kept::NotAll {
                self.leave_alone();
            }
            if has_more_names(&status) {
                self.staging.keep_made(id)?;
            }
            return self.staging.place(&self.current, entry.name);
        }
        Ok(Placed::No)
    }

    /// Bytes are told while they are copied, and counted when the file is complete.
    fn fill(&mut self, original: &File, status: &FileStat, copy: &File) -> Result<Content, Fault> {
        let before = self.reporter.counts.bytes;
        let reporter = &mut *self.reporter;
        let size = u64::try_from(status.st_size).unwrap_or_default();
        let result = copy_content(original, copy, size, &mut |copied| {
            reporter.counts.bytes += copied;
            reporter.tell_sometimes()
        });
        self.reporter.counts.bytes = before;
        result
    }

    fn copy_link(&mut self, entry: &Entry<'_>) -> Result<Placed, Fault> {
        let Ok(target) = readlinkat(entry.directory, entry.name) else { return Ok(Placed::No) };
        self.staging.make(|directory, name| {
            symlinkat(target.as_os_str(), directory, name)?;
            dress(directory, name, &entry.status)
        })?;
        self.staging.place(&self.current, entry.name)
    }

    fn copy_pipe(&mut self, entry: &Entry<'_>) -> Result<Placed, Fault> {
        let mode = Mode::from_bits_truncate(entry.status.st_mode & 0o777);
        self.staging.make(|directory, name| {
            mkfifoat(directory, name, mode)?;
            fchmodat(directory, name, mode, FchmodatFlags::FollowSymlink)?;
            dress(directory, name, &entry.status)
        })?;
        self.staging.place(&self.current, entry.name)
    }

    /// The key file was written when the home was made, or left out on purpose.
    fn is_key_file(&self, entry: &Entry<'_>) -> bool {
        let name = entry.name.to_bytes();
        let ours = name == b"authorized_keys" || name == b".authorized_keys.accountd";
        let taken_over = u64::try_from(entry.status.st_size).is_ok_and(|size| size <= MAX_BYTES as u64);
        self.in_ssh && entry.depth == 1 && ours && kind(&entry.status) == libc::S_IFREG && taken_over
    }
}

impl Visitor for Copier<'_> {
    fn enter(&mut self, entry: &Entry<'_>, _: &OwnedFd) -> Result<Descent, Fault> {
        if entry.depth == 0 {
            self.in_ssh = entry.name == c".ssh";
            if entry.name == STAGING {
                return Ok(Descent::Past);
            }
        }
        if self.is_foreign(&entry.status) || self.others.contains(&FileId::of(&entry.status)) {
            self.leave_alone();
            return Ok(Descent::Past);
        }
        let Some(below) = self.directory_for(entry.name)? else {
            self.leave_alone();
            return Ok(Descent::Past);
        };
        let status = fstat(&self.current).map_err(failed("look at a directory"))?;
        self.above.push(FileId::of(&status));
        self.current = below;
        self.count(&entry.status).map(|()| Descent::Into)
    }

    /// A directory gets its mode last: it may be one that nothing can be written to.
    fn leave(&mut self, original: &OwnedFd) -> Result<(), Fault> {
        let Some(above) = self.above.pop() else { return Ok(()) };
        let status = fstat(&self.current).map_err(failed("look at a directory"))?;
        if self.staging.is_filling(&status)? {
            if adopt_directory(original, &self.current)? == Kept::NotAll {
                self.leave_alone();
            }
            self.staging.filled(&status)?;
        }
        self.current = parent(&self.current, above)?;
        Ok(())
    }

    fn visit(&mut self, entry: &Entry<'_>) -> Result<(), Fault> {
        if self.is_foreign(&entry.status) {
            self.leave_alone();
            return Ok(());
        }
        if self.is_key_file(entry) {
            return self.count(&entry.status);
        }
        match kind(&entry.status) {
            libc::S_IFREG | libc::S_IFLNK | libc::S_IFIFO => self.copy(entry),
            // Whoever listens on a socket makes it anew.
            libc::S_IFSOCK => Ok(()),
            _ => {
                self.leave_alone();
                Ok(())
            }
        }
    }

    fn pass(&mut self) {
        self.leave_alone();
    }
}

/// Gives the directory `copy` what `original` has.
pub fn adopt_directory(original: &OwnedFd, copy: &OwnedFd) -> Result<Kept, Fault> {
    let open = |directory: &OwnedFd| directory.as_fd().try_clone_to_owned().map(File::from);
    let opened = |source| Fault::File { doing: "open a directory", source };
    let (original, copy) = (open(original).map_err(opened)?, open(copy).map_err(opened)?);
    let status = fstat(&original).map_err(failed("look at a directory"))?;
    adopt(&original, &status, &copy)
}

/// Group and times of what can't be opened.
fn dress(directory: &OwnedFd, name: &CStr, status: &FileStat) -> nix::Result<()> {
    match fchownat(directory, name, None, Some(Gid::from_raw(status.st_gid)), AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(()) | Err(Errno::EPERM | Errno::EINVAL) => {}
        Err(error) => return Err(error),
    }
    let (accessed, modified) = times(status);
    utimensat(directory, name, &accessed, &modified, UtimensatFlags::NoFollowSymlink)
}

fn has_more_names(status: &FileStat) -> bool {
    kind(status) == libc::S_IFREG && status.st_nlink > 1
}

/// A file that has the same size and was last changed in the same nanosecond.
fn is_same_content(one: &FileStat, other: &FileStat) -> bool {
    let of = |status: &FileStat| (status.st_size, status.st_mtime, status.st_mtime_nsec);
    of(one) == of(other)
}
