//! Limits of a process (getrlimit(2)), by their numbers.

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

/// RLIMIT_CPU to RLIMIT_RTTIME (asm-generic/resource.h).
const ALL: std::ops::Range<u32> = 0..16;
/// RLIMIT_NOFILE
pub const OPEN_FILES: u32 = libc::RLIMIT_NOFILE;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceLimit {
    pub resource: u32,
    pub soft: u64,
    pub hard: u64,
}

/// Those of this process.
pub fn limits() -> Vec<ResourceLimit> {
    let limit = |resource: u32| {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: false if the place did not outlive the call.
        let result = unsafe { libc::getrlimit(resource, &raw mut limit) };
        (result == 0).then_some(ResourceLimit { resource, soft: limit.rlim_cur, hard: limit.rlim_max })
    };
    ALL.filter_map(limit).collect()
}

pub fn set(limit: &ResourceLimit) -> nix::Result<()> {
    let ResourceLimit { resource, soft, hard } = *limit;
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: false if setrlimit kept the pointer.
    let result = unsafe { libc::setrlimit(resource, &raw const limit) };
    Errno::result(result).map(|_| ())
}
