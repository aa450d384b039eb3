//! The account database: passwd(5), shadow(5), group(5), gshadow(5), smbpasswd(5) as one
//! transactional store, with the state that they can't hold in SQLite.
//!
//! Readers see a [`View`]; one writer thread changes it, several requests in one commit. A
//! commit is all or nothing over all files, whatever is killed when (see `commit`).

mod commit;
mod disk;
mod draft;
pub mod entry;
mod error;
mod file;
mod home;
mod journal;
mod lock;
mod matching;
mod row;
mod state;
mod view;
mod watch;
mod writer;

use std::collections::HashSet;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use accountd_protocol::agent::Generation;
use accountd_protocol::refusal::Refusal;

pub use self::draft::Draft;
pub use self::error::DatabaseError;
pub use self::file::{FileKind, Line};
pub use self::journal::Action;
pub use self::row::{GroupRow, UserRow};
pub use self::view::View;
pub use self::writer::OnRevoked;

use self::commit::{Digests, Place};
use self::disk::Disk;
use self::file::LineFile;
use self::lock::PasswordLock;
use self::row::Origin;
use self::state::State;
use self::writer::{Change, Job, Writer};

/// The open database. Cheap to share; dropping the last one ends the writer.
#[derive(Debug)]
pub struct Database {
    shared: Arc<RwLock<View>>,
    jobs: Sender<Job>,
    disk: Disk,
    fresh: Arc<watch::Freshness>,
    home_parents: Mutex<HashSet<String>>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Job")
    }
}

impl Database {
    /// Opens the accounts below `root` with the state store at `state`, completes what a crash
    /// interrupted, and starts the writer. `on_revoked` must not wait for anything.
    pub fn open(root: &Path, state: &Path, on_revoked: OnRevoked) -> Result<Self, DatabaseError> {
        let disk = Disk::new(root);
        let mut state = State::open(state)?;
        let lock = PasswordLock::wait(disk.etc())?;
        Place { disk: &disk, root, state: &mut state }.recover()?;
        let stored = state.load()?;
        let mut view = View::new(std::array::from_fn(|_| LineFile::default()), stored.users, stored.groups);
        view.quarantine = Arc::new(stored.quarantine);
        // The high half counts the starts, so that generations go up over restarts too.
        view.generation = stored.starts << 32;
        let (shared, fresh) = (Arc::new(RwLock::new(View::default())), Arc::new(watch::Freshness::default()));
        let mut writer = Writer {
            root: root.to_owned(),
            disk: disk.clone(),
            state,
            view,
            shared: shared.clone(),
            fresh: fresh.clone(),
            fingerprints: [None; 5],
            digests: Digests::new(),
            next_user: stored.next_user,
            next_group: stored.next_group,
            origin: if stored.fresh { Origin::Builtin } else { Origin::Added },
            on_revoked,
        };
        writer.refresh()?;
        drop(lock);
        let home_parents = writer.state.home_parents()?;
        crate::homes::sweep(root, &home_parents);
        let (jobs, waiting) = channel();
        let named = std::thread::Builder::new().name("writer".into());
        named.spawn(move || writer.run(&waiting)).map_err(DatabaseError::Watch)?;
        watch::start(&disk, fresh.clone(), jobs.clone())?;
        Ok(Self { shared, jobs, disk, fresh, home_parents: Mutex::new(home_parents.into_iter().collect()) })
    }

    /// The accounts as they are now, with what other programs have changed. When those hold the
    /// lock for long, the accounts as they were.
    pub fn view(&self) -> RwLockReadGuard<'_, View> {
        if self.fresh.is_stale(&self.disk) {
            let (answer, answered) = channel();
            if self.jobs.send(Job::Refresh(answer)).is_ok() && !matches!(answered.recv(), Ok(Ok(()))) {
                tracing::warn!("the account files have changed and can not be read now");
            }
        }
        self.shared.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes one change. What `change` refuses, or what can't be written, changes nothing. On
    /// success it is on disk, and the generation says since when.
    pub fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Draft<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<(T, Generation), Refusal> {
        let (answer, answered) = channel();
        let request = Request { change: Some(change), result: None, answer };
        let gone = || DatabaseError::WriterGone.into_refusal();
        self.jobs.send(Job::Change(Box::new(request))).map_err(|_| gone())?;
        answered.recv().map_err(|_| gone())?
    }
}

impl Database {
    /// Has `parent` searched for unfinished homes at the next start. To be called before a home
    /// is begun there; costs something only the first time.
    pub fn remember_home_parent(&self, parent: &str) -> Result<(), Refusal> {
        if self.home_parents.lock().unwrap_or_else(PoisonError::into_inner).contains(parent) {
            return Ok(());
        }
        let (answer, answered) = channel();
        let gone = || DatabaseError::WriterGone.into_refusal();
        self.jobs.send(Job::HomeParent(parent.to_owned(), answer)).map_err(|_| gone())?;
        answered.recv().map_err(|_| gone())??;
        self.home_parents.lock().unwrap_or_else(PoisonError::into_inner).insert(parent.to_owned());
        Ok(())
    }
}

/// A change on its way through the writer.
struct Request<T, F> {
    change: Option<F>,
    result: Option<Result<T, Refusal>>,
    answer: Sender<Result<(T, Generation), Refusal>>,
}

impl<T: Send, F: FnOnce(&mut Draft<'_>) -> Result<T, Refusal> + Send> Change for Request<T, F> {
    fn apply(&mut self, draft: &mut Draft<'_>) -> Result<(), ()> {
        let Some(change) = self.change.take() else { return Err(()) };
        let result = self.result.insert(change(draft));
        if result.is_ok() { Ok(()) } else { Err(()) }
    }

    fn answer(self: Box<Self>, committed: Result<Generation, Refusal>) {
        let result = match (self.result, committed) {
            (Some(Ok(value)), Ok(generation)) => Ok((value, generation)),
            (Some(Err(refusal)), _) | (_, Err(refusal)) => Err(refusal),
            (None, Ok(_)) => Err(DatabaseError::WriterGone.into_refusal()),
        };
        // Whoever asked may have given up waiting.
        let _ = self.answer.send(result);
    }
}
