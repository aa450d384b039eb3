//! The last step of a new home, from its hidden name to its own, and the first of an old one's
//! end.

use std::io;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use tracing::warn;

use super::error::DatabaseError;
use crate::homes::{Retirement, open_directory, rename_to_free};

/// Renames `hidden` to `name` in `parent`, a path below `root`. Can be done twice: a hidden name
/// that has gone means that it is done. What already stands under `name` is never replaced.
pub fn publish(root: &Path, parent: &str, hidden: &str, name: &str) -> Result<(), DatabaseError> {
    let failed =
        |error: Errno| DatabaseError::Publish { name: format!("{parent}/{name}"), source: io::Error::from(error) };
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let root = open(root, flags, Mode::empty()).map_err(failed)?;
    let parent_directory = match open_directory(&root, parent.trim_start_matches('/')) {
        Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => {
            warn!(parent, name, "the directory of a new home has gone; the account has no home");
            return Ok(());
        }
        opened => opened.map_err(failed)?,
    };
    match rename_to_free((&parent_directory, hidden), (&parent_directory, name)) {
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(Errno::EEXIST) => {
            warn!(parent, name, "another directory has taken the place of a new home; it is used as it is")
        }
        // Tried again until it works; nothing else can be wrong with a rename in one directory.
        Err(error @ (Errno::EIO | Errno::ENOSPC | Errno::EDQUOT | Errno::EINTR | Errno::ENOMEM)) => {
            return Err(failed(error));
        }
        Err(error) => warn!(parent, name, %error, "a new home can not get its name; the account has no home"),
    }
    // Also when a try before a crash has renamed it: that may not be on disk yet.
    nix::unistd::fsync(&parent_directory).map_err(failed)
}

/// Takes a home out of its place. Can be done twice.
pub fn retire(root: &Path, retirement: &Retirement) -> Result<(), DatabaseError> {
    let failed = |error: Errno| DatabaseError::Retire { home: retirement.home().to_string(), source: error.into() };
    retirement.retire(root).map_err(failed)
}
