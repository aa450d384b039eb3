//! What holds for everything that a client may send. The property tests and the fuzz targets
//! (`tests/fuzz`) call the same functions; each of them panics where its law does not hold.

mod quota;
mod scp;
mod sftp;

#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

pub use self::quota::{scp_quota, sftp_quota};
pub use self::scp::{round_trip, sink, source};
pub use self::sftp::session;
use crate::path::Tree;

/// What is in a file beside the root.
const HIDDEN: &[u8] = b"hidden from all";

/// A root with something in it, and something beside it that no session sees.
struct Ground {
    directory: TempDir,
    before: Vec<String>,
}

impl Ground {
    fn new() -> Self {
        let Ok(directory) = tempfile::Builder::new().prefix("accountd-laws-").tempdir() else {
            panic!("there is no room for a directory")
        };
        let ground = Self { directory, before: Vec::new() };
        let made = ["outside", "root", "root/d"].iter().try_for_each(|name| fs::create_dir(ground.path(name)));
        let made = made.and_then(|()| fs::write(ground.path("outside/secret"), HIDDEN));
        let made = made.and_then(|()| fs::write(ground.path("root/a"), "content of a"));
        let made = made.and_then(|()| symlink("../../outside", ground.path("root/d/out")));
        let made = made.and_then(|()| symlink(ground.path("outside/made"), ground.path("root/dangling")));
        assert!(made.is_ok(), "{made:?}");
        Self { before: ground.outside(), ..ground }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn tree(&self) -> Tree {
        match Tree::open(Some(&self.path("root"))) {
            Ok(tree) => tree,
            Err(error) => panic!("{error}"),
        }
    }

    /// What is beside the root and around it.
    fn outside(&self) -> Vec<String> {
        let status = |path: &Path| {
            let status = fs::symlink_metadata(path).ok();
            status
                .map(|status| (status.mode(), status.nlink(), status.mtime_nsec(), status.ctime_nsec(), status.size()))
        };
        let paths = ["", "outside", "outside/secret"].map(|name| self.path(name));
        let mut told: Vec<_> = paths.iter().map(|path| format!("{} {:?}", path.display(), status(path))).collect();
        let entries = fs::read_dir(self.path("outside")).into_iter().flatten().flatten();
        told.extend(entries.map(|entry| format!("{:?}", entry.file_name())));
        told
    }

    fn is_untouched(&self) {
        assert_eq!(self.outside(), self.before);
    }
}

/// A file to read those bytes from.
fn input(bytes: &[u8]) -> File {
    let file = tempfile::tempfile().and_then(|mut file| {
        file.write_all(bytes)?;
        file.rewind()?;
        Ok(file)
    });
    file.unwrap_or_else(|error| panic!("{error}"))
}

/// Everything that was written to a file.
fn content(mut file: File) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = file.rewind().and_then(|()| file.read_to_end(&mut bytes));
    assert!(read.is_ok(), "{read:?}");
    bytes
}
