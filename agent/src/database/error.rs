//! What can go wrong with the account database.

use std::io;

use accountd_protocol::refusal::Refusal;

use super::file::FileKind;
use super::lock::LockError;

#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("{kind:?} is empty, names no superuser, or is being written; it is not believed")]
    Implausible { kind: FileKind },
    #[error("another program has changed the files without taking the lock")]
    Overtaken,
    #[error("cannot read {kind:?}: {source}")]
    Read { kind: FileKind, source: io::Error },
    #[error("cannot write {kind:?}: {source}")]
    Write { kind: FileKind, source: io::Error },
    #[error("cannot put {kind:?} in place: {source}")]
    Replace { kind: FileKind, source: io::Error },
    #[error("cannot sync the directories of the account files: {0}")]
    Sync(io::Error),
    #[error("another agent keeps these accounts")]
    NotAlone,
    #[error("cannot open the state store: {0}")]
    Store(io::Error),
    #[error("state store: {0}")]
    State(#[from] rusqlite::Error),
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
    /// Logs the error and gives what the caller may know of it.
    pub fn into_refusal(self) -> Refusal {
        match &self {
            DatabaseError::Lock(LockError::Busy) | DatabaseError::Overtaken => return Refusal::Busy,
            DatabaseError::Write { source, .. } if no_space(source) => return Refusal::NoSpace,
            DatabaseError::State(rusqlite::Error::SqliteFailure(error, _))
                if error.code == rusqlite::ErrorCode::DiskFull =>
            {
                return Refusal::NoSpace;
            }
            _ => {}
        }
        tracing::error!(error = %self, "a change of the accounts failed");
        Refusal::Internal("the account files can not be changed".into())
    }
}

fn no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
