//! Password hashes: made with sha-crypt, verified with libcrypt, both in a bounded pool.

use std::sync::{Condvar, Mutex, PoisonError};

use accountd_protocol::secret::{MAX_PASSWORD_BYTES, Secret};
use sha_crypt::{PasswordHasher, ShaCrypt};

use super::{own_hash, static_hash};
use crate::sys::crypt::crypt;

/// Raw salt bytes that become the 16 characters that libcrypt keeps; with more, pam_unix would
/// refuse the login because it compares whole hash texts.
const SALT_BYTES: usize = 12;
/// What verifying costs at most: an imported hash must not be able to stall the agent.
const MAX_SHA_ROUNDS: u32 = 5_000_000;
const MAX_BCRYPT_COST: u32 = 14;
/// yescrypt's N is 2 to the power of this plus one (crypt(5)); 14 stands for 32 MiB × r/8.
const MAX_YESCRYPT_N: usize = 14;

#[derive(Debug, thiserror::Error)]
pub enum HashError {
    #[error("no random bytes for a salt")]
    Random,
    #[error("the password can not be hashed")]
    Hash,
}

/// At most this many hashes are computed at a time; the others wait.
#[derive(Debug)]
pub struct HashPool {
    width: usize,
    free: Mutex<usize>,
    freed: Condvar,
    /// How many passwords have been verified.
    #[cfg(test)]
    pub verified: std::sync::atomic::AtomicUsize,
}

impl HashPool {
    pub fn new(width: usize) -> Self {
        let width = width.max(1);
        Self {
            width,
            free: Mutex::new(width),
            freed: Condvar::new(),
            #[cfg(test)]
            verified: std::sync::atomic::AtomicUsize::new(0),
        }
    }

    /// A `$6$` hash with 5,000 rounds and a fresh salt of 16 characters (crypt(5)).
    pub fn hash(&self, password: &Secret) -> Result<String, HashError> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(|_| HashError::Random)?;
        let hash = self.run(|| ShaCrypt::SHA512.hash_password_with_salt(password.reveal().as_bytes(), &salt));
        let text = hash.map_err(|_| HashError::Hash)?.to_string();
        // 5,000 is what the format means without a rounds field, and what FreeNAS writes.
        Ok(text.replacen("$rounds=5000$", "$", 1))
    }

    /// Whether `password` is the one behind `hash`. Takes the same time for a hash that can not
    /// match as for an ordinary one.
    pub fn verify(&self, password: &Secret, hash: &str) -> Verdict {
        if own_hash::is_own(hash) && password.reveal().len() <= MAX_PASSWORD_BYTES {
            let is_right = self.run(|| own_hash::verify(password.reveal(), hash));
            return if is_right { Verdict::Right } else { Verdict::Wrong };
        }
        let usable = password.reveal().len() <= MAX_PASSWORD_BYTES && is_hash(hash) && affordable(hash);
        let setting = if usable { hash } else { UNMATCHABLE };
        #[cfg(test)]
        self.verified.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let computed = self.run(|| crypt(password.reveal(), setting));
        match computed {
            Some(text) if usable && same(text.as_bytes(), hash.as_bytes()) => Verdict::Right,
            Some(_) | None => Verdict::Wrong,
        }
    }

    /// A hash of what clients of AList make of a password.
    pub fn hash_static(&self, password: &Secret) -> Result<String, HashError> {
        let digest = static_hash::static_digest(password);
        self.run(|| static_hash::make(&digest))
    }

    /// Whether it is the one behind `hash`. Takes the same time where there is none.
    pub fn verify_static(&self, digest: &Secret, hash: Option<&str>) -> Verdict {
        self.run(|| static_hash::verify(digest, hash))
    }

    /// Whether `password` is the one behind any of these, in as many threads as the pool is wide.
    pub fn verify_any(&self, password: &Secret, hashes: &[String]) -> Verdict {
        let is_right = |hash: &String| self.verify(password, hash) == Verdict::Right;
        let found = std::thread::scope(|scope| {
            let pieces = hashes.chunks(hashes.len().div_ceil(self.width).max(1));
            let threads: Vec<_> = pieces.map(|piece| scope.spawn(move || piece.iter().any(is_right))).collect();
            // What could not be told counts as found.
            threads.into_iter().any(|thread| thread.join().unwrap_or(true))
        });
        if found { Verdict::Right } else { Verdict::Wrong }
    }

    fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free == 0 {
            free = self.freed.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        drop(free);
        let result = work();
        *self.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.freed.notify_one();
        result
    }
}

/// What a password was worth.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Right,
    Wrong,
}

/// Hashed against where there is no hash, so that time does not tell. Its own hash part is
/// never compared.
const UNMATCHABLE: &str = "$6$accountdaccountd$";

/// Whether a shadow(5) password field holds a hash, and not `*`, `!`, nothing or a lock mark.
pub fn is_hash(field: &str) -> bool {
    field.len() >= 13
        && field.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'*' | b'!' | b':' | b'\\'))
}

/// Whether verifying a hash costs no more than it may.
pub fn affordable(hash: &str) -> bool {
    let mut parts = hash.split('$').skip(1);
    let (Some(format), Some(parameter)) = (parts.next(), parts.next()) else { return true };
    match format {
        "5" | "6" => parameter.strip_prefix("rounds=").is_none_or(|rounds| at_most(rounds, MAX_SHA_ROUNDS)),
        "2a" | "2b" | "2x" | "2y" => at_most(parameter, MAX_BCRYPT_COST),
        "y" | "gy" | "7" => parameter.as_bytes().get(1).copied().and_then(crypt64).is_some_and(|n| n <= MAX_YESCRYPT_N),
        _ => true,
    }
}

fn at_most(number: &str, limit: u32) -> bool {
    number.parse::<u32>().is_ok_and(|number| number <= limit)
}

/// The value of a digit of crypt(5)'s base 64.
fn crypt64(digit: u8) -> Option<usize> {
    b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".iter().position(|d| *d == digit)
}

/// Compares without telling by time where the first difference is.
pub fn same(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).fold(0, |differ, (l, r)| differ | (l ^ r)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> HashPool {
        HashPool::new(2)
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text.into())
    }

    #[test]
    fn a_new_hash_is_what_libcrypt_itself_would_print() {
        let hash = pool().hash(&secret("pä€ss")).unwrap();
        let salt: Vec<&str> = hash.split('$').collect();
        assert_eq!((salt[1], salt[2].len(), salt.len()), ("6", 16, 4), "{hash}");
        assert_eq!(crypt("pä€ss", &hash).as_deref(), Some(hash.as_str()));
        assert_eq!(pool().verify(&secret("pä€ss"), &hash), Verdict::Right);
        assert_eq!(pool().verify(&secret("pass"), &hash), Verdict::Wrong);
    }

    #[test]
    fn only_a_hash_whose_cost_can_be_chosen_can_cost_too_much() {
        assert!(["$1$salt$hash", "$sha1$1$x$y", "$6$salt$hash", "plain", "$2b$10$x"].into_iter().all(affordable));
        assert!(!["$6$rounds=999999999$salt$hash", "$2b$31$x", "$y$jzT$x"].into_iter().any(affordable));
    }

    #[test]
    fn yescrypt_and_bcrypt_are_verified_too() {
        let setting = "$y$j9T$abcdefghijklmnopqrstu.$";
        let yescrypt = crypt("aa", setting).unwrap();
        assert_eq!(pool().verify(&secret("aa"), &yescrypt), Verdict::Right);
        let bcrypt = crypt("aa", "$2b$05$abcdefghijklmnopqrstuu").unwrap();
        assert_eq!(pool().verify(&secret("aa"), &bcrypt), Verdict::Right);
    }

    #[test]
    fn one_right_hash_among_many_is_found_wherever_it_stands() {
        let wrong = crypt("bb", "$5$salt").unwrap();
        let right = crypt("aa", "$5$salt").unwrap();
        for place in 0..5 {
            let mut hashes = vec![wrong.clone(); 5];
            assert_eq!(pool().verify_any(&secret("aa"), &hashes), Verdict::Wrong);
            hashes[place] = right.clone();
            assert_eq!(pool().verify_any(&secret("aa"), &hashes), Verdict::Right, "{place}");
        }
        assert_eq!(pool().verify_any(&secret("aa"), &[]), Verdict::Wrong);
    }

    #[test]
    fn nothing_matches_a_field_that_is_no_hash() {
        for field in ["", "*", "!", "!!", "*LK*", "x", "*0", "*1", "!$6$salt$hash", "$6$", "$6$a"] {
            for password in ["", "x", "*", "!", "aa"] {
                assert_eq!(pool().verify(&secret(password), field), Verdict::Wrong, "{field:?} {password:?}");
            }
        }
    }

    #[test]
    fn hashes_that_cost_too_much_are_not_computed() {
        for hash in ["$6$rounds=999999999$salt$x", "$2b$31$abcdefghijklmnopqrstuu", "$y$jzT$salt$x", "$6$rounds=x$s$y"]
        {
            assert!(!affordable(hash), "{hash}");
        }
        assert!(affordable("$6$rounds=656000$salt$hash") && affordable("$y$j9T$salt$hash"));
    }

    #[test]
    fn a_password_over_the_limit_is_refused_and_not_cut() {
        let long = "x".repeat(512);
        let hash = crypt(&long[..511], "$6$saltsaltsaltsalt").unwrap();
        assert_eq!(pool().verify(&secret(&long[..511]), &hash), Verdict::Right);
        assert_eq!(pool().verify(&secret(&long), &hash), Verdict::Wrong);
    }
}
