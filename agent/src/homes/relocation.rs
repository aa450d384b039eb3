//! Whether a home can be moved by one rename, and what is made ready for that.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use accountd_protocol::id::Uid;
use accountd_protocol::text::FieldPath;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{fstat, fstatat};

use super::build::BuildError;
use super::directory::{kind, open_below, open_directory};
use super::place::{Homes, Parent, trusted};
use crate::sys::btrfs;

/// The way to the new place is made. Dropped without [`Relocation::keep`], it is taken away again.
#[derive(Debug)]
pub struct Relocation {
    parent: Option<Parent>,
}

impl Homes {
    /// Makes the way for a move of `old` to `new` by a rename; `None` where that would not do: the
    /// old home is not the user's, one of the two lies where others can rename, they are not on
    /// one mount, or something is at the new place.
    pub fn prepare_move(&self, old: &FieldPath, new: &FieldPath, uid: Uid) -> Result<Option<Relocation>, BuildError> {
        let Ok(Some(above)) = self.movable(old, uid) else { return Ok(None) };
        let mut parent = self.open_parent(new)?;
        let free = name_of(new).and_then(|name| match fstatat(&parent.directory, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Err(Errno::ENOENT) => Ok(()),
            Ok(_) => Err(Errno::EEXIST),
            Err(error) => Err(error),
        });
        if free.is_ok() && is_roots_alone(&parent.directory) && on_one_mount(&above, &parent.directory) {
            return Ok(Some(Relocation { parent: Some(parent) }));
        }
        parent.discard();
        Ok(None)
    }

    /// The directory that `home` lies in, if it is the user's, no mount point, and only root can
    /// rename it.
    fn movable(&self, home: &FieldPath, uid: Uid) -> nix::Result<Option<OwnedFd>> {
        let parts: Vec<&str> = home.components().collect();
        let (_, above) = parts.split_last().ok_or(Errno::EINVAL)?;
        let mut parent = open_directory(self.root(), c".")?;
        for part in above {
            parent = trusted(open_directory(&parent, *part)?)?;
        }
        let opened = open_below(&parent, name_of(home)?, OFlag::O_PATH | OFlag::O_DIRECTORY)?;
        let status = fstat(&opened)?;
        let movable = kind(&status) == libc::S_IFDIR && status.st_uid == uid.0 && uid != Uid::ROOT;
        // A subvolume of btrfs has a device of its own, and is renamed like any directory beside it.
        let same = |file: &OwnedFd| btrfs::is_subvolume(file) && mount_of(file) == mount_of(&parent);
        let same_mount = on_one_mount(&opened, &parent) || same(&opened);
        Ok((movable && is_roots_alone(&parent) && same_mount).then_some(parent))
    }
}

impl Relocation {
    /// The home is moved.
    pub fn keep(mut self) {
        self.parent = None;
    }
}

impl Drop for Relocation {
    fn drop(&mut self) {
        if let Some(mut parent) = self.parent.take() {
            parent.discard();
        }
    }
}

fn name_of(home: &FieldPath) -> nix::Result<&str> {
    home.components().last().ok_or(Errno::EINVAL)
}

/// A sticky directory is not enough here: its users can put another directory of theirs in place.
fn is_roots_alone(directory: &impl AsFd) -> bool {
    fstat(directory).is_ok_and(|status| status.st_uid == 0 && status.st_mode & 0o022 == 0)
}

/// rename(2) works on one mount and, where there are subvolumes, in one of them.
fn on_one_mount(one: &OwnedFd, other: &OwnedFd) -> bool {
    let device = |file: &OwnedFd| fstat(file).map(|status| status.st_dev).ok();
    let same = |of: &dyn Fn(&OwnedFd) -> Option<u64>| of(one).is_some_and(|known| of(other) == Some(known));
    same(&device) && same(&mount_of)
}

/// The mount that a descriptor is on (proc_pid_fdinfo(5)).
fn mount_of(file: &OwnedFd) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).ok()?;
    text.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim().parse().ok()
}
