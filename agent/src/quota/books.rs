//! The books of the quotas, in which requests and the threads read and write: what is counted, where homes lie,
//! what is scanned and what is to be done.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use accountd_protocol::id::{AccountId, Uid};
use accountd_protocol::quota::QuotaBackend;
use accountd_protocol::refusal::Refusal;
use tracing::{info, warn};

use super::backend::Backend;
use super::btrfs::Btrfs;
use super::holder::Holder;
use super::kernel::Kernel;
use super::ledger::{Ledger, locked};
use super::place::{Place, Places, open_nearest};
use super::scan::{Progress, scan};
use super::scans::{Added, Scans, now};
use crate::database::{QuotaMark, QuotaStore, QuotaWrite};
use crate::sys::priority;

#[derive(Debug)]
pub struct Books {
    pub root: OwnedFd,
    pub store: QuotaStore,
    pub places: Places,
    pub ledger: Ledger,
    pub scans: Scans,
    pub tasks: Mutex<Tasks>,
}

/// What the thread of the quotas knows.
#[derive(Debug, Default)]
pub struct Tasks {
    /// Accounts with a quota, and where they were counted when it was last set.
    pub known: HashMap<AccountId, (Uid, PathBuf)>,
    pub marks: BTreeSet<QuotaMark>,
    /// What could not be set, and why.
    pub failed: HashMap<Uid, Failure>,
    /// Accounts of which less may be stored than is counted.
    pub to_scan: HashSet<AccountId>,
    /// The mount table as it was.
    pub mounts: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub device: u64,
    pub reason: String,
}

impl Books {
    pub fn backend(&self, kind: QuotaBackend) -> &dyn Backend {
        match kind {
            QuotaBackend::Kernel => &Kernel,
            QuotaBackend::Btrfs => &Btrfs,
            QuotaBackend::Ledger => &self.ledger,
        }
    }

    pub fn holder(&self, account: AccountId) -> Result<Holder, Refusal> {
        Holder::find(&self.store.view(), account).ok_or(Refusal::NotFound)
    }

    /// The home, or what is there of the way to it, and who counts there.
    pub fn find(&self, home: &std::path::Path) -> nix::Result<(OwnedFd, Place)> {
        let opened = open_nearest(&self.root, home)?;
        let place = self.places.of(&opened)?;
        Ok((opened, place))
    }

    pub fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a scan; [`Added::Present`] where there is one.
    pub fn begin_scan(self: &Arc<Self>, account: AccountId, name: &str) -> Added {
        let added = self.scans.add(account, name);
        if added == Added::ByAnotherThread {
            let books = self.clone();
            let thread = std::thread::Builder::new().name("scan".into());
            let scanning = move || {
                priority::step_back();
                while let Some((account, progress)) = books.scans.next() {
                    books.scan(account, &progress);
                    books.scans.over(account);
                }
            };
            if let Err(error) = thread.spawn(scanning) {
                warn!(%error, name, "a scan can not be started");
                self.scans.not_started(account);
            }
        }
        added
    }

    /// Scans an account until no less than is counted can be found, at most until `end`.
    pub fn scan_through(self: &Arc<Self>, holder: &Holder, end: Instant) {
        for _ in 0..2 {
            // One that is under way may have passed by what has been freed since.
            let _ = self.begin_scan(holder.account, &holder.name);
            self.scans.wait(holder.account, end);
            if !self.ledger.look(holder.account).may_be_less() {
                return;
            }
        }
    }

    fn scan(&self, account: AccountId, progress: &Progress) {
        let Ok(holder) = self.holder(account) else { return };
        let count = self.ledger.count(account);
        let start = locked(&count).begin_scan();
        let found = match scan(&self.root, &holder, progress) {
            Ok(found) => found,
            Err(error) => {
                return warn!(name = holder.name, %error, "a scan of what an account stores has not come to its end");
            }
        };
        let mut count = locked(&count);
        count.end_scan(&start, found, now());
        info!(name = holder.name, bytes = found.bytes, files = found.files, "what an account stores has been scanned");
        if holder.has_quota()
            && let Some(row) = count.exact_to_store(account)
        {
            self.store.note(QuotaWrite::Count(row));
        }
    }
}
