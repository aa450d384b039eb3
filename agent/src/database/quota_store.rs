//! What the quotas need of the database, in their own threads: the accounts, the two tables, and to be told
//! whose limits may have changed.

use std::collections::HashSet;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, PoisonError, RwLock};

use accountd_protocol::refusal::Refusal;

use super::copies::Public;
use super::error::DatabaseError;
use super::quota_counts::{QuotaCount, QuotaMark, QuotaWrite};
use super::view::View;
use super::writer::Job;
use super::{Database, FileKind};

/// Called after each commit, and after each change by others, with the accounts before and after and the
/// names of the users that it was about. Must not wait for anything.
pub type OnTouched = Box<dyn Fn(&View, &View, &HashSet<String>) + Send + Sync>;

/// Set after the database has been opened.
#[derive(Clone, Default)]
pub struct Touched(Arc<RwLock<Vec<OnTouched>>>);

/// A way to the database that can be cloned into a thread.
#[derive(Clone, Debug)]
pub struct QuotaStore {
    public: Public,
    jobs: Sender<Job>,
}

impl Touched {
    pub fn tell(&self, before: &View, after: &View, names: &HashSet<String>) {
        if before.has(FileKind::Passwd) && !names.is_empty() {
            let listeners = self.0.read().unwrap_or_else(PoisonError::into_inner);
            listeners.iter().for_each(|tell| tell(before, after, names));
        }
    }
}

impl std::fmt::Debug for Touched {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Touched")
    }
}

impl Database {
    pub fn quota_store(&self) -> QuotaStore {
        QuotaStore { public: self.public.clone(), jobs: self.jobs.clone() }
    }

    /// From now on `touched` is called too.
    pub fn on_touched(&self, touched: OnTouched) {
        self.touched.0.write().unwrap_or_else(PoisonError::into_inner).push(touched);
    }

    /// As they were when the database was opened.
    pub fn stored_quota_counts(&self) -> &[QuotaCount] {
        &self.quota_counts
    }

    pub fn stored_quota_marks(&self) -> &[QuotaMark] {
        &self.quota_marks
    }
}

impl QuotaStore {
    /// The accounts as they were last read.
    pub fn view(&self) -> Arc<View> {
        self.public.get()
    }

    /// On disk when this returns.
    pub fn write(&self, write: QuotaWrite) -> Result<(), Refusal> {
        let (answer, answered) = channel();
        let gone = || DatabaseError::WriterGone.into_refusal();
        self.jobs.send(Job::Quota(write, Some(answer))).map_err(|_| gone())?;
        answered.recv().map_err(|_| gone())?
    }

    pub(super) fn send(&self, job: Job) -> Result<(), ()> {
        self.jobs.send(job).map_err(|_| ())
    }

    /// Some time soon: nobody waits for it.
    pub fn note(&self, write: QuotaWrite) {
        // Without a writer there is nothing that could be stored.
        let _ = self.jobs.send(Job::Quota(write, None));
    }
}
