//! The last passwords of accounts in the state store, as hashes. Nothing shows them.

use std::collections::HashMap;
use std::path::Path;

use accountd_protocol::id::AccountId;
use rusqlite::{Connection, OpenFlags, params};

use super::error::DatabaseError;

/// A step of the state store's migrations. Place 0 is the latest.
pub const MIGRATION: &str = "
    CREATE TABLE password_history (
        account INTEGER NOT NULL, place INTEGER NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (account, place)
    ) STRICT;
";

/// How long a reader waits for the writer.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// Stores these in the place of those that there were.
pub fn store(connection: &Connection, account: AccountId, hashes: &[String]) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM password_history WHERE account = ?1")?.execute([account.0])?;
    let mut insert = connection.prepare_cached("INSERT INTO password_history VALUES (?1, ?2, ?3)")?;
    (0_u32..).zip(hashes).try_for_each(|(place, hash)| insert.execute(params![account.0, place, hash]).map(drop))
}

/// Those of all accounts.
pub fn read_all(store: &Path) -> Result<HashMap<AccountId, Vec<String>>, DatabaseError> {
    let connection = Connection::open_with_flags(store, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(PATIENCE)?;
    let mut query = connection.prepare("SELECT account, hash FROM password_history ORDER BY account, place")?;
    let mut all: HashMap<AccountId, Vec<String>> = HashMap::new();
    for row in query.query_map([], |row| Ok((AccountId(row.get(0)?), row.get(1)?)))? {
        let (account, hash) = row?;
        all.entry(account).or_default().push(hash);
    }
    Ok(all)
}

/// The latest first. Read beside the writer: what it has answered is seen.
pub fn read(store: &Path, account: AccountId) -> Result<Vec<String>, DatabaseError> {
    let connection = Connection::open_with_flags(store, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(PATIENCE)?;
    let mut query = connection.prepare("SELECT hash FROM password_history WHERE account = ?1 ORDER BY place")?;
    let hashes = query.query_map([account.0], |row| row.get(0))?;
    Ok(hashes.collect::<rusqlite::Result<_>>()?)
}
