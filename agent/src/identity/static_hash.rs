//! The second hash of a password, for clients of AList: they show the SHA-256 of the password and a fixed text
//! instead of it. Whoever has read such a digest can log in with it, so it is kept as a password is: argon2id
//! (RFC 9106), with the least cost that OWASP's list of 2023 has.

use accountd_protocol::id::AccountId;
use accountd_protocol::refusal::Refusal;
use accountd_protocol::secret::Secret;
use argon2::{Algorithm, Argon2, Params, Version};
use base64ct::{Base64Unpadded, Encoding};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::candidate::PasswordAccount;
use super::hash::{HashError, Verdict};
use super::own_hash;
use crate::agent::Agent;
use crate::database::entry::{Entry, shadow};
use crate::database::{self, CredentialWrite, DatabaseError, FileKind, PasswordStamp, View};
use crate::error::Error;
use crate::hexadecimal::hexadecimal;

/// What a client puts behind a password before it makes the digest.
const SALT: &str = "-https://github.com/alist-org/alist";
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
const KEY_BYTES: usize = 32;
/// Verified against where there is none, so that time does not tell. No text is behind it that anybody knows.
const UNMATCHABLE: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$YWNjb3VudGRhY2NvdW50ZA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// What a client of AList makes of a password.
pub fn static_digest(password: &Secret) -> Secret {
    let hash = Sha256::new().chain_update(password.reveal()).chain_update(SALT).finalize();
    Secret::new(hexadecimal(&hash))
}

/// What a second hash is bound to.
pub fn bound_to(hash: &str) -> [u8; 32] {
    Sha256::digest(hash).into()
}

/// Argon2id of a digest, in PHC string format.
pub fn make(digest: &Secret) -> Result<String, HashError> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(|_| HashError::Random)?;
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(KEY_BYTES)).map_err(|_| HashError::Hash)?;
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(digest.reveal().as_bytes(), &salt, &mut *key).map_err(|_| HashError::Hash)?;
    let (salt, key) = (Base64Unpadded::encode_string(&salt), Base64Unpadded::encode_string(&*key));
    Ok(format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${key}"))
}

/// Takes the same time where there is no hash.
pub fn verify(digest: &Secret, hash: Option<&str>) -> Verdict {
    let is_right = own_hash::verify(digest.reveal(), hash.unwrap_or(UNMATCHABLE));
    if is_right && hash.is_some() { Verdict::Right } else { Verdict::Wrong }
}

impl Agent {
    /// The second hash of a password that is set; `None` where nobody asks for one.
    pub(crate) fn second_hash(&self, password: &Secret) -> Result<Option<String>, Refusal> {
        if !self.config().alist.enabled {
            return Ok(None);
        }
        self.hashes.hash_static(password).map(Some).map_err(|error| Error::Hash(error).into_refusal())
    }

    /// Whether a digest is that of the account's password.
    pub(crate) fn judge_static(&self, digest: &Secret, account: Option<&PasswordAccount>) -> Result<Verdict, Refusal> {
        let stamp = match account {
            Some(account) => self.stamp_of(account)?,
            // Whether there is such an account is not to be seen by how long it takes.
            None => {
                database::read_password_stamp(&self.store, AccountId(0)).map_err(DatabaseError::into_refusal)?;
                None
            }
        };
        let hash = stamp.and_then(|stamp| stamp.static_hash);
        Ok(self.hashes.verify_static(digest, hash.as_deref()))
    }

    /// A right password has come by: its second hash is kept from here on, where it is missing. Nobody is turned
    /// away because that can't be done.
    pub(crate) fn keep_second_hash(&self, account: &PasswordAccount, password: &Secret) {
        if !self.config().alist.enabled {
            return;
        }
        match self.stamp_of(account) {
            Ok(Some(PasswordStamp { static_hash: Some(_), .. })) | Err(_) => {}
            Ok(stamp) => {
                let changed = stamp.map_or_else(|| self.day_of_change(account.id), |stamp| stamp.changed);
                let Ok(Some(hash)) = self.second_hash(password) else { return };
                let stamp = PasswordStamp { bound: bound_to(&account.hash), changed, static_hash: Some(hash) };
                self.database.credential_store().note(CredentialWrite::Stamp(account.id, stamp));
            }
        }
    }

    /// When the password of an account was changed, in seconds since 1970, as far as that is known: to the
    /// second for those that were set here, else to the day.
    pub(crate) fn password_changed(&self, account: &PasswordAccount) -> Result<u64, Refusal> {
        Ok(self.stamp_of(account)?.map_or_else(|| self.day_of_change(account.id), |stamp| stamp.changed))
    }

    /// Of the present password alone.
    fn stamp_of(&self, account: &PasswordAccount) -> Result<Option<PasswordStamp>, Refusal> {
        let stamp = database::read_password_stamp(&self.store, account.id).map_err(DatabaseError::into_refusal)?;
        Ok(stamp.filter(|stamp| stamp.bound == bound_to(&account.hash)))
    }

    fn day_of_change(&self, account: AccountId) -> u64 {
        day_of_change(&self.database.known_view(), account) * crate::accounts::SECONDS_A_DAY
    }
}

fn day_of_change(view: &View, account: AccountId) -> u64 {
    let entry: Option<Entry> = view.user(account).and_then(|row| view.entry(FileKind::Shadow, &row.name));
    entry.and_then(|entry| entry.number(shadow::LAST_CHANGE)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_the_one_that_clients_make() {
        // printf '%s' 'password-https://github.com/alist-org/alist' | sha256sum
        let digest = static_digest(&Secret::new("password".into()));
        assert_eq!(digest.reveal(), "0ee0be47182acad90a4307dd35cc06d901875e870b2637955a1188637ee56675");
    }

    #[test]
    fn a_digest_is_verified_and_nothing_else_is() {
        let digest = static_digest(&Secret::new("password".into()));
        let hash = make(&digest).unwrap();
        assert_eq!(verify(&digest, Some(&hash)), Verdict::Right);
        for other in ["password", "", &digest.reveal().to_uppercase(), &digest.reveal()[1..]] {
            assert_eq!(verify(&Secret::new(other.into()), Some(&hash)), Verdict::Wrong, "{other}");
        }
        assert_eq!(verify(&digest, None), Verdict::Wrong);
        assert_ne!(make(&digest).unwrap(), hash, "each has a salt of its own");
        assert!(own_hash::is_own(UNMATCHABLE), "else it would cost nothing");
    }
}
