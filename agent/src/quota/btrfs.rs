//! A qgroup for each home that is a subvolume (btrfs-qgroup(8)): whoever writes into the home is counted,
//! whosever the files are. There are limits of bytes only, and none that are soft.

use accountd_protocol::quota::{QuotaLimits, QuotaUse};
use nix::errno::Errno;

use super::backend::{Backend, Subject, Usage};
use crate::sys::btrfs;

/// With less than this nothing can be removed any more either: that needs room too.
const LEAST: u64 = 64 * 1024;

#[derive(Debug)]
pub struct Btrfs;

impl Backend for Btrfs {
    fn set(&self, subject: Subject<'_>, limits: QuotaLimits) -> nix::Result<()> {
        if !btrfs::is_subvolume(subject.home) {
            return Err(Errno::EINVAL);
        }
        btrfs::limit(subject.home, limits.bytes.map(|bytes| bytes.max(LEAST)))
    }

    /// As of the last commit of the file system, at most half a minute ago as a rule.
    fn usage(&self, subject: Subject<'_>) -> nix::Result<Usage> {
        let used = QuotaUse { bytes: btrfs::referenced(subject.home)?, files: 0 };
        Ok(Usage { used, ..Usage::default() })
    }
}
