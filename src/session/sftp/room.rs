//! How much room there is (statvfs(3)), as far as it is this account's.

use std::os::fd::OwnedFd;

use nix::sys::statvfs::{Statvfs, fstatvfs};

use crate::quota::Quota;

/// Blocks are of the fragment size.
#[derive(Debug)]
pub struct Room {
    pub status: Statvfs,
    pub blocks: Part,
    pub files: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub all: u64,
    pub free: u64,
    /// To users other than root.
    pub available: u64,
}

impl Room {
    /// Where a file is.
    pub fn of(file: &OwnedFd, quota: &mut Quota) -> nix::Result<Self> {
        let status = fstatvfs(file)?;
        let mut blocks =
            Part { all: status.blocks(), free: status.blocks_free(), available: status.blocks_available() };
        let mut files = Part { all: status.files(), free: status.files_free(), available: status.files_available() };
        if let Some((limits, used)) = quota.report(file) {
            let size = status.fragment_size().max(1);
            blocks = blocks.within(limits.bytes.map(|limit| limit / size), used.bytes.div_ceil(size));
            files = files.within(limits.files, used.files);
        }
        Ok(Self { status, blocks, files })
    }
}

impl Part {
    /// No more than a limit, and of that no more than what is not used. A file system that has no
    /// number of its own says 0 (btrfs, of files).
    fn within(self, limit: Option<u64>, used: u64) -> Self {
        let Some(limit) = limit else { return self };
        let left = limit.saturating_sub(used);
        if self.all == 0 {
            return Self { all: limit, free: left, available: left };
        }
        Self { all: self.all.min(limit), free: self.free.min(left), available: self.available.min(left) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_shows_where_it_is_less_than_what_there_is() {
        let disk = Part { all: 1000, free: 500, available: 400 };
        assert_eq!(disk.within(None, 100), disk);
        assert_eq!(disk.within(Some(300), 100), Part { all: 300, free: 200, available: 200 });
        assert_eq!(disk.within(Some(300), 400), Part { all: 300, free: 0, available: 0 });
        assert_eq!(disk.within(Some(2000), 0), disk);
        let none = Part { all: 0, free: 0, available: 0 };
        assert_eq!(none.within(Some(30), 10), Part { all: 30, free: 20, available: 20 });
        assert_eq!(disk.within(Some(700), 250), Part { all: 700, free: 450, available: 400 });
    }
}
