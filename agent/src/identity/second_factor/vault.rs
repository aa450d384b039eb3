//! The secrets of authenticators at rest: AES-256-GCM (NIST SP 800-38D) under a key that is in a file of its own
//! beside the state store. Whoever has only the store, or a backup of it, has no secret.
//!
//! A sealed secret is bound to its account and its enrolment: moved to another row it does not open.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use accountd_protocol::id::AccountId;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use zeroize::Zeroizing;

use crate::database::{FactorRow, Factors, sync_directory};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
/// Not called like the store, so that it is not moved away with it.
const NAME: &str = "second-factors.key";

type FileKey = Zeroizing<[u8; KEY_BYTES]>;

#[derive(Debug)]
pub struct Vault {
    path: PathBuf,
}

/// Where a secret belongs.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub account: AccountId,
    pub enrolment: u64,
}

impl From<&FactorRow> for Place {
    fn from(row: &FactorRow) -> Self {
        Self { account: row.account, enrolment: row.enrolment }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("the key file {0} is missing")]
    Missing(PathBuf),
    #[error("cannot read the key file {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("the key file {0} is not one: it has another length, or others than root can read it")]
    NotOne(PathBuf),
    #[error("the key in {0} is not the one that this secret was sealed with")]
    OtherKey(PathBuf),
    #[error("cannot make the key file {path}: {source}")]
    Make { path: PathBuf, source: io::Error },
    #[error("no random bytes: {0}")]
    Random(getrandom::Error),
}

impl Vault {
    pub fn beside(store: &Path) -> Self {
        Self { path: store.with_file_name(NAME) }
    }

    pub fn open(&self, place: Place, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        self.open_with(&self.key()?, place, sealed)
    }

    /// Seals a new secret. The key is made where nobody has a secret yet; where somebody has, it has to be the
    /// one that was: with another, secrets of two keys would lie side by side.
    pub fn seal(&self, place: Place, secret: &[u8], others: &Factors) -> Result<Vec<u8>, VaultError> {
        let other = others.iter().find(|row| row.account != place.account);
        let key = match (self.key(), other) {
            (Ok(key), Some(row)) => {
                self.open_with(&key, Place::from(&**row), &row.sealed)?;
                key
            }
            (Ok(key), None) => key,
            (Err(VaultError::Missing(_)), None) => self.make()?,
            (Err(error), _) => return Err(error),
        };
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(VaultError::Random)?;
        let payload = Payload { msg: secret, aad: &bound(place) };
        // It fails for texts of many gigabytes alone.
        let sealed = cipher(&key).encrypt(&Nonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| VaultError::OtherKey(self.path.clone()))?;
        Ok([&nonce[..], &sealed].concat())
    }

    fn open_with(&self, key: &FileKey, place: Place, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let other = || VaultError::OtherKey(self.path.clone());
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or_else(other)?;
        let payload = Payload { msg: sealed, aad: &bound(place) };
        cipher(key).decrypt(&Nonce::from(*nonce), payload).map(Zeroizing::new).map_err(|_| other())
    }

    fn key(&self) -> Result<FileKey, VaultError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => VaultError::Missing(self.path.clone()),
            _ => VaultError::Read { path: self.path.clone(), source },
        };
        let file = File::open(&self.path).map_err(failed)?;
        let status = file.metadata().map_err(failed)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_BYTES + 1));
        file.take(KEY_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
        let key = <[u8; KEY_BYTES]>::try_from(&bytes[..]).map(Zeroizing::new);
        match key {
            Ok(key) if status.mode() & 0o077 == 0 && status.uid() == 0 => Ok(key),
            Ok(_) | Err(_) => Err(VaultError::NotOne(self.path.clone())),
        }
    }

    /// On disk when this returns, with its name.
    fn make(&self) -> Result<FileKey, VaultError> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(&mut *key).map_err(VaultError::Random)?;
        let mut new = self.path.as_os_str().to_owned();
        new.push(".new");
        let new = PathBuf::from(new);
        let write = || {
            // What a crash has left of one.
            match fs::remove_file(&new) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(&*key)?;
            file.sync_all()?;
            // Never over a key that is there.
            fs::hard_link(&new, &self.path)?;
            fs::remove_file(&new)?;
            sync_directory(&self.path)
        };
        write().map_err(|source| VaultError::Make { path: self.path.clone(), source })?;
        Ok(key)
    }
}

fn cipher(key: &FileKey) -> Aes256Gcm {
    Aes256Gcm::new(&Key::<Aes256Gcm>::from(**key))
}

fn bound(place: Place) -> Vec<u8> {
    let Place { account, enrolment } = place;
    [&b"accountd second factor"[..], &account.0.to_be_bytes(), &enrolment.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const PLACE: Place = Place { account: AccountId(7), enrolment: 1 };

    fn factors(sealed: &[u8]) -> Factors {
        let recovery = Vec::new();
        let row =
            FactorRow { account: AccountId(7), enrolment: 1, since: 0, sealed: sealed.to_vec(), recovery, step: 0 };
        Factors::new(vec![row])
    }

    fn vault() -> (tempfile::TempDir, Vault) {
        let directory = tempfile::tempdir().unwrap();
        let vault = Vault::beside(&directory.path().join("state.sqlite"));
        (directory, vault)
    }

    #[test]
    fn a_secret_opens_in_its_own_row_alone() {
        let (_directory, vault) = vault();
        let sealed = vault.seal(PLACE, b"secret", &Factors::default()).unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        assert_eq!(vault.open(PLACE, &sealed).unwrap().as_slice(), b"secret");
        for place in [Place { account: AccountId(8), ..PLACE }, Place { enrolment: 2, ..PLACE }] {
            assert!(matches!(vault.open(place, &sealed), Err(VaultError::OtherKey(_))));
        }
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        for damaged in [&changed[..], &sealed[..11], &[]] {
            assert!(vault.open(PLACE, damaged).is_err());
        }
        assert_ne!(vault.seal(PLACE, b"secret", &Factors::default()).unwrap(), sealed, "each has a nonce of its own");
    }

    #[test]
    fn the_key_is_roots_alone_and_another_one_is_not_made_beside_secrets() {
        let (_directory, vault) = vault();
        let sealed = vault.seal(PLACE, b"secret", &Factors::default()).unwrap();
        let status = fs::metadata(&vault.path).unwrap();
        assert_eq!((status.mode() & 0o7777, status.len()), (0o600, 32));
        let (held, berta) = (factors(&sealed), Place { account: AccountId(8), enrolment: 3 });
        let kept = fs::read(&vault.path).unwrap();
        fs::remove_file(&vault.path).unwrap();
        assert!(matches!(vault.open(PLACE, &sealed), Err(VaultError::Missing(_))));
        assert!(matches!(vault.seal(berta, b"other", &held), Err(VaultError::Missing(_))));
        let write = |bytes: &[u8], mode| {
            fs::write(&vault.path, bytes).unwrap();
            fs::set_permissions(&vault.path, fs::Permissions::from_mode(mode)).unwrap();
        };
        write(&[7; 32], 0o600);
        assert!(matches!(vault.seal(berta, b"other", &held), Err(VaultError::OtherKey(_))));
        for (bytes, mode) in [(&kept[..31], 0o600), (&[0; 33], 0o600), (&kept[..], 0o644)] {
            write(bytes, mode);
            assert!(matches!(vault.open(PLACE, &sealed), Err(VaultError::NotOne(_))), "{mode:o}");
        }
        write(&kept, 0o600);
        assert!(vault.seal(berta, b"other", &held).is_ok());
        assert!(vault.open(PLACE, &sealed).is_ok());
    }

    #[test]
    fn a_key_that_a_crash_has_left_half_is_made_anew() {
        let (_directory, vault) = vault();
        fs::write(format!("{}.new", vault.path.display()), b"half").unwrap();
        assert!(vault.seal(PLACE, b"secret", &Factors::default()).is_ok());
        assert!(!fs::exists(format!("{}.new", vault.path.display())).unwrap());
    }

    #[test]
    fn a_key_file_that_can_not_be_read_is_not_taken_for_none() {
        let (_directory, vault) = vault();
        std::fs::create_dir(&vault.path).unwrap();
        assert!(matches!(vault.seal(PLACE, b"secret", &Factors::default()), Err(VaultError::Read { .. })));
        assert!(vault.path.is_dir(), "none is put in its place");
    }
}
