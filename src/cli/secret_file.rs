//! Secrets that come in a file or on standard input, never on a command line, where everybody could
//! see them (proc(5)).

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use accountd_protocol::secret::Secret;
use nix::unistd::geteuid;
use zeroize::Zeroizing;

use crate::error::Error;

/// Stands for standard input.
const STDIN: &str = "-";
/// Longer than any password or token.
const MAX_BYTES: u64 = 4096;

/// The first line of a file that nobody else can read, or of standard input.
pub fn read(path: &Path) -> Result<Secret, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let mut text = Zeroizing::new(String::new());
    if path == Path::new(STDIN) {
        io::stdin().lock().take(MAX_BYTES).read_to_string(&mut text).map_err(failed)?;
    } else {
        let file = File::open(path).map_err(failed)?;
        check_secret(&file, path)?;
        file.take(MAX_BYTES).read_to_string(&mut text).map_err(failed)?;
    }
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        let source = io::Error::new(io::ErrorKind::InvalidData, "its first line is empty");
        return Err(failed(source));
    }
    Ok(Secret::new(line.to_owned()))
}

/// Whether a file of secrets is for nobody but whoever asks.
pub fn check_secret(file: &File, path: &Path) -> Result<(), Error> {
    check_own(file, path)?;
    match regular(file, path)? {
        Some(status) if status.mode() & 0o077 != 0 => Err(Error::Exposed { path: path.to_owned() }),
        Some(_) | None => Ok(()),
    }
}

/// Whether a file says only what whoever asks, or root, has written: where root has the home of a user
/// (su(1)), that user could say where root's credential goes.
pub fn check_own(file: &File, path: &Path) -> Result<(), Error> {
    let Some(status) = regular(file, path)? else { return Ok(()) };
    let is_own = [geteuid().as_raw(), 0].contains(&status.uid()) && status.mode() & 0o022 == 0;
    if is_own { Ok(()) } else { Err(Error::Foreign { path: path.to_owned() }) }
}

/// What is no regular file (a pipe of the shell) can be opened by nobody else.
fn regular(file: &File, path: &Path) -> Result<Option<Metadata>, Error> {
    let status = file.metadata().map_err(|source| Error::Read { path: path.to_owned(), source })?;
    Ok(Some(status).filter(Metadata::is_file))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_first_line_of_a_file_of_ones_own_is_the_secret() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        for (text, secret) in [("pw", "pw"), ("a b:c \n", "a b:c "), ("pw\r\nrest", "pw")] {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            assert_eq!(read(&path).unwrap().reveal(), secret);
        }
        for mode in [0o640, 0o604, 0o610] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert!(matches!(read(&path), Err(Error::Exposed { .. })), "{mode:o}");
        }
        std::fs::set_permissions(&path, Permissions::from_mode(0o620)).unwrap();
        assert!(matches!(read(&path), Err(Error::Foreign { .. })));
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "\n").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
        assert!(matches!(read(&path), Err(Error::Read { .. })));
        assert!(matches!(read(Path::new("/nonexistent")), Err(Error::Read { .. })));
    }
}
