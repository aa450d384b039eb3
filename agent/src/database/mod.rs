//! The account database: passwd(5), shadow(5), group(5), gshadow(5), smbpasswd(5) as one
//! transactional store, with the state that they can't hold in SQLite.
//!
//! Readers see a [`View`]; one writer thread changes it, several requests in one commit. A
//! commit is all or nothing over all files, whatever is killed when (see `commit`).

mod adoption;
mod api_keys;
mod changed;
mod claim;
mod commit;
mod copier;
mod copies;
mod credentials;
mod damage;
mod dead_links;
mod digest;
mod disk;
mod draft;
mod edit;
pub mod entry;
mod error;
mod extras;
mod file;
mod file_kind;
mod good_copy;
mod grants;
mod home;
mod journal;
mod kept_numbers;
mod key_files;
#[cfg(any(test, feature = "laws"))]
pub(crate) mod laws;
mod lock;
mod login_tokens;
mod mark;
mod matching;
mod named_in;
mod numbers;
mod opening;
mod outside;
mod password_history;
mod password_stamps;
#[cfg(any(test, feature = "laws"))]
pub(crate) mod planted;
mod policy;
mod quota_counts;
mod quota_store;
mod reading;
mod recovery;
mod relocation;
mod repositories;
mod request;
mod restore;
mod revoked;
mod row;
mod rows;
mod schema;
mod second_factors;
mod slot_edit;
mod slot_index;
mod ssh_key_store;
mod ssh_keys;
mod state;
mod text;
mod transfers;
mod view;
mod watch;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use accountd_config::Audit;
use accountd_protocol::agent::Generation;
use accountd_protocol::api_key::ApiKeyId;
use accountd_protocol::audit::AuditEvent;
use accountd_protocol::refusal::Refusal;
use nix::fcntl::Flock;

pub use self::adoption::Adoption;
pub use self::api_keys::{ApiKeyRow, KeyDigest};
pub use self::changed::Purpose;
pub use self::claim::{claimants, home_field, unclaimed};
pub use self::credentials::{CredentialStore, CredentialWrite, StoredCredentials};
pub use self::disk::Fingerprint;
pub use self::draft::{Draft, Known};
pub use self::error::DatabaseError;
pub use self::extras::Extras;
pub use self::file::{FileKind, Line};
pub use self::good_copy::sync_directory;
pub use self::journal::Action;
pub use self::key_files::{Becomes, KeyFileRow};
pub use self::login_tokens::{TokenDigest, TokenKey, TokenRow, TokenStamp};
pub use self::numbers::{Numbers, first_outside};
pub use self::password_history::{read as read_password_history, read_all as read_password_histories};
pub use self::password_stamps::{PasswordStamp, read as read_password_stamp};
pub use self::quota_counts::{CountState, MarkedPlace, QuotaCount, QuotaMark, QuotaWrite};
pub use self::quota_store::QuotaStore;
pub use self::repositories::{Given, GrantRow, RepositoryRow, RepositoryWrite, Stage};
pub use self::row::{GroupRow, Origin, UserRow, kept};
pub use self::second_factors::{CodeDigest, FactorRow, FactorUse, Factors};
pub use self::ssh_keys::{Found, FoundKey};
pub use self::transfers::TransferRow;
pub use self::view::View;
pub use self::writer::{OnDamaged, OnRevoked};

use self::copies::Public;
use self::disk::Disk;
use self::opening::{alone, recovered};
use self::quota_store::Touched;
use self::request::Request;
use self::state::Note;
use self::watch::Watch;
use self::writer::{End, Job, Writer};

/// A reader does not wait longer than this for the files to be read again.
const READ_DEADLINE: Duration = Duration::from_secs(3);

/// A decision waits longer: another change may be waiting for the lock before it.
const CERTAIN_DEADLINE: Duration = Duration::from_secs(20);

/// What is opened, and how it is kept.
#[derive(Debug)]
pub struct Keeping<'a> {
    /// The machine's root directory.
    pub root: &'a Path,
    /// The state store.
    pub store: &'a Path,
    pub audit: &'a Audit,
}

/// The open database. Dropping it ends the writer.
#[derive(Debug)]
pub struct Database {
    public: Public,
    jobs: Sender<Job>,
    disk: Disk,
    home_parents: Mutex<HashSet<String>>,
    transfers: Vec<TransferRow>,
    key_files: Vec<KeyFileRow>,
    key_uses: HashMap<ApiKeyId, u64>,
    credentials: StoredCredentials,
    quota_counts: Vec<QuotaCount>,
    quota_marks: Vec<QuotaMark>,
    repositories: (Vec<RepositoryRow>, u64),
    done: Vec<String>,
    touched: Touched,
    _watch: Watch,
    _alone: Flock<File>,
}

impl Database {
    /// Opens the accounts with their state store, completes what a crash
    /// interrupted, and starts the writer. A damaged store is restored from its good copy.
    /// `on_revoked` must not wait for anything.
    pub fn open(keeping: Keeping<'_>, on_revoked: OnRevoked, on_damaged: OnDamaged) -> Result<Self, DatabaseError> {
        let disk = Disk::new(keeping.root);
        let alone = alone(keeping.store)?;
        let (public, touched) = (Public::default(), Touched::default());
        let mut writer = recovered(&keeping, &disk, on_revoked, (&public, &touched))?;
        let home_parents = writer.state.home_parents()?;
        crate::homes::sweep(keeping.root, &home_parents);
        adoption::give_back(keeping.root, &mut writer.state, &public.get())?;
        writer.keep_good_copy();
        let transfers = writer.state.transfers()?;
        let key_files = writer.state.key_files()?;
        let key_uses = writer.state.key_uses()?;
        let credentials = writer.state.credentials()?;
        let (quota_counts, quota_marks) = (writer.state.quota_counts()?, writer.state.quota_marks()?);
        let repositories = writer.state.repositories()?;
        let done = writer.state.done()?;
        let (jobs, waiting) = channel();
        let named = std::thread::Builder::new().name("writer".into());
        named.spawn(move || run_or_abort(writer, waiting, on_damaged)).map_err(DatabaseError::Watch)?;
        let watch = watch::start(&disk, public.clone(), jobs.clone())?;
        Ok(Self {
            public,
            jobs,
            disk,
            home_parents: Mutex::new(home_parents.into_iter().collect()),
            transfers,
            key_files,
            key_uses,
            credentials,
            quota_counts,
            quota_marks,
            repositories,
            done,
            touched,
            _watch: watch,
            _alone: alone,
        })
    }

    /// The accounts as they are now, with what other programs have changed. Where that can't be
    /// read in time, as they were: for showing, not for deciding.
    pub fn view(&self) -> Arc<View> {
        if self.read_again(READ_DEADLINE).is_err() {
            tracing::warn!("the account files have changed and can not be read now");
        }
        self.public.get()
    }

    /// The accounts as they were last read: for what does not change.
    pub fn known_view(&self) -> Arc<View> {
        self.public.get()
    }

    /// The accounts as they are now, or a refusal: what decides who may do what. What was got
    /// here stays as it is; ask again to see later changes.
    pub fn certain_view(&self) -> Result<Arc<View>, Refusal> {
        self.read_again(CERTAIN_DEADLINE)?;
        Ok(self.public.get())
    }

    fn read_again(&self, deadline: Duration) -> Result<(), Refusal> {
        if !self.public.is_stale(&self.disk) {
            return Ok(());
        }
        let (answer, answered) = channel();
        self.jobs.send(Job::Refresh(answer)).map_err(|_| DatabaseError::WriterGone.into_refusal())?;
        answered.recv_timeout(deadline).unwrap_or(Err(Refusal::Busy))
    }

    /// Makes one change. What `change` refuses, or what can't be written, changes nothing. On
    /// success it is on disk together with its record, and the generation says since when.
    pub fn change<T: Send + 'static>(
        &self,
        purpose: Purpose,
        change: impl FnOnce(&mut Draft<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<(T, Generation), Refusal> {
        self.answered(|answer| Job::Change(Box::new(Request { purpose, change: Some(change), result: None, answer })))
    }

    /// What the writer says to a job.
    fn answered<T>(&self, job: impl FnOnce(Sender<Result<T, Refusal>>) -> Job) -> Result<T, Refusal> {
        let (answer, answered) = channel();
        let gone = || DatabaseError::WriterGone.into_refusal();
        self.jobs.send(job(answer)).map_err(|_| gone())?;
        answered.recv().map_err(|_| gone())?
    }
}

impl Database {
    /// The directories of [`Database::remember_home_parent`].
    pub fn home_parents(&self) -> Vec<String> {
        self.home_parents.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Has `parent` searched for unfinished homes and trash at the next start. To be called before
    /// there is any; costs something only the first time.
    pub fn remember_home_parent(&self, parent: &str) -> Result<(), Refusal> {
        if self.home_parents.lock().unwrap_or_else(PoisonError::into_inner).contains(parent) {
            return Ok(());
        }
        self.note(Note::HomeParent(parent.to_owned()))?;
        self.home_parents.lock().unwrap_or_else(PoisonError::into_inner).insert(parent.to_owned());
        Ok(())
    }

    fn note(&self, note: Note) -> Result<(), Refusal> {
        self.answered(|answer| Job::Note(note, answer))
    }
}

impl Database {
    /// Whether what is done once on a machine had been done when the database was opened.
    pub fn is_done(&self, what: &str) -> bool {
        self.done.iter().any(|done| done == what)
    }

    pub fn note_done(&self, what: &str) -> Result<(), Refusal> {
        self.note(Note::Done(what.to_owned()))
    }
}

impl Database {
    /// The last transfer of each account, as it was when the database was opened.
    pub fn stored_transfers(&self) -> &[TransferRow] {
        &self.transfers
    }

    /// Stores how far a transfer is.
    pub fn record_transfer(&self, row: TransferRow) -> Result<(), Refusal> {
        self.answered(|answer| Job::Transfer(Box::new(row), answer))
    }
}

impl Database {
    /// When API keys had been used last when the database was opened.
    pub fn stored_key_uses(&self) -> HashMap<ApiKeyId, u64> {
        self.key_uses.clone()
    }

    /// Stores when a key was used, some time soon: nobody waits for it.
    pub fn note_key_use(&self, id: ApiKeyId, time: u64) {
        // Without a writer there is nothing that could be stored.
        let _ = self.jobs.send(Job::KeyUse(id, time));
    }
}

impl Database {
    /// Key files that were changed and not put in their places when the database was opened.
    pub fn stored_key_files(&self) -> &[KeyFileRow] {
        &self.key_files
    }

    /// The key file in this home is in its place, or will not be: nobody waits for that to be stored.
    pub fn key_file_is_over(&self, home: String) {
        // Without a writer the next start does it once more, which changes nothing.
        let _ = self.jobs.send(Job::KeyFile(home));
    }
}

impl Database {
    /// Stores records of what is no change: logins and refusals. On disk when this returns.
    pub fn record(&self, events: Vec<AuditEvent>) -> Result<(), Refusal> {
        self.answered(|answer| Job::Record(events, answer))
    }
}

/// Without its writer the agent would answer with what was true once: rather it is started again.
fn run_or_abort(writer: Writer, jobs: Receiver<Job>, on_damaged: OnDamaged) {
    match catch_unwind(AssertUnwindSafe(|| writer.run(&jobs))) {
        Ok(End::NobodyAsks) => {}
        Ok(End::Damaged) => {
            // Whoever still waits gets an answer too.
            drop(jobs);
            on_damaged();
        }
        Err(_) => {
            tracing::error!("the writer of the accounts has failed");
            std::process::abort();
        }
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Job")
    }
}
