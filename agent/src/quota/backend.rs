//! Who counts what an account stores, and holds it to its limits.

use std::os::fd::OwnedFd;

use accountd_protocol::id::{AccountId, Uid};
use accountd_protocol::quota::{QuotaLimits, QuotaUse};

/// An account whose home is open.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub account: AccountId,
    pub uid: Uid,
    /// The home, or where it would be made.
    pub home: &'a OwnedFd,
}

/// What is used, and until when a soft limit may be passed, in seconds of Unix time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub used: QuotaUse,
    pub bytes_grace: Option<u64>,
    pub files_grace: Option<u64>,
}

pub trait Backend {
    /// Makes these limits count, whatever counted before; no limits lift them.
    fn set(&self, subject: Subject<'_>, limits: QuotaLimits) -> nix::Result<()>;
    fn usage(&self, subject: Subject<'_>) -> nix::Result<Usage>;
}
