//! Who changes something of an account that is judged before the lock: one after the other.

use std::sync::{Mutex, MutexGuard, PoisonError};

use accountd_protocol::id::AccountId;

/// How many accounts are changed so at a time.
const PLACES: usize = 64;

/// Writers of one kind of thing: key files, or passwords.
#[derive(Debug)]
pub struct Writers([Mutex<()>; PLACES]);

impl Default for Writers {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

impl Writers {
    /// Until the guard is dropped, nobody else writes that of this account.
    pub fn alone(&self, id: AccountId) -> MutexGuard<'_, ()> {
        let place = usize::try_from(id.0 % PLACES as u64).unwrap_or_default();
        self.0[place].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
