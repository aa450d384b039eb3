//! Homes on btrfs: where its quotas are on, a home is a subvolume, because only those have a qgroup
//! (btrfs-subvolume(8)).

use std::ffi::CStr;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};
use tracing::warn;

use super::directory;
use crate::sys::btrfs::{self, Qgroups};

/// Makes an empty home, root's alone, and opens it.
pub fn make_home(parent: &OwnedFd, name: &CStr) -> nix::Result<OwnedFd> {
    if !btrfs::is_btrfs(parent) || btrfs::qgroups(parent) != Ok(Qgroups::On) {
        return directory::make_directory(parent, name, Mode::S_IRWXU);
    }
    match btrfs::create_subvolume(parent, name) {
        Ok(()) => {}
        Err(error @ (Errno::ENOSPC | Errno::EDQUOT | Errno::EEXIST)) => return Err(error),
        Err(error) => {
            warn!(%error, "a home can not be made as a subvolume; it is a plain directory");
            return directory::make_directory(parent, name, Mode::S_IRWXU);
        }
    }
    let made = directory::open_directory(parent, name);
    made.and_then(|made| nix::sys::stat::fchmod(&made, Mode::S_IRWXU).map(|()| made)).inspect_err(|_| {
        // The error that is returned says what happened; an empty subvolume is what is left.
        let _ = unlinkat(parent, name, UnlinkatFlags::RemoveDir);
    })
}
