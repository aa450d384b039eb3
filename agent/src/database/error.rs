//! What can go wrong with the account database.

use std::io;
use std::path::{Path, PathBuf};

use accountd_protocol::refusal::Refusal;

use super::damage;
use super::file::FileKind;
use super::lock::LockError;
use crate::error::no_space;

#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("{kind} is empty, names no superuser, or is being written; it is not believed")]
    Implausible { kind: FileKind },
    #[error("another program has changed the files without taking the lock")]
    Overtaken,
    #[error("cannot read {kind}: {source}")]
    Read { kind: FileKind, source: io::Error },
    #[error("sudo's drop-ins: {0}")]
    DropIns(io::Error),
    #[error("cannot write {kind}: {source}")]
    Write { kind: FileKind, source: io::Error },
    #[error("cannot put {kind} in place: {source}")]
    Replace { kind: FileKind, source: io::Error },
    #[error("cannot sync the directories of the account files: {0}")]
    Sync(io::Error),
    #[error("another agent keeps these accounts")]
    NotAlone,
    #[error("cannot open the state store ({path}): {source}", path = path.display())]
    Store { path: PathBuf, source: io::Error },
    #[error("state store: {0}")]
    State(#[from] rusqlite::Error),
    #[error("the state store is damaged: {0}")]
    Damaged(String),
    #[error(
        "the state store {store} is damaged ({found}) and can not be restored from its copy {copy} ({copy_found}). \
         Nothing has been changed. Put one of them back from a backup; or, if there is none, move all files beginning \
         with {store} away: the accounts stay, but get new ids, all of them then count as built in, so that none of \
         them can be deleted, and what Unix files can not hold (e-mail addresses, hashes of disabled passwords) is lost",
        store = store.display(), copy = copy.display()
    )]
    NoGoodCopy { store: PathBuf, found: String, copy: PathBuf, copy_found: String },
    #[error("the state store {path} was made by a newer accountd", path = .0.display())]
    Newer(PathBuf),
    #[error("cannot publish the home {name}: {source}")]
    Publish { name: String, source: io::Error },
    #[error("cannot take the home {home} out of its place: {source}")]
    Retire { home: String, source: io::Error },
    #[error("cannot watch the account files: {0}")]
    Watch(io::Error),
    #[error("the writer has ended")]
    WriterGone,
}

impl DatabaseError {
    /// An error with the state store, or with a file beside it.
    pub(super) fn store(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| DatabaseError::Store { path: path.to_owned(), source }
    }

    /// Logs the error and gives what the caller may know of it.
    pub fn into_refusal(self) -> Refusal {
        match &self {
            DatabaseError::Lock(LockError::Busy) | DatabaseError::Overtaken => return Refusal::Busy,
            DatabaseError::Write { source, .. } | DatabaseError::Lock(LockError::Io { source, .. })
                if no_space(source) =>
            {
                return Refusal::NoSpace;
            }
            DatabaseError::State(rusqlite::Error::SqliteFailure(error, _))
                if error.code == rusqlite::ErrorCode::DiskFull =>
            {
                return Refusal::NoSpace;
            }
            _ => {}
        }
        tracing::error!(error = %self, "a change of the accounts failed");
        let said = match &self {
            error if error.ends_the_agent() => "the state store is damaged; the agent starts again and restores it",
            DatabaseError::State(error) if damage::is_failed_io(error) => {
                "the state store can not be written; nothing has changed"
            }
            _ => "the account files can not be changed",
        };
        Refusal::Internal(said.into())
    }
}
