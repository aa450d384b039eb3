//! Which SSH keys of which accounts have rows in the state store, as far as that is known: a login by one of
//! these need not have the key file looked at for it.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use accountd_protocol::id::AccountId;

/// Fingerprints by account.
#[derive(Debug, Default)]
pub struct SeenKeys(Mutex<HashMap<AccountId, HashSet<String>>>);

impl SeenKeys {
    /// All that an account has.
    pub fn set(&self, account: AccountId, fingerprints: impl Iterator<Item = String>) {
        self.lock().insert(account, fingerprints.collect());
    }

    pub fn is_new(&self, account: AccountId, fingerprint: &str) -> bool {
        !self.lock().get(&account).is_some_and(|seen| seen.contains(fingerprint))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, HashSet<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
