//! When the password of an account was changed, and a second hash of it, in the state store. No view has them.
//!
//! Both are bound to the first hash: where that is another one now, whoever has put it there, they count for nothing.

use std::path::Path;
use std::time::Duration;

use accountd_protocol::id::AccountId;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::error::DatabaseError;

/// A step of the state store's migrations.
pub const MIGRATION: &str = "
    CREATE TABLE password_stamps (
        account INTEGER PRIMARY KEY, bound BLOB NOT NULL, changed INTEGER NOT NULL, static_hash TEXT
    ) STRICT;
";

/// How long a reader waits for the writer.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordStamp {
    /// The SHA-256 of the hash that it is about.
    pub bound: [u8; 32],
    /// Seconds since 1970.
    pub changed: u64,
    /// Argon2id of what a client of AList makes of the password.
    pub static_hash: Option<String>,
}

pub fn store(connection: &Connection, account: AccountId, stamp: &PasswordStamp) -> rusqlite::Result<()> {
    let PasswordStamp { bound, changed, static_hash } = stamp;
    // The account may have gone meanwhile.
    let sql = "REPLACE INTO password_stamps SELECT id, ?2, ?3, ?4 FROM users WHERE id = ?1";
    connection.prepare_cached(sql)?.execute(params![account.0, bound, changed, static_hash]).map(drop)
}

/// Removes what an account has left.
pub fn forget(connection: &Connection, account: AccountId) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM password_stamps WHERE account = ?1")?.execute([account.0]).map(drop)
}

/// Read beside the writer: what it has answered is seen.
pub fn read(store: &Path, account: AccountId) -> Result<Option<PasswordStamp>, DatabaseError> {
    let connection = Connection::open_with_flags(store, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(PATIENCE)?;
    let sql = "SELECT bound, changed, static_hash FROM password_stamps WHERE account = ?1";
    let stamp = connection
        .query_row(sql, [account.0], |row| {
            Ok(PasswordStamp { bound: row.get(0)?, changed: row.get(1)?, static_hash: row.get(2)? })
        })
        .optional()?;
    Ok(stamp)
}
