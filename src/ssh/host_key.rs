//! Host keys: Ed25519 and ECDSA, made on first start, readable by their owner alone. No RSA: signing
//! with it here would tell its time (RUSTSEC-2023-0071).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{EcdsaKeypair, Ed25519Keypair};
use russh::keys::{Algorithm, PrivateKey};
use zeroize::Zeroizing;

use crate::error::Error;

/// Longer than any key file in OpenSSH's format.
const MAX_BYTES: u64 = 64 * 1024;

/// The key in `path`, or a new one that is stored there, with its public half in `path.pub`.
pub fn load_or_make(path: &Path) -> Result<PrivateKey, Error> {
    match open(path) {
        Ok(file) => load(path, file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(path),
        Err(source) => Err(Error::HostKeyFile { doing: "open", path: path.to_owned(), source }),
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits()).open(path)
}

/// What an import has come to.
#[derive(Debug, Default)]
pub struct Imported {
    /// The files that have been made.
    pub made: Vec<PathBuf>,
    /// Those that could not be taken, with the reason.
    pub left: Vec<(PathBuf, String)>,
}

/// Copies OpenSSH's host keys from one directory to another, for `owner`, so that clients know the
/// server that they have known. What is there already stays.
pub fn import(from: &Path, to: &Path, owner: (u32, u32)) -> Result<Imported, Error> {
    let mut imported = Imported::default();
    for kind in ["ed25519", "ecdsa", "rsa", "dsa"] {
        let name = format!("ssh_host_{kind}_key");
        let (source, target) = (from.join(&name), to.join(&name));
        match open(&source) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source_error) => {
                return Err(Error::HostKeyFile { doing: "open", path: source, source: source_error });
            }
            Ok(file) => match load(&source, file) {
                Err(error) => imported.left.push((source, error.to_string())),
                Ok(_) if fs::symlink_metadata(&target).is_ok() => {
                    imported.left.push((source, format!("{} is there already", target.display())));
                }
                Ok(key) => {
                    keep(&target, &key, Some(owner))?;
                    imported.made.push(target);
                }
            },
        }
    }
    Ok(imported)
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
        Algorithm::Ed25519 | Algorithm::Ecdsa { .. } => Ok(key),
        other => Err(unusable(format!("it is of type {other}, not ssh-ed25519 or ecdsa"))),
    }
}

/// The public half first: where the private one is, both are.
fn make(path: &Path) -> Result<PrivateKey, Error> {
    let unusable = |reason: String| Error::HostKey { path: path.to_owned(), reason };
    let mut key = new_key(path).map_err(unusable)?;
    key.set_comment("accountd");
    keep(path, &key, None)?;
    Ok(key)
}

/// Stores both halves, for another owner where there is one.
fn keep(path: &Path, key: &PrivateKey, owner: Option<(u32, u32)>) -> Result<(), Error> {
    let unusable = |reason: String| Error::HostKey { path: path.to_owned(), reason };
    let private = key.to_openssh(LineEnding::LF).map_err(|error| unusable(error.to_string()))?;
    let public = key.public_key().to_openssh().map_err(|error| unusable(error.to_string()))?;
    let public_path = path.with_file_name(format!("{}.pub", path.file_name().unwrap_or_default().to_string_lossy()));
    store(&public_path, format!("{public}\n").as_bytes(), (0o644, owner))
        .and_then(|()| store(path, private.as_bytes(), (0o600, owner)))
        .map_err(|source| Error::HostKeyFile { doing: "make", path: path.to_owned(), source })
}

/// Of the type that its name says, as OpenSSH names them; Ed25519 where it says none.
fn new_key(path: &Path) -> Result<PrivateKey, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let fill = |bytes: &mut [u8]| getrandom::fill(bytes).map_err(|error| error.to_string());
    let mut seed = Zeroizing::new([0; 32]);
    if !name.contains("ecdsa") {
        fill(&mut *seed)?;
        return Ok(PrivateKey::from(Ed25519Keypair::from_seed(&seed)));
    }
    // Not every number is a key of the curve; nearly all are.
    loop {
        fill(&mut *seed)?;
        if let Ok(secret) = p256::SecretKey::from_slice(&*seed) {
            let (public, private) = (secret.public_key().into(), secret.into());
            return Ok(PrivateKey::from(EcdsaKeypair::NistP256 { public, private }));
        }
    }
}

/// Whole or not at all, also after a power cut.
fn store(path: &Path, content: &[u8], (mode, owner): (u32, Option<(u32, u32)>)) -> io::Result<()> {
    let temporary = path.with_extension("new");
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
    file.write_all(content)?;
    if let Some((uid, gid)) = owner {
        std::os::unix::fs::fchown(&file, Some(uid), Some(gid))?;
    }
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
    fn the_name_of_a_key_says_its_type() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ssh_host_ecdsa_key");
        let made = load_or_make(&path).unwrap();
        assert!(matches!(made.algorithm(), Algorithm::Ecdsa { .. }));
        assert_eq!(load_or_make(&path).unwrap().public_key(), made.public_key());
    }

    #[test]
    fn keys_of_openssh_are_taken_but_for_rsa_and_what_is_there_stays() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (kind, bits) in [("ed25519", "256"), ("ecdsa", "384"), ("rsa", "2048")] {
            let path = from.path().join(format!("ssh_host_{kind}_key"));
            let mut made = std::process::Command::new("ssh-keygen");
            assert!(made.args(["-q", "-N", "", "-t", kind, "-b", bits, "-f"]).arg(&path).status().unwrap().success());
        }
        let owner = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
        let Imported { made, left } = import(from.path(), to.path(), owner).unwrap();
        assert_eq!(made, ["ed25519", "ecdsa"].map(|kind| to.path().join(format!("ssh_host_{kind}_key"))));
        assert!(left.len() == 1 && left[0].1.contains("rsa"), "{left:?}");
        for path in &made {
            let original = from.path().join(path.file_name().unwrap());
            let public = |path: &Path| load_or_make(path).unwrap().public_key().clone();
            assert_eq!(public(path).key_data(), public(&original).key_data());
        }
        let Imported { made, left } = import(from.path(), to.path(), owner).unwrap();
        assert!(made.is_empty() && left.len() == 3, "{left:?}");
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
