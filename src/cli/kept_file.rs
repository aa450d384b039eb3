//! Files that are kept: whole or not at all, for their owner alone, and never in the place of another
//! one unless that is asked for.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use zeroize::Zeroizing;

use crate::error::Error;

/// More than the largest backup that accountd takes.
const MOST_BYTES: u64 = 80 * 1024 * 1024;

/// Whether a file that is there gives way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Present {
    Stays,
    GivesWay,
}

/// Refuses a file that is there, before anything is done for it.
pub fn check_free(path: &Path, present: Present) -> Result<(), Error> {
    match fs::symlink_metadata(path) {
        Ok(_) if present == Present::Stays => Err(Error::Exists { path: path.to_owned() }),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Writes a new file beside, and gives it its name when it is on disk.
pub fn write(path: &Path, content: &[u8], present: Present) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    let (directory, beside) = beside(path).map_err(failed)?;
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(&beside).map_err(failed)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    let placed = written.map_err(failed).and_then(|()| place(&beside, path, present));
    if placed.is_err() {
        // The error that is returned says what happened.
        let _ = fs::remove_file(&beside);
    }
    placed?;
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)
}

fn place(beside: &Path, path: &Path, present: Present) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    match present {
        Present::GivesWay => fs::rename(beside, path).map_err(failed),
        Present::Stays => match renameat2(AT_FDCWD, beside, AT_FDCWD, path, RenameFlags::RENAME_NOREPLACE) {
            Err(Errno::EEXIST) => Err(Error::Exists { path: path.to_owned() }),
            // A file system that does not know it.
            Err(Errno::EINVAL) => {
                check_free(path, present)?;
                fs::rename(beside, path).map_err(failed)
            }
            renamed => renamed.map_err(|error| failed(error.into())),
        },
    }
}

/// The directory of a file, and a name in it that is nobody's.
fn beside(path: &Path) -> io::Result<(PathBuf, PathBuf)> {
    let name = path.file_name().ok_or(io::Error::from(io::ErrorKind::IsADirectory))?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        Some(_) | None => PathBuf::from("."),
    };
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let beside = directory.join(format!(".{}.{:016x}", name.display(), u64::from_le_bytes(random)));
    Ok((directory, beside))
}

pub fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let mut content = Zeroizing::new(Vec::new());
    File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut content)).map_err(failed)?;
    if content.len() as u64 > MOST_BYTES {
        return Err(failed(io::ErrorKind::FileTooLarge.into()));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_that_is_there_stays_unless_it_is_to_give_way() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("backup");
        write(&path, b"first", Present::Stays).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(write(&path, b"second", Present::Stays), Err(Error::Exists { .. })));
        assert!(matches!(check_free(&path, Present::Stays), Err(Error::Exists { .. })));
        assert_eq!(*read(&path).unwrap(), b"first");
        write(&path, b"third", Present::GivesWay).unwrap();
        assert_eq!(*read(&path).unwrap(), b"third");
        assert!(matches!(write(&directory.path().join("none/x"), b"", Present::Stays), Err(Error::Write { .. })));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}
