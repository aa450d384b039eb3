//! The audit trail: every change, login and refusal, in records that are chained by hashes.
//!
//! Records of changes are stored in the transaction of the change itself ([`rows`]). Logins and
//! refusals wait in memory for a few seconds, those that are alike as one ([`clerk`]). Older records
//! move from the state store into files ([`rotation`], [`files`]); [`trail`] reads and verifies all.

mod chain;
mod clerk;
mod files;
mod flaw;
mod operations;
mod pending;
mod rotation;
mod rows;
mod trail;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use accountd_protocol::audit::Moment;

pub use self::chain::Body;
pub use self::clerk::Clerk;
pub use self::operations::{Subject, is_change, reason, shown, subject};
pub use self::pending::{Attempt, Name};
pub use self::rotation::{go_on_from_files, rotate};
pub use self::rows::{MIGRATION, append, bodies, count};
pub use self::trail::{page, verify};

/// What can go wrong with the audit trail.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error("cannot read the audit trail in the state store: {0}")]
    Store(#[from] rusqlite::Error),
    #[error("cannot read or write the audit file {path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("record {sequence} of the audit trail can not be read: {source}")]
    Record { sequence: u64, source: serde_json::Error },
}

/// Where the files of older records are.
pub fn directory(store: &Path) -> PathBuf {
    store.with_file_name("audit")
}

/// The time now.
pub fn moment() -> Moment {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Moment { seconds: since.as_secs(), nanoseconds: since.subsec_nanos() }
}
