//! The move of a home by one rename (renameat2(2)).

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use tracing::warn;

use super::error::DatabaseError;
use crate::homes::{open_directory, rename_to_free};

/// Renames the home `from` to `to`, paths below `root`. Can be done twice: one that has gone is
/// moved. What already stands at the new place is never replaced.
pub fn relocate(root: &Path, from: &str, to: &str) -> Result<(), DatabaseError> {
    let failed = |error: Errno| DatabaseError::Publish { name: to.to_owned(), source: io::Error::from(error) };
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let root = open(root, flags, Mode::empty()).map_err(failed)?;
    let ((old_parent, old_name), (new_parent, new_name)) = (split(from), split(to));
    let parents = [old_parent, new_parent].map(|parent| parent_directory(&root, parent));
    let [old_parent, new_parent] = match parents {
        [Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP), _]
        | [_, Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP)] => {
            warn!(from, to, "the directory of a home has gone; the home is not moved");
            return Ok(());
        }
        [old_parent, new_parent] => [old_parent.map_err(failed)?, new_parent.map_err(failed)?],
    };
    match rename_to_free((&old_parent, old_name), (&new_parent, new_name)) {
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(error @ (Errno::EIO | Errno::ENOSPC | Errno::EDQUOT | Errno::EINTR | Errno::ENOMEM)) => {
            return Err(failed(error));
        }
        Err(error) => warn!(from, to, %error, "a home can not be moved; it stays where it is"),
    }
    // Also when a try before a crash has renamed it. The new name first: better two than none.
    nix::unistd::fsync(&new_parent).map_err(failed)?;
    nix::unistd::fsync(&old_parent).map_err(failed)
}

fn parent_directory(root: &OwnedFd, path: &str) -> nix::Result<OwnedFd> {
    match path.trim_start_matches('/') {
        "" => open_directory(root, c"."),
        path => open_directory(root, path),
    }
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("/", path))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_move_can_be_done_twice_and_replaces_nothing() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        for made in ["mnt/old/anna/file", "mnt/new"] {
            fs::create_dir_all(at(made)).unwrap();
        }
        for _ in 0..2 {
            relocate(root.path(), "/mnt/old/anna", "/mnt/new/anna").unwrap();
            assert!(at("mnt/new/anna/file").exists() && !at("mnt/old/anna").exists());
        }
        fs::create_dir_all(at("mnt/old/anna")).unwrap();
        relocate(root.path(), "/mnt/old/anna", "/mnt/new/anna").unwrap();
        assert!(at("mnt/new/anna/file").exists() && at("mnt/old/anna").exists());
        relocate(root.path(), "/mnt/old/anna", "/mnt/gone/anna").unwrap();
        assert!(at("mnt/old/anna").exists());
    }
}
