//! The last step of a new home: from its hidden name to its own (renameat2(2)).

use std::io;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, RenameFlags, open, renameat2};
use nix::sys::stat::Mode;
use tracing::warn;

use super::error::DatabaseError;
use crate::homes::open_directory;

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
    match renameat2(&parent_directory, hidden, &parent_directory, name, RenameFlags::RENAME_NOREPLACE) {
        Ok(()) => nix::unistd::fsync(&parent_directory).map_err(failed),
        Err(Errno::ENOENT) => Ok(()),
        Err(Errno::EEXIST) => {
            warn!(parent, name, "another directory has taken the place of a new home; it is used as it is");
            Ok(())
        }
        Err(error) => Err(failed(error)),
    }
}
