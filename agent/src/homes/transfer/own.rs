//! Hands a home over to another uid or group, as root. Every entry is opened without following
//! anything, looked at, and changed through that very descriptor; only what is the old owner's is
//! touched, so whoever swaps entries meanwhile wins nothing.

use std::collections::HashSet;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{FileStat, fstat};
use nix::unistd::{Gid, Uid, fchownat};

use super::report::Reporter;
use super::walk::{Descent, Entry, FileId, Visitor, open_here};
use super::{Fault, failed};
use crate::homes::Owner;
use crate::homes::directory::kind;

/// One pass over a home.
pub struct Handover<'a> {
    pub from: Owner,
    pub to: Owner,
    /// Homes of other accounts: not entered.
    pub others: &'a HashSet<FileId>,
    pub reporter: &'a mut Reporter,
}

/// What an entry gets.
enum Wanted {
    Ids(Option<Uid>, Option<Gid>),
    /// It has it already.
    Given,
    Nothing,
}

impl Handover<'_> {
    /// The home itself and the key file, so that logins work at once.
    pub fn begin(&mut self, home: &OwnedFd) -> Result<(), Fault> {
        let status = fstat(home).map_err(failed("look at the home"))?;
        if ![self.from.uid.0, self.to.uid.0].contains(&status.st_uid) {
            return Err(Fault::NotOwned);
        }
        self.give(home)?;
        if let Ok(ssh) = open_here(home, c".ssh", OFlag::O_PATH | OFlag::O_DIRECTORY) {
            self.give(&ssh)?;
            if let Ok(keys) = open_here(&ssh, c"authorized_keys", OFlag::O_PATH) {
                self.give(&keys)?;
            }
        }
        self.reporter.counts = Default::default();
        Ok(())
    }

    /// The kernel takes setuid and setgid from a file that is given away, root's call or not
    /// (chown(2)).
    fn give(&mut self, opened: &OwnedFd) -> Result<(), Fault> {
        let status = fstat(opened).map_err(failed("look at an entry"))?;
        let (uid, gid) = match self.wanted(&status) {
            Wanted::Given => return self.count(),
            Wanted::Nothing => return self.leave_alone(),
            Wanted::Ids(uid, gid) => (uid, gid),
        };
        match fchownat(opened, c"", uid, gid, AtFlags::AT_EMPTY_PATH | AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(()) => self.count(),
            Err(error @ (Errno::ENOSPC | Errno::EDQUOT)) => Err(failed("hand over an entry")(error)),
            Err(_) => self.leave_alone(),
        }
    }

    /// A file with several names may have one in another account's directory.
    fn wanted(&self, status: &FileStat) -> Wanted {
        let (uid_changes, gid_changes) = (self.from.uid != self.to.uid, self.from.gid != self.to.gid);
        let regrouped = gid_changes && status.st_gid == self.from.gid.0;
        let given = status.st_uid == self.to.uid.0 && (uid_changes || !regrouped);
        let linked = kind(status) != libc::S_IFDIR && status.st_nlink > 1;
        if given {
            return Wanted::Given;
        }
        if linked || status.st_uid != self.from.uid.0 {
            return Wanted::Nothing;
        }
        let uid = uid_changes.then(|| Uid::from_raw(self.to.uid.0));
        Wanted::Ids(uid, regrouped.then(|| Gid::from_raw(self.to.gid.0)))
    }

    fn count(&mut self) -> Result<(), Fault> {
        self.reporter.counts.files += 1;
        self.reporter.tell_sometimes()
    }

    fn leave_alone(&mut self) -> Result<(), Fault> {
        self.reporter.counts.left_alone += 1;
        self.reporter.tell_sometimes()
    }
}

impl Visitor for Handover<'_> {
    fn enter(&mut self, entry: &Entry<'_>, opened: &OwnedFd) -> Result<Descent, Fault> {
        if self.others.contains(&FileId::of(&entry.status)) {
            return self.leave_alone().map(|()| Descent::Past);
        }
        self.give(opened).map(|()| Descent::Into)
    }

    fn leave(&mut self, _: &OwnedFd) -> Result<(), Fault> {
        Ok(())
    }

    fn visit(&mut self, entry: &Entry<'_>) -> Result<(), Fault> {
        match open_here(entry.directory, entry.name, OFlag::O_PATH) {
            Ok(opened) => self.give(&opened),
            Err(Errno::ENOENT) => Ok(()),
            Err(_) => self.leave_alone(),
        }
    }

    fn pass(&mut self) {
        self.reporter.counts.left_alone += 1;
    }
}
