//! Secrets that come in a file or on standard input, never on a command line, where everybody could
//! see them (proc(5)).

use std::fs::File;
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
        check(&file, path)?;
        file.take(MAX_BYTES).read_to_string(&mut text).map_err(failed)?;
    }
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        let source = io::Error::new(io::ErrorKind::InvalidData, "its first line is empty");
        return Err(failed(source));
    }
    Ok(Secret::new(line.to_owned()))
}

/// Whether a file of secrets is its owner's alone.
pub fn check(file: &File, path: &Path) -> Result<(), Error> {
    let status = file.metadata().map_err(|source| Error::Read { path: path.to_owned(), source })?;
    // What is no regular file (a pipe of the shell) has no others who could open it later.
    let exposed = status.is_file() && status.mode() & 0o077 != 0;
    let foreign = status.is_file() && status.uid() != geteuid().as_raw() && status.uid() != 0;
    if exposed || foreign { Err(Error::Exposed { path: path.to_owned() }) } else { Ok(()) }
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
        for mode in [0o640, 0o604, 0o620] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert!(matches!(read(&path), Err(Error::Exposed { .. })), "{mode:o}");
        }
        std::fs::write(&path, "\n").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
        assert!(matches!(read(&path), Err(Error::Read { .. })));
        assert!(matches!(read(Path::new("/nonexistent")), Err(Error::Read { .. })));
    }
}
