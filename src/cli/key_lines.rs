//! Public keys as they are given: lines of authorized_keys(5), on the command line or in files.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::error::Error;
use crate::flags::KeyFiles;

/// More than the longest list of keys that an account may have.
const MAX_BYTES: u64 = 1024 * 1024;
/// What a private key begins with (RFC 7468).
const PRIVATE: &str = "-----BEGIN";

/// All of them, in their order; blank lines and comments of files are no keys.
pub fn given(lines: &[String], files: &KeyFiles) -> Result<Vec<String>, Error> {
    let mut keys: Vec<String> = lines.to_vec();
    for path in &files.key_files {
        let text = read(path).map_err(|source| Error::Read { path: path.clone(), source })?;
        let of_file = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        keys.extend(of_file.map(str::to_owned));
    }
    if keys.iter().any(|key| key.starts_with(PRIVATE)) {
        return Err(Error::Usage {
            what: "a private key was given".into(),
            next: "Nothing has been sent. The public one is in the file that ends in .pub.",
        });
    }
    Ok(keys)
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    if path == Path::new("-") {
        io::stdin().lock().take(MAX_BYTES).read_to_string(&mut text)?;
    } else {
        File::open(path)?.take(MAX_BYTES).read_to_string(&mut text)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_comments_and_no_private_keys() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        std::fs::write(&path, "# mine\n\nssh-ed25519 AAAA a@b\n  ssh-rsa BBBB\r\n").unwrap();
        let files = KeyFiles { key_files: vec![path.clone()] };
        let keys = given(&["ssh-ed25519 CCCC".into()], &files).unwrap();
        assert_eq!(keys, ["ssh-ed25519 CCCC", "ssh-ed25519 AAAA a@b", "ssh-rsa BBBB"]);
        std::fs::write(&path, "-----BEGIN OPENSSH PRIVATE KEY-----\nsecret\n").unwrap();
        let error = given(&[], &files).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
