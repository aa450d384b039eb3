//! How much an account may store, and how much it does.

use serde::{Deserialize, Serialize};

use crate::id::AccountId;
use crate::limits::least;

/// `None`: no limit. Above a soft limit an account may stay for the file system's time of grace
/// (quotactl(2)); only the kernel's quotas know it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct QuotaLimits {
    pub bytes: Option<u64>,
    pub soft_bytes: Option<u64>,
    /// Inodes where the kernel counts; regular files in the ledger.
    pub files: Option<u64>,
    pub soft_files: Option<u64>,
}

impl QuotaLimits {
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            bytes: least(self.bytes, other.bytes),
            soft_bytes: least(self.soft_bytes, other.soft_bytes),
            files: least(self.files, other.files),
            soft_files: least(self.soft_files, other.soft_files),
        }
    }
}

/// Who counts what an account stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaBackend {
    /// User quotas of ext4 and xfs (quotactl(2)): whoever writes.
    Kernel,
    /// A subvolume for each home (btrfs-qgroup(8)): whoever writes.
    Btrfs,
    /// Sessions of accountd, by leases: other writers are only found by scans.
    Ledger,
}

impl QuotaBackend {
    pub fn name(self) -> &'static str {
        match self {
            QuotaBackend::Kernel => "kernel",
            QuotaBackend::Btrfs => "btrfs",
            QuotaBackend::Ledger => "ledger",
        }
    }
}

/// A file system in which homes lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaFileSystem {
    /// Where it is mounted.
    pub mount: String,
    /// As mount(8) calls it.
    pub kind: String,
    pub backend: QuotaBackend,
    /// Why it is no better one, in words.
    pub reason: String,
}

/// What an account stores on the file system of its home, and what it may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaReport {
    pub account: AccountId,
    pub name: String,
    pub backend: QuotaBackend,
    /// Those that count: the account's and its groups'.
    pub limits: QuotaLimits,
    pub used: QuotaUse,
    /// When a soft limit becomes hard, in seconds of Unix time; `None` below it.
    pub bytes_grace: Option<u64>,
    pub files_grace: Option<u64>,
    /// When the last scan ended, in milliseconds of Unix time.
    pub scanned: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaUse {
    pub bytes: u64,
    pub files: u64,
}

/// A scan of what an account stores, by the owners of files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaScan {
    pub account: AccountId,
    pub name: String,
    /// Milliseconds of Unix time.
    pub started: u64,
    /// Found so far.
    pub found: QuotaUse,
    /// Looked at so far, whosever it is.
    pub entries: u64,
    pub state: ScanState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScanState {
    /// Others come first.
    Waiting,
    Running,
}

/// What a session asks about its account's quota, over login. The sizes of files are what counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaRequest {
    /// So much more than was leased before, at least.
    Lease(QuotaUse),
    /// Of what was leased, so much is not needed: never more than that. What has been freed of files
    /// that other sessions have written is for a scan to find, and said as `freed`.
    Return { unused: QuotaUse, freed: QuotaUse },
    /// What there is, for statvfs(3).
    Use,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaAnswer {
    /// What may be used beside what was leased before: at least what was asked for.
    Leased(QuotaUse),
    /// There is not so much left.
    Exceeded(QuotaExceeded),
    Taken,
    Use {
        limits: QuotaLimits,
        used: QuotaUse,
    },
    /// Login: the agent can't be asked now.
    Unavailable,
}

/// Which limit stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaExceeded {
    Bytes(u64),
    Files(u64),
}
