//! Which transfers of homes there are: waiting, under way, and what came of the last of each
//! account. An account has one at a time.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use accountd_protocol::home::TransferState;
use accountd_protocol::id::AccountId;

use crate::database::TransferRow;
use crate::homes::Ender;
use crate::homes::transfer::Report;

/// How long the end of a child is waited for that has been killed.
const END_DEADLINE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub struct Transfers {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    rows: HashMap<AccountId, TransferRow>,
    waiting: VecDeque<AccountId>,
    /// Taken by a thread, with the child that does the present step.
    running: HashMap<AccountId, Option<Ender>>,
    claimed: HashSet<AccountId>,
}

/// No other request changes the home or the owner of this account as long as this lives.
#[derive(Debug)]
pub struct Claim<'a> {
    transfers: &'a Transfers,
    account: AccountId,
}

impl Transfers {
    /// Those that were not at their end when the agent ended go on.
    pub fn new(stored: &[TransferRow]) -> Self {
        let unfinished = stored.iter().filter(|row| row.state.is_under_way());
        let inner = Inner {
            waiting: unfinished.map(|row| row.account).collect(),
            rows: stored.iter().map(|row| (row.account, row.clone())).collect(),
            ..Inner::default()
        };
        Self { inner: Mutex::new(inner), changed: Condvar::new() }
    }

    /// `None` while a transfer of the account is under way, or another request has claimed it.
    pub fn claim(&self, account: AccountId) -> Option<Claim<'_>> {
        let mut inner = self.lock();
        let free = !inner.is_under_way(account) && inner.claimed.insert(account);
        // Only made where it is free: dropping one gives the account back.
        free.then(|| Claim { transfers: self, account })
    }

    pub fn get(&self, account: AccountId) -> Option<TransferRow> {
        self.lock().rows.get(&account).cloned()
    }

    /// The next one to be done, for the thread that does it.
    pub fn next(&self) -> TransferRow {
        let mut inner = self.lock();
        loop {
            if let Some(account) = inner.waiting.pop_front()
                && let Some(row) = inner.rows.get_mut(&account)
            {
                row.state = TransferState::Running;
                let row = row.clone();
                inner.running.insert(account, None);
                return row;
            }
            if inner.waiting.is_empty() {
                inner = self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Another child does the next step; `false` when the transfer has been cancelled.
    pub fn goes_on(&self, account: AccountId, child: Ender) -> bool {
        let mut inner = self.lock();
        let wanted = inner.rows.contains_key(&account);
        inner.running.insert(account, Some(child));
        wanted
    }

    pub fn report(&self, account: AccountId, counts: Report) {
        if let Some(row) = self.lock().rows.get_mut(&account) {
            row.counts = counts;
        }
    }

    /// What is to be stored of a transfer that has come to its end; `None` when it was cancelled.
    pub fn ended(&self, account: AccountId, error: Option<String>) -> Option<TransferRow> {
        let mut inner = self.lock();
        let row = inner.rows.get_mut(&account)?;
        row.state = if error.is_some() { TransferState::Failed } else { TransferState::Done };
        row.error = error;
        Some(row.clone())
    }

    /// The thread is done with it.
    pub fn let_go(&self, account: AccountId) {
        self.lock().running.remove(&account);
        self.changed.notify_all();
    }

    /// Waits until nothing of it is under way, at most `limit`.
    pub fn settled(&self, account: AccountId, limit: Duration) {
        let end = Instant::now() + limit;
        let mut inner = self.lock();
        while inner.is_under_way(account) || inner.running.contains_key(&account) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            inner = self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The account is no more: nothing is done for it when this returns.
    pub fn cancel(&self, account: AccountId) {
        let mut inner = self.lock();
        inner.rows.remove(&account);
        inner.waiting.retain(|waiting| *waiting != account);
        if let Some(Some(child)) = inner.running.get(&account) {
            child.end();
        }
        drop(inner);
        self.settled(account, END_DEADLINE);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn is_under_way(&self, account: AccountId) -> bool {
        self.rows.get(&account).is_some_and(|row| row.state.is_under_way())
    }
}

impl Claim<'_> {
    /// What the account has now, after the commit that stored it.
    pub fn enter(self, row: Option<TransferRow>) {
        let mut inner = self.transfers.lock();
        match row {
            Some(row) => {
                if row.state.is_under_way() {
                    inner.waiting.push_back(self.account);
                }
                inner.rows.insert(self.account, row);
            }
            None => drop(inner.rows.remove(&self.account)),
        }
        drop(inner);
        self.transfers.changed.notify_all();
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.transfers.lock().claimed.remove(&self.account);
    }
}

#[cfg(test)]
mod tests {
    use accountd_protocol::home::TransferKind;
    use accountd_protocol::id::{Gid, Uid};

    use super::*;
    use crate::homes::Owner;
    use crate::homes::transfer::Attributes;

    const ANNA: AccountId = AccountId(7);

    fn row(state: TransferState) -> TransferRow {
        TransferRow {
            account: ANNA,
            from: "/mnt/tank/old".into(),
            to: "/mnt/tank/new".into(),
            kind: TransferKind::Copy,
            old_owner: Owner { uid: Uid(3001), gid: Gid(3001) },
            attributes: Attributes::Copied,
            state,
            counts: Report::default(),
            error: None,
        }
    }

    #[test]
    fn an_account_is_claimed_by_one_request_and_not_while_its_home_is_transferred() {
        let transfers = Transfers::default();
        let claim = transfers.claim(ANNA).unwrap();
        assert!(transfers.claim(ANNA).is_none() && transfers.claim(AccountId(8)).is_some());
        drop(claim);
        transfers.claim(ANNA).unwrap().enter(Some(row(TransferState::Waiting)));
        assert!(transfers.claim(ANNA).is_none());
        assert_eq!(transfers.next().state, TransferState::Running);
        assert!(transfers.claim(ANNA).is_none());
        assert_eq!(transfers.ended(ANNA, Some("full".into())).unwrap().state, TransferState::Failed);
        transfers.let_go(ANNA);
        assert!(transfers.claim(ANNA).is_some());
    }

    #[test]
    fn what_was_under_way_goes_on_after_a_start_and_ends_with_its_account() {
        let transfers = Transfers::new(&[row(TransferState::Running)]);
        assert_eq!(transfers.next().account, ANNA);
        std::thread::scope(|scope| {
            scope.spawn(|| transfers.cancel(ANNA));
            while transfers.get(ANNA).is_some() {
                std::thread::yield_now();
            }
            assert_eq!(transfers.ended(ANNA, None), None);
            transfers.let_go(ANNA);
        });
        assert!(Transfers::new(&[row(TransferState::Done)]).claim(ANNA).is_some());
    }
}
