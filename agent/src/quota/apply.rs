//! Setting limits where the kernel holds them, and lifting those that nobody has any more.
//!
//! What is set is noted before (`quota_marks`), so that neither a crash nor a file system that is not mounted
//! leaves a limit behind for whoever gets the uid next. A limit that could not be set does not keep a change
//! from being made: it is logged, shown with its file system, and tried again.

use std::collections::{BTreeMap, HashMap};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use accountd_protocol::id::{AccountId, Uid};
use accountd_protocol::quota::{QuotaBackend, QuotaLimits};
use nix::errno::Errno;
use nix::sys::stat::fstat;
use tracing::{info, warn};

use super::backend::{Backend, Subject};
use super::books::{Books, Failure};
use super::btrfs::Btrfs;
use super::holder::{Holder, has_quota};
use super::kernel::Kernel;
use super::place::{Place, open_plain};
use super::scans::Added;
use crate::database::{MarkedPlace, QuotaMark, QuotaWrite};

/// A limit as it is to be in the kernel.
struct Wanted {
    backend: QuotaBackend,
    account: AccountId,
    limits: QuotaLimits,
    home: OwnedFd,
    device: u64,
}

impl Books {
    /// Makes the limits of everybody with this uid what they are to be.
    pub fn apply(self: &Arc<Self>, uid: Uid) {
        let holders = Holder::all_of_uid(&self.store.view(), uid);
        self.tasks().failed.remove(&uid);
        let wanted = self.wanted(&holders);
        self.forget_others(uid, &holders);
        let noted: Vec<QuotaMark> = self.tasks().marks.iter().filter(|mark| mark.uid == uid).cloned().collect();
        for mark in noted.into_iter().filter(|mark| !wanted.contains_key(mark)) {
            self.lift(mark);
        }
        for (mark, wanted) in wanted {
            if let Err(reason) = self.set(&mark, &wanted) {
                warn!(uid = uid.0, place = mark.place.to_string(), reason, "a quota can not be set; it is tried again");
                self.tasks().failed.insert(uid, Failure { device: wanted.device, reason });
            }
        }
    }

    /// By what they are set on: the least of all that share it. Those that the ledger holds are begun here.
    fn wanted(self: &Arc<Self>, holders: &[Holder]) -> BTreeMap<QuotaMark, Wanted> {
        let mut all: BTreeMap<QuotaMark, Wanted> = BTreeMap::new();
        for holder in holders {
            let (home, Place { mount, device, backend, .. }) = match self.find(&holder.home) {
                Ok(found) => found,
                Err(error) => {
                    let reason = format!("cannot look at {}: {error}", holder.home.display());
                    warn!(name = holder.name, reason, "a quota can not be set; it is tried again");
                    self.tasks().failed.insert(holder.uid, Failure { device: 0, reason });
                    continue;
                }
            };
            let place = match backend {
                QuotaBackend::Kernel => MarkedPlace::Mount(mount),
                QuotaBackend::Btrfs => MarkedPlace::Subvolume(holder.home.clone()),
                QuotaBackend::Ledger => {
                    self.begin_ledger(holder);
                    continue;
                }
            };
            self.tasks().known.insert(holder.account, (holder.uid, holder.home.clone()));
            let (account, limits) = (holder.account, holder.limits);
            all.entry(QuotaMark { place, uid: holder.uid })
                .and_modify(|wanted| wanted.limits = wanted.limits.and(limits))
                .or_insert(Wanted { backend, account, limits, home, device });
        }
        all
    }

    /// Of an account whose quota is new nobody knows what it stores.
    fn begin_ledger(self: &Arc<Self>, holder: &Holder) {
        let place = (holder.uid, holder.home.clone());
        let before = self.tasks().known.insert(holder.account, place.clone());
        if before.is_some_and(|before| before != place) {
            // Its files may be on their way: the end of that is told.
            self.tasks().to_scan.insert(holder.account);
        }
        if self.ledger.look(holder.account).needs_scan() {
            let _ = self.begin_scan(holder.account, &holder.name);
        }
    }

    /// Forgets the counts of accounts that had this uid and have no quota any more.
    fn forget_others(&self, uid: Uid, holders: &[Holder]) {
        let view = self.store.view();
        let mut tasks = self.tasks();
        let gone = |account: &AccountId| {
            holders.iter().all(|holder| holder.account != *account)
                && view.user(*account).is_none_or(|row| !has_quota(&view, row))
        };
        let of_uid = tasks.known.iter().filter(|(_, (known, _))| *known == uid).map(|(account, _)| *account);
        let gone: Vec<AccountId> = of_uid.filter(gone).collect();
        for account in gone {
            tasks.known.remove(&account);
            tasks.to_scan.remove(&account);
            self.ledger.forget(account);
            self.store.note(QuotaWrite::Forget(account));
        }
    }

    fn set(&self, mark: &QuotaMark, wanted: &Wanted) -> Result<(), String> {
        let Wanted { backend, account, limits, home, .. } = wanted;
        if !self.tasks().marks.contains(mark) {
            self.store.write(QuotaWrite::Mark(mark.clone())).map_err(|refusal| refusal.to_string())?;
            self.tasks().marks.insert(mark.clone());
        }
        let subject = Subject { account: *account, uid: mark.uid, home };
        self.backend(*backend).set(subject, *limits).map_err(|error| match error {
            Errno::EPERM => "the agent may not set quotas".into(),
            error => error.to_string(),
        })
    }

    /// Lifts a limit that nobody has any more. What is not there now is lifted when it is.
    fn lift(&self, mark: QuotaMark) {
        let lifted = match &mark.place {
            MarkedPlace::Mount(mount) => self.lift_on(mount, mark.uid),
            MarkedPlace::Subvolume(home) => self.lift_of(home, mark.uid),
        };
        match lifted {
            Ok(Lifted::Yes) => {
                self.store.note(QuotaWrite::Unmark(mark.clone()));
                self.tasks().marks.remove(&mark);
            }
            Ok(Lifted::NotNow) => {
                info!(uid = mark.uid.0, place = mark.place.to_string(), "a quota is lifted when it is there")
            }
            Err(error) => {
                warn!(uid = mark.uid.0, place = mark.place.to_string(), %error, "a quota can not be lifted; it is tried again");
                let failure = Failure { device: 0, reason: format!("a quota can not be lifted: {error}") };
                self.tasks().failed.insert(mark.uid, failure);
            }
        }
    }

    fn lift_on(&self, mount: &Path, uid: Uid) -> nix::Result<Lifted> {
        // The path is one of the mount table, which knows no other root directory.
        let Ok(opened) = std::fs::File::open(mount).map(OwnedFd::from) else { return Ok(Lifted::NotNow) };
        let place = self.places.of(&opened)?;
        if place.mount != mount || place.backend != QuotaBackend::Kernel {
            return Ok(Lifted::NotNow);
        }
        let subject = Subject { account: AccountId(0), uid, home: &opened };
        Kernel.set(subject, QuotaLimits::default()).map(|()| Lifted::Yes)
    }

    /// A home that has gone took its limit with it; another may have its name by now.
    fn lift_of(&self, home: &Path, uid: Uid) -> nix::Result<Lifted> {
        let opened = match open_plain(&self.root, home) {
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => return Ok(Lifted::Yes),
            opened => opened?,
        };
        if fstat(&opened)?.st_uid != uid.0 || self.places.of(&opened)?.backend != QuotaBackend::Btrfs {
            return Ok(Lifted::Yes);
        }
        let subject = Subject { account: AccountId(0), uid, home: &opened };
        Btrfs.set(subject, QuotaLimits::default()).map(|()| Lifted::Yes)
    }
}

enum Lifted {
    Yes,
    /// Its file system is not there, or does not count.
    NotNow,
}

impl Books {
    /// Once in a while: what has failed is tried again, all of it where mounts have changed, and what may be
    /// less than is counted is scanned. Gives the uids to be set.
    pub fn look_around(self: &Arc<Self>) -> Vec<Uid> {
        let mounts = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
        let mut tasks = self.tasks();
        let has_changed = tasks.mounts != mounts;
        tasks.mounts = mounts;
        let (to_scan, failed) = (std::mem::take(&mut tasks.to_scan), tasks.failed.keys().copied().collect());
        drop(tasks);
        for account in to_scan {
            self.scan_lazily(account);
        }
        if has_changed { self.all_uids() } else { failed }
    }

    fn scan_lazily(self: &Arc<Self>, account: AccountId) {
        let Ok(holder) = self.holder(account) else { return };
        match self.begin_scan(account, &holder.name) {
            Added::ByAnotherThread | Added::Waiting => {}
            Added::Present => drop(self.tasks().to_scan.insert(account)),
        }
    }

    /// Whose limits there are, and whose there may be in the kernel.
    pub fn all_uids(&self) -> Vec<Uid> {
        let mut uids: Vec<Uid> = {
            let view = self.store.view();
            view.users().iter().filter(|row| has_quota(&view, row)).map(|row| row.uid).collect()
        };
        uids.extend(self.tasks().marks.iter().map(|mark| mark.uid));
        uids.sort_unstable();
        uids.dedup();
        uids
    }

    /// Why limits on a file system are not as they are to be: how many, and one reason.
    pub fn failures_on(&self, device: u64) -> Option<String> {
        let tasks = self.tasks();
        let mut here = tasks.failed.values().filter(|failure| failure.device == device);
        let first = here.next()?;
        Some(format!("{} limits can not be set: {}", 1 + here.count(), first.reason))
    }

    /// A home has been handed over or copied: what is counted may be another's, or twice.
    pub fn home_has_changed(self: &Arc<Self>, account: AccountId) {
        let Ok(holder) = self.holder(account) else { return };
        let is_counted = self.find(&holder.home).is_ok_and(|(_, place)| place.backend == QuotaBackend::Ledger);
        if holder.has_quota() && is_counted {
            self.scan_lazily(account);
        }
    }
}

/// The state of the thread at start.
pub fn known_at_start(books: &Books) -> HashMap<AccountId, (Uid, std::path::PathBuf)> {
    let view = books.store.view();
    let holders = view.users().iter().filter(|row| has_quota(&view, row)).filter_map(|row| Holder::of(&view, row));
    holders.map(|holder| (holder.account, (holder.uid, holder.home))).collect()
}

impl Books {
    /// Every account with a count but no quota: the count says nothing any more.
    pub fn forget_unlimited(&self, counted: &[crate::database::QuotaCount]) {
        let view = self.store.view();
        let unlimited = |account: AccountId| view.user(account).is_none_or(|row| !has_quota(&view, row));
        for row in counted.iter().filter(|row| unlimited(row.account)) {
            self.ledger.forget(row.account);
            self.store.note(QuotaWrite::Forget(row.account));
        }
    }
}
