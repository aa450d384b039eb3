//! One file that comes: where its bytes go, and what it gets when all of them have come.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::sys::stat::{Mode, fchmod, futimens};
use nix::unistd::write;

use super::control::Times;
use crate::quota::{Quota, Span, StoreError};
use crate::transfer::Transfer;
use crate::upload::Upload;

/// An announced file.
pub struct Announced {
    pub mode: u32,
    pub size: u64,
    pub times: Option<Times>,
}

/// A file that is being received.
pub enum Content {
    InPlace(OwnedFd),
    Upload(Upload),
}

pub struct Receiving {
    pub content: Content,
    /// The permissions that it gets at the end, if they are not those that it has.
    pub mode: Option<u32>,
}

impl Receiving {
    pub fn is_upload(&self) -> bool {
        matches!(self.content, Content::Upload(_))
    }

    fn file(&self) -> &OwnedFd {
        match &self.content {
            Content::InPlace(file) => file,
            Content::Upload(upload) => upload.file(),
        }
    }

    /// Writes behind what was written before.
    pub fn store(&self, data: &[u8], transfer: &mut Transfer, quota: &mut Quota) {
        let span = Span { offset: Some(transfer.written), length: data.len() as u64 };
        let charge = match quota.before_write(self.file(), span) {
            Ok(charge) => charge,
            Err(error) => return transfer.failed(&quota.named(error).to_string()),
        };
        let (written, result) = write_all(self.file(), data);
        quota.after_write(charge, written as u64);
        transfer.has_written(written as u64);
        if let Err(error) = result {
            transfer.failed(&quota.named(error.into()).to_string());
        }
    }

    /// Everything has come.
    pub fn finish(self, announced: &Announced, quota: &mut Quota) -> Result<(), StoreError> {
        match self.set_up(announced, quota) {
            Ok(()) => match self.content {
                Content::InPlace(file) => Ok(quota.close(file)?),
                Content::Upload(upload) => quota.publish(upload),
            },
            Err(error) => {
                self.abandon(quota);
                Err(error)
            }
        }
    }

    fn set_up(&self, announced: &Announced, quota: &mut Quota) -> Result<(), StoreError> {
        if let Content::InPlace(file) = &self.content {
            quota.truncate(file, announced.size)?;
        }
        if let Some(mode) = self.mode {
            fchmod(self.file(), Mode::from_bits_truncate(mode & 0o7777))?;
        }
        if let Some(times) = &announced.times {
            futimens(self.file(), &times.access, &times.modification)?;
        }
        Ok(())
    }

    /// What is in place stays as it is; of what is not, nothing does.
    pub fn abandon(self, quota: &mut Quota) {
        match self.content {
            // It has failed already.
            Content::InPlace(file) => drop(quota.close(file)),
            Content::Upload(upload) => quota.abandon(upload),
        }
    }
}

/// How much of it was written, and what became of the rest.
fn write_all(file: &OwnedFd, data: &[u8]) -> (usize, nix::Result<()>) {
    let mut done = 0;
    while let Some(rest) = data.get(done..).filter(|rest| !rest.is_empty()) {
        match write(file, rest) {
            Ok(0) => return (done, Err(Errno::EIO)),
            Ok(count) => done += count,
            Err(Errno::EINTR) => {}
            Err(error) => return (done, Err(error)),
        }
    }
    (done, Ok(()))
}
