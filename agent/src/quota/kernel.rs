//! User quotas of the kernel (quotactl(2)): ext4, xfs, and whatever else answers. Each uid has one account
//! there: users that share it are counted together.

use accountd_protocol::quota::{QuotaLimits, QuotaUse};
use nix::errno::Errno;

use super::backend::{Backend, Subject, Usage};
use crate::sys::quotactl;

/// Limits are in blocks of this many bytes (QIF_DQBLKSIZE), on xfs too.
const BLOCK: u64 = 1024;

#[derive(Debug)]
pub struct Kernel;

impl Backend for Kernel {
    fn set(&self, subject: Subject<'_>, limits: QuotaLimits) -> nix::Result<()> {
        quotactl::set(subject.home, subject.uid.0, quota_of(limits))
    }

    fn usage(&self, subject: Subject<'_>) -> nix::Result<Usage> {
        match quotactl::get(subject.home, subject.uid.0) {
            Ok(quota) => Ok(usage_of(&quota)),
            // xfs has no account of whoever has never had anything.
            Err(Errno::ENOENT) => Ok(Usage::default()),
            Err(error) => Err(error),
        }
    }
}

/// 0 stands for no limit there, so a limit of nothing is the smallest that there is. Part of a block that is
/// left is not given.
fn quota_of(limits: QuotaLimits) -> libc::dqblk {
    let blocks = |bytes: Option<u64>| bytes.map_or(0, |bytes| (bytes / BLOCK).max(1));
    let inodes = |files: Option<u64>| files.map_or(0, |files| files.max(1));
    libc::dqblk {
        dqb_bhardlimit: blocks(limits.bytes),
        dqb_bsoftlimit: blocks(limits.soft_bytes),
        dqb_ihardlimit: inodes(limits.files),
        dqb_isoftlimit: inodes(limits.soft_files),
        dqb_valid: quotactl::LIMITS,
        ..quotactl::empty()
    }
}

fn usage_of(quota: &libc::dqblk) -> Usage {
    let grace = |time: u64| (time > 0).then_some(time);
    Usage {
        used: QuotaUse { bytes: quota.dqb_curspace, files: quota.dqb_curinodes },
        bytes_grace: grace(quota.dqb_btime),
        files_grace: grace(quota.dqb_itime),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_blocks_and_a_limit_of_nothing_is_not_none() {
        let limits = QuotaLimits { bytes: Some(10_240), soft_bytes: Some(2047), files: Some(0), soft_files: None };
        let quota = quota_of(limits);
        assert_eq!((quota.dqb_bhardlimit, quota.dqb_bsoftlimit), (10, 1));
        assert_eq!((quota.dqb_ihardlimit, quota.dqb_isoftlimit, quota.dqb_valid), (1, 0, 5));
        let lifted = quota_of(QuotaLimits::default());
        assert_eq!((lifted.dqb_bhardlimit, lifted.dqb_ihardlimit, lifted.dqb_valid), (0, 0, 5));
        assert_eq!(quota_of(QuotaLimits { bytes: Some(0), ..QuotaLimits::default() }).dqb_bhardlimit, 1);
    }

    #[test]
    fn usage_is_in_bytes_and_grace_only_above_a_soft_limit() {
        let quota = libc::dqblk { dqb_curspace: 4096, dqb_curinodes: 2, dqb_itime: 77, ..quotactl::empty() };
        let usage = usage_of(&quota);
        assert_eq!(usage.used, QuotaUse { bytes: 4096, files: 2 });
        assert_eq!((usage.bytes_grace, usage.files_grace), (None, Some(77)));
    }
}
