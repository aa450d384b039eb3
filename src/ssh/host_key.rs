//! The host key: Ed25519, made on first start, readable by its owner alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use russh::keys::PrivateKey;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::Ed25519Keypair;
use zeroize::Zeroizing;

use crate::error::Error;

/// Longer than any key file in OpenSSH's format.
const MAX_BYTES: u64 = 64 * 1024;

/// The key in `path`, or a new one that is stored there, with its public half in `path.pub`.
pub fn load_or_make(path: &Path) -> Result<PrivateKey, Error> {
    match OpenOptions::new().read(true).custom_flags(libc_nofollow()).open(path) {
        Ok(file) => load(path, file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(path),
        Err(source) => Err(Error::HostKeyFile { doing: "open", path: path.to_owned(), source }),
    }
}

fn libc_nofollow() -> i32 {
    nix::fcntl::OFlag::O_NOFOLLOW.bits()
}

fn load(path: &Path, file: File) -> Result<PrivateKey, Error> {
    let failed = |source| Error::HostKeyFile { doing: "read", path: path.to_owned(), source };
    let unusable = |reason: String| Error::HostKey { path: path.to_owned(), reason };
    let status = file.metadata().map_err(failed)?;
    if status.mode() & 0o077 != 0 {
        return Err(unusable(format!(
            "its mode is {:04o}; others may not have access (chmod 600)",
            status.mode() & 0o7777
        )));
    }
    if status.uid() != nix::unistd::geteuid().as_raw() {
        return Err(unusable(format!("it belongs to uid {}", status.uid())));
    }
    let mut text = String::new();
    file.take(MAX_BYTES).read_to_string(&mut text).map_err(failed)?;
    let key = PrivateKey::from_openssh(&text).map_err(|error| unusable(error.to_string()))?;
    match key.algorithm() {
        russh::keys::Algorithm::Ed25519 => Ok(key),
        other => Err(unusable(format!("it is of type {other}, not ssh-ed25519"))),
    }
}

/// The public half first: where the private one is, both are.
fn make(path: &Path) -> Result<PrivateKey, Error> {
    let unusable = |reason: String| Error::HostKey { path: path.to_owned(), reason };
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).map_err(|error| unusable(error.to_string()))?;
    let mut key = PrivateKey::from(Ed25519Keypair::from_seed(&seed));
    key.set_comment("accountd");
    let private = key.to_openssh(LineEnding::LF).map_err(|error| unusable(error.to_string()))?;
    let public = key.public_key().to_openssh().map_err(|error| unusable(error.to_string()))?;
    let public_path = path.with_file_name(format!("{}.pub", path.file_name().unwrap_or_default().to_string_lossy()));
    store(&public_path, format!("{public}\n").as_bytes(), 0o644)
        .and_then(|()| store(path, private.as_bytes(), 0o600))
        .map_err(|source| Error::HostKeyFile { doing: "make", path: path.to_owned(), source })?;
    Ok(key)
}

/// Whole or not at all, also after a power cut.
fn store(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let temporary = path.with_extension("new");
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("host_key");
        let made = load_or_make(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let public = fs::read_to_string(directory.path().join("host_key.pub")).unwrap();
        assert!(public.starts_with("ssh-ed25519 "), "{public}");
        assert_eq!(load_or_make(&path).unwrap().public_key(), made.public_key());
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("host_key");
        load_or_make(&path).unwrap();
        for mode in [0o640, 0o604, 0o660] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(load_or_make(&path), Err(Error::HostKey { .. })), "{mode:o}");
        }
    }

    #[test]
    fn a_link_and_a_broken_key_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let (path, link) = (directory.path().join("host_key"), directory.path().join("link"));
        load_or_make(&path).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(load_or_make(&link).is_err());
        fs::write(&path, "garbage").unwrap();
        assert!(matches!(load_or_make(&path), Err(Error::HostKey { .. })));
    }
}
