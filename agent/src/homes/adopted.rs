//! A directory of root's that becomes a home in place, and is given back when it does not.

use std::os::fd::OwnedFd;
use std::path::Path;

use accountd_protocol::id::{Gid, Uid};
use nix::sys::stat::Mode;

use super::directory;
use super::place::Homes;
use super::{BuildError, Owner};

const ROOT: Owner = Owner { uid: Uid::ROOT, gid: Gid::ROOT };

/// Empties the directory and makes it root's, as a fresh dataset is. While it is being emptied
/// nobody else gets in.
pub fn empty(home: &OwnedFd) -> nix::Result<()> {
    directory::give(home, ROOT, Mode::S_IRWXU)?;
    directory::remove_content(home)?;
    directory::give(home, ROOT, Mode::from_bits_truncate(0o755))?;
    nix::unistd::fsync(home)
}

/// The same after a crash, with the directory `path` below `root`. One that belongs to somebody
/// by now is an error and stays as it is; `is_free` says which uids are nobody's.
pub fn give_back(root: &Path, path: &str, is_free: impl FnOnce(u32) -> bool) -> Result<(), BuildError> {
    let homes = Homes::new(root, Vec::new())?;
    let home = directory::open_directory(homes.root(), path.trim_start_matches('/'))?;
    let owner = directory::owner_of(&home)?;
    if owner != Uid::ROOT.0 && !is_free(owner) {
        return Err(BuildError::NotOwned);
    }
    Ok(empty(&home)?)
}
