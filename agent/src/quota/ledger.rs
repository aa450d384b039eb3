//! Counts of our own, for file systems that have none: only sessions of accountd ask for leases, so what
//! others write is found by scans alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use accountd_protocol::id::AccountId;
use accountd_protocol::quota::QuotaLimits;

use super::backend::{Backend, Subject, Usage};
use super::count::Count;
use crate::database::QuotaCount;

/// The count of each account. Each has a lock of its own, held while it is stored.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<HashMap<AccountId, Arc<Mutex<Count>>>>);

impl Ledger {
    pub fn new(stored: &[QuotaCount]) -> Self {
        let counts = stored.iter().map(|row| (row.account, Arc::new(Mutex::new(Count::stored(row)))));
        Self(Mutex::new(counts.collect()))
    }

    /// Of an account that has none yet, one of which nothing is known.
    pub fn count(&self, account: AccountId) -> Arc<Mutex<Count>> {
        self.lock().entry(account).or_default().clone()
    }

    /// A copy to look at.
    pub fn look(&self, account: AccountId) -> Count {
        let count = self.lock().get(&account).cloned();
        count.map(|count| locked(&count).clone()).unwrap_or_default()
    }

    /// The sessions that are open, by account.
    pub fn open_sessions(&self) -> Vec<(AccountId, u64)> {
        let counts: Vec<_> = self.lock().iter().map(|(account, count)| (*account, count.clone())).collect();
        let sessions = counts
            .iter()
            .flat_map(|(account, count)| locked(count).open_sessions().into_iter().map(|session| (*account, session)));
        sessions.collect()
    }

    pub fn forget(&self, account: AccountId) {
        self.lock().remove(&account);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, Arc<Mutex<Count>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub fn locked(count: &Mutex<Count>) -> MutexGuard<'_, Count> {
    count.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Backend for Ledger {
    /// They are looked at for each lease.
    fn set(&self, _: Subject<'_>, _: QuotaLimits) -> nix::Result<()> {
        Ok(())
    }

    fn usage(&self, subject: Subject<'_>) -> nix::Result<Usage> {
        Ok(Usage { used: self.look(subject.account).shown(), ..Usage::default() })
    }
}
