//! What there is in a home: how much, and how much of it is not the account's.

use std::collections::HashSet;
use std::os::fd::OwnedFd;

use accountd_protocol::id::Uid;
use nix::sys::stat::FileStat;

use super::Fault;
use super::report::Report;
use super::walk::{Descent, Entry, FileId, Visitor};
use crate::homes::directory::kind;

const BLOCK: u64 = 512;

/// Counts entries and bytes of one owner.
#[derive(Debug)]
pub struct Measure<'a> {
    pub uid: Uid,
    /// Homes of other accounts: not entered.
    pub others: &'a HashSet<FileId>,
    pub found: Report,
}

impl Visitor for Measure<'_> {
    fn enter(&mut self, entry: &Entry<'_>, _: &OwnedFd) -> Result<Descent, Fault> {
        if entry.status.st_uid != self.uid.0 || self.others.contains(&FileId::of(&entry.status)) {
            self.found.left_alone += 1;
            return Ok(Descent::Past);
        }
        self.found.files += 1;
        Ok(Descent::Into)
    }

    fn leave(&mut self, _: &OwnedFd) -> Result<(), Fault> {
        Ok(())
    }

    fn visit(&mut self, entry: &Entry<'_>) -> Result<(), Fault> {
        if entry.status.st_uid != self.uid.0 {
            self.found.left_alone += 1;
            return Ok(());
        }
        self.found.files += 1;
        self.found.bytes += weight(&entry.status);
        Ok(())
    }

    fn pass(&mut self) {
        self.found.left_alone += 1;
    }
}

/// The bytes that a file really has: holes are none.
pub fn weight(status: &FileStat) -> u64 {
    if kind(status) != libc::S_IFREG {
        return 0;
    }
    let size = u64::try_from(status.st_size).unwrap_or_default();
    size.min(u64::try_from(status.st_blocks).unwrap_or_default().saturating_mul(BLOCK))
}
