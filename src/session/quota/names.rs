//! Files that are made, replaced and removed. What a file holds is free when its last name has gone
//! and nobody has it open any more; of those who have, only this session is known.

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

use accountd_protocol::quota::QuotaUse;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{FileStat, Mode, fstat};

use super::{Quota, StoreError, identity, size};
use crate::upload::{Target, Upload};

const ONE_FILE: QuotaUse = QuotaUse { bytes: 0, files: 1 };

/// How often a file is open here.
#[derive(Debug, Default)]
pub struct Held {
    times: u32,
    /// Its last name went meanwhile.
    is_nameless: bool,
}

/// A file that is about to be made.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reserved {
    Charged,
    Free,
}

/// A file that is about to lose a name.
#[must_use]
#[derive(Debug)]
pub struct Victim(Option<OwnedFd>);

impl Quota {
    /// Opens a file that may have to be made first; a file that is made has to be told from one that is
    /// there. `directory` is where it would be.
    pub fn open_file(
        &mut self,
        flags: OFlag,
        directory: impl FnOnce() -> nix::Result<OwnedFd>,
        open: impl Fn(OFlag) -> nix::Result<OwnedFd>,
    ) -> Result<OwnedFd, StoreError> {
        if !self.is_counted() || !flags.contains(OFlag::O_CREAT) {
            return Ok(open(flags)?);
        }
        if !flags.contains(OFlag::O_EXCL) {
            match open(flags.difference(OFlag::O_CREAT)) {
                Err(Errno::ENOENT) => {}
                opened => return Ok(opened?),
            }
        }
        let reserved = self.reserve_file(directory)?;
        let opened = open(flags);
        self.made(reserved, opened.as_ref().ok());
        Ok(opened?)
    }

    /// Begins an upload to the side, which is a new file in any case.
    pub fn begin(
        &mut self,
        directory: impl FnOnce() -> nix::Result<OwnedFd>,
        begin: impl FnOnce() -> nix::Result<Option<Upload>>,
    ) -> Result<Option<Upload>, StoreError> {
        let reserved = self.reserve_file(directory)?;
        let begun = begin();
        let file = begun.as_ref().ok().and_then(Option::as_ref).map(Upload::file);
        self.made(reserved, file);
        if self.is_counted()
            && let Some(status) = file.and_then(|file| fstat(file).ok())
        {
            self.opened(&status);
        }
        Ok(begun?)
    }

    /// Charges a file that is to be made. Where there is no room for one, it is looked at whether
    /// the directory is one that counts.
    fn reserve_file(&mut self, directory: impl FnOnce() -> nix::Result<OwnedFd>) -> Result<Reserved, StoreError> {
        if !self.is_counted() {
            return Ok(Reserved::Free);
        }
        match self.consume(ONE_FILE) {
            Ok(()) => Ok(Reserved::Charged),
            Err(refused) => match directory().and_then(fstat) {
                Ok(status) if status.st_dev != self.device => Ok(Reserved::Free),
                Ok(_) => Err(refused.into()),
                Err(error) => Err(error.into()),
            },
        }
    }

    /// What became of it; `None`: there is none.
    fn made(&mut self, reserved: Reserved, file: Option<&OwnedFd>) {
        let counts = file.and_then(|file| fstat(file).ok()).is_some_and(|status| self.counts(&status));
        if reserved == Reserved::Charged && !counts {
            self.free(ONE_FILE);
        }
    }

    /// A file is open until it is closed, published or abandoned.
    pub fn opened(&mut self, status: &FileStat) {
        if self.counts(status)
            && let Some(ledger) = &mut self.ledger
        {
            ledger.held.entry(identity(status)).or_default().times += 1;
        }
    }

    pub fn close(&mut self, file: OwnedFd) -> nix::Result<()> {
        if self.is_counted() {
            self.closing(&file);
        }
        // NFS and quotas tell only here that the data could not be stored.
        nix::unistd::close(file)
    }

    /// What has had no name any more is free now.
    fn closing(&mut self, file: &OwnedFd) {
        let Ok(status) = fstat(file) else { return };
        if self.released(&status).is_some_and(|held| held.is_nameless) && status.st_nlink == 0 {
            self.free_file(&status);
        }
    }

    /// Gives what was known of a file when it was held for the last time.
    fn released(&mut self, status: &FileStat) -> Option<Held> {
        let held = &mut self.ledger.as_mut()?.held;
        let times = &mut held.get_mut(&identity(status))?.times;
        *times -= 1;
        if *times == 0 { held.remove(&identity(status)) } else { None }
    }

    /// What has this name now, before the name goes or is given to something else.
    pub fn victim(&self, directory: &impl AsFd, name: &CStr) -> Victim {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let open = || openat(directory, name, flags, Mode::empty()).ok();
        Victim(if self.is_counted() { open() } else { None })
    }

    /// The name has gone.
    pub fn gone(&mut self, victim: Victim) {
        let Some(status) = victim.0.and_then(|file| fstat(file).ok()) else { return };
        if status.st_nlink != 0 || !self.counts(&status) {
            return;
        }
        let held = self.ledger.as_mut().and_then(|ledger| ledger.held.get_mut(&identity(&status)));
        match held {
            Some(held) => held.is_nameless = true,
            None => self.free_file(&status),
        }
    }

    fn free_file(&mut self, status: &FileStat) {
        if self.is_own(status) {
            self.free(whole(status));
        }
    }

    /// Gives an upload its name; what had it before is free.
    pub fn publish(&mut self, upload: Upload) -> Result<(), StoreError> {
        if !self.is_counted() {
            return Ok(upload.publish()?);
        }
        let file = upload.file().try_clone().map_err(|_| Errno::EMFILE)?;
        let (directory, name) = upload.place();
        let victim = match upload.target() {
            Target::Replaced => self.victim(directory, name),
            Target::New => Victim(None),
        };
        let published = upload.publish();
        match published {
            Ok(()) => {
                self.gone(victim);
                fstat(&file).iter().for_each(|status| drop(self.released(status)));
            }
            Err(_) => self.abandoned(&file),
        }
        Ok(published?)
    }

    /// An upload that is not to be: nothing is left of it.
    pub fn abandon(&mut self, upload: Upload) {
        let file = if self.is_counted() { upload.file().try_clone().ok() } else { None };
        drop(upload);
        if let Some(file) = file {
            self.abandoned(&file);
        }
    }

    /// Somebody may have found its hidden name and given it another one.
    fn abandoned(&mut self, file: &OwnedFd) {
        let Ok(status) = fstat(file) else { return };
        self.released(&status);
        if status.st_nlink == 0 && self.counts(&status) {
            self.free(whole(&status));
        }
    }
}

/// What a file uses.
fn whole(status: &FileStat) -> QuotaUse {
    QuotaUse { bytes: size(status), files: 1 }
}
