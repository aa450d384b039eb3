//! Which scans there are: at most one of each account, and so many at a time; others wait.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use accountd_protocol::id::AccountId;
use accountd_protocol::quota::{QuotaScan, ScanState};

use super::scan::Progress;

/// So many run side by side.
const MOST_RUNNING: usize = 2;

#[derive(Debug, Default)]
pub struct Scans {
    all: Mutex<All>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct All {
    by_account: BTreeMap<AccountId, Scan>,
    waiting: VecDeque<AccountId>,
    threads: usize,
}

#[derive(Debug)]
struct Scan {
    name: String,
    started: u64,
    progress: Arc<Progress>,
    state: ScanState,
}

/// What has come of asking for a scan.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// A thread has to be started that does it.
    ByAnotherThread,
    Waiting,
    /// There is one already.
    Present,
}

impl Scans {
    pub fn add(&self, account: AccountId, name: &str) -> Added {
        let mut all = self.lock();
        if all.by_account.contains_key(&account) {
            return Added::Present;
        }
        let (name, progress) = (name.to_owned(), Arc::default());
        all.by_account.insert(account, Scan { name, started: now(), progress, state: ScanState::Waiting });
        all.waiting.push_back(account);
        if all.threads >= MOST_RUNNING {
            return Added::Waiting;
        }
        all.threads += 1;
        Added::ByAnotherThread
    }

    /// The next one, for a thread that ends when there is none.
    pub fn next(&self) -> Option<(AccountId, Arc<Progress>)> {
        let mut all = self.lock();
        while let Some(account) = all.waiting.pop_front() {
            if let Some(scan) = all.by_account.get_mut(&account) {
                scan.state = ScanState::Running;
                return Some((account, scan.progress.clone()));
            }
        }
        all.threads -= 1;
        None
    }

    /// No thread could be started.
    pub fn not_started(&self, account: AccountId) {
        let mut all = self.lock();
        all.threads -= 1;
        all.waiting.retain(|waiting| *waiting != account);
        drop(all);
        self.over(account);
    }

    pub fn over(&self, account: AccountId) {
        self.lock().by_account.remove(&account);
        self.changed.notify_all();
    }

    /// Waits until there is none of this account, at most until `end`.
    pub fn wait(&self, account: AccountId, end: Instant) {
        let mut all = self.lock();
        while all.by_account.contains_key(&account) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            all = self.changed.wait_timeout(all, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Ends one; `false` where there is none.
    pub fn cancel(&self, account: AccountId) -> bool {
        let mut all = self.lock();
        let Some(scan) = all.by_account.get(&account) else { return false };
        scan.progress.cancel();
        if scan.state == ScanState::Waiting {
            all.by_account.remove(&account);
            all.waiting.retain(|waiting| *waiting != account);
        }
        drop(all);
        self.changed.notify_all();
        true
    }

    pub fn cancel_all(&self) {
        let accounts: Vec<AccountId> = self.lock().by_account.keys().copied().collect();
        for account in accounts {
            self.cancel(account);
        }
    }

    /// In the order of ids.
    pub fn list(&self) -> Vec<QuotaScan> {
        let shown = |(account, scan): (&AccountId, &Scan)| QuotaScan {
            account: *account,
            name: scan.name.clone(),
            started: scan.started,
            found: scan.progress.found(),
            entries: scan.progress.entries(),
            state: scan.state,
        };
        self.lock().by_account.iter().map(shown).collect()
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Milliseconds of Unix time.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNA: AccountId = AccountId(1);
    const BERTA: AccountId = AccountId(2);
    const CARLA: AccountId = AccountId(3);

    #[test]
    fn an_account_has_one_scan_and_two_run_at_a_time() {
        let scans = Scans::default();
        assert_eq!(scans.add(BERTA, "berta"), Added::ByAnotherThread);
        assert_eq!(scans.add(ANNA, "anna"), Added::ByAnotherThread);
        assert_eq!(scans.add(CARLA, "carla"), Added::Waiting);
        assert_eq!(scans.add(BERTA, "berta"), Added::Present);
        assert_eq!(scans.next().map(|(account, _)| account), Some(BERTA));
        let states = |scans: &Scans| scans.list().into_iter().map(|scan| (scan.name, scan.state)).collect::<Vec<_>>();
        let (waiting, running) = (ScanState::Waiting, ScanState::Running);
        assert_eq!(states(&scans), [("anna".into(), waiting), ("berta".into(), running), ("carla".into(), waiting)]);
        scans.over(BERTA);
        assert_eq!(scans.add(BERTA, "berta"), Added::Waiting, "one behind the others");
        let rest: Vec<_> = std::iter::from_fn(|| scans.next()).map(|(account, _)| account).collect();
        assert_eq!(rest, [ANNA, CARLA, BERTA]);
    }

    #[test]
    fn a_scan_whose_thread_can_not_be_started_is_none_and_gives_its_place_back() {
        let scans = Scans::default();
        for _ in 0..5 {
            assert_eq!(scans.add(ANNA, "anna"), Added::ByAnotherThread);
            scans.not_started(ANNA);
        }
        assert!(scans.list().is_empty());
        assert_eq!(scans.add(ANNA, "anna"), Added::ByAnotherThread);
        let done: Vec<_> = std::iter::from_fn(|| scans.next()).map(|(account, _)| account).collect();
        assert_eq!(done, [ANNA], "once, not once for each try");
    }

    #[test]
    fn all_scans_are_cancelled_and_one_that_does_not_end_is_waited_for_until_a_limit() {
        let scans = Scans::default();
        let _ = (scans.add(ANNA, "anna"), scans.add(BERTA, "berta"));
        let (running, progress) = scans.next().unwrap();
        scans.cancel_all();
        assert!(progress.is_cancelled());
        assert_eq!(scans.list().into_iter().map(|scan| scan.account).collect::<Vec<_>>(), [running]);
        scans.wait(running, Instant::now());
        assert_eq!(scans.list().len(), 1);
    }

    #[test]
    fn a_scan_that_waits_is_gone_when_it_is_cancelled_and_one_that_runs_is_told() {
        let scans = Scans::default();
        let _ = (scans.add(ANNA, "anna"), scans.add(BERTA, "berta"));
        let (_, progress) = scans.next().unwrap();
        assert!(scans.cancel(ANNA) && scans.cancel(BERTA) && !scans.cancel(CARLA));
        assert!(progress.is_cancelled());
        assert_eq!(scans.list().len(), 1, "until its thread is done with it");
        scans.over(ANNA);
        scans.wait(ANNA, Instant::now() + Duration::from_secs(60));
        assert!(scans.list().is_empty() && scans.next().is_none());
    }
}
