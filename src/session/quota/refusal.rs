//! Why something can't be stored.

use accountd_protocol::quota::QuotaExceeded;
use nix::errno::Errno;

/// In words for the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverQuota {
    #[error("Disk quota exceeded: the quota of this account is {0} bytes")]
    Bytes(u64),
    #[error("Disk quota exceeded: the quota of this account is {0} files")]
    Files(u64),
    /// Nobody says how much it is.
    #[error("Disk quota exceeded: this account may not store more")]
    Unknown,
    #[error("Nothing can be stored now: the quota of this account can not be asked for")]
    Unavailable,
}

impl From<QuotaExceeded> for OverQuota {
    fn from(exceeded: QuotaExceeded) -> Self {
        match exceeded {
            QuotaExceeded::Bytes(limit) => OverQuota::Bytes(limit),
            QuotaExceeded::Files(limit) => OverQuota::Files(limit),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error("{}", .0.desc())]
    Kernel(Errno),
    #[error(transparent)]
    Quota(#[from] OverQuota),
}

impl From<Errno> for StoreError {
    fn from(error: Errno) -> Self {
        StoreError::Kernel(error)
    }
}
