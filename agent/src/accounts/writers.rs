//! Who changes something of an account that is judged before the lock: one after the other.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use accountd_protocol::id::AccountId;
use accountd_protocol::refusal::Refusal;

/// How long somebody waits for another: many accounts at once may take longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Writers of one kind of thing: key files, or passwords.
#[derive(Debug, Default)]
pub struct Writers {
    busy: Mutex<HashSet<AccountId>>,
    free: Condvar,
}

/// As long as it is there, nobody else writes that of these accounts.
#[must_use]
#[derive(Debug)]
pub struct Alone<'a> {
    writers: &'a Writers,
    ids: HashSet<AccountId>,
}

impl Writers {
    pub fn alone(&self, id: AccountId) -> Result<Alone<'_>, Refusal> {
        self.alone_with([id])
    }

    /// `None` where somebody else writes.
    pub fn alone_now(&self, id: AccountId) -> Option<Alone<'_>> {
        self.within(Duration::ZERO, HashSet::from([id])).ok()
    }

    /// The same for several accounts, which come free for this all at once: so no two of these can wait for
    /// each other.
    pub fn alone_with(&self, ids: impl IntoIterator<Item = AccountId>) -> Result<Alone<'_>, Refusal> {
        self.within(PATIENCE, ids.into_iter().collect())
    }

    fn within(&self, patience: Duration, ids: HashSet<AccountId>) -> Result<Alone<'_>, Refusal> {
        let is_busy = |busy: &mut HashSet<AccountId>| !busy.is_disjoint(&ids);
        let waited = self.free.wait_timeout_while(self.lock(), patience, is_busy);
        let (mut busy, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return Err(Refusal::Busy);
        }
        busy.extend(ids.iter().copied());
        drop(busy);
        Ok(Alone { writers: self, ids })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<AccountId>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.writers.lock().retain(|id| !self.ids.contains(id));
        self.writers.free.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_waits_for_whoever_has_an_account_of_its_own_and_for_nobody_else() {
        let writers = Writers::default();
        let at_once = |ids: &[u64]| writers.within(Duration::ZERO, ids.iter().copied().map(AccountId).collect());
        let many = at_once(&[1, 2, 3]).unwrap();
        assert!(at_once(&[4, 3]).is_err() && at_once(&[2]).is_err());
        // What was refused has nothing.
        let other = at_once(&[4]).unwrap();
        drop(many);
        assert!(at_once(&[3]).is_ok() && at_once(&[3, 4]).is_err());
        drop(other);
        std::thread::scope(|scope| {
            let first = writers.alone(AccountId(3)).unwrap();
            let waiting = scope.spawn(|| writers.alone_with([AccountId(3), AccountId(5)]).map(drop));
            drop(first);
            assert_eq!(waiting.join().unwrap(), Ok(()));
        });
    }
}
