//! What accounts store, as sessions have counted it, and where the kernel holds a limit of ours: two tables
//! of the state store that are no part of the accounts and are written beside their commits.

use std::fmt;
use std::path::PathBuf;

use accountd_protocol::id::{AccountId, Uid};
use accountd_protocol::quota::QuotaUse;
use rusqlite::{Connection, Row, params};

/// A step of the state store's migrations. Of a count that is open, the numbers are a ceiling.
pub const MIGRATION: &str = "
    CREATE TABLE quota_counts (
        account INTEGER PRIMARY KEY, bytes INTEGER NOT NULL, files INTEGER NOT NULL, is_open INTEGER NOT NULL,
        scanned INTEGER
    ) STRICT;
    CREATE TABLE quota_marks (
        kind TEXT NOT NULL, place TEXT NOT NULL, uid INTEGER NOT NULL, PRIMARY KEY (kind, place, uid)
    ) STRICT;
";

/// How far a stored count can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountState {
    /// It is what there is.
    Exact,
    /// Sessions have leases: there is no more than this, and only a scan tells how much.
    Ceiling,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaCount {
    pub account: AccountId,
    pub used: QuotaUse,
    pub state: CountState,
    /// When the last scan ended, in milliseconds of Unix time.
    pub scanned: Option<u64>,
}

/// What a limit of ours is set on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MarkedPlace {
    /// A uid on the file system that is mounted here.
    Mount(PathBuf),
    /// The subvolume that is this home.
    Subvolume(PathBuf),
}

/// A limit of ours that is in the kernel, or may be: noted before it is set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QuotaMark {
    pub place: MarkedPlace,
    pub uid: Uid,
}

/// One write to these tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuotaWrite {
    Count(QuotaCount),
    /// The account has no count any more.
    Forget(AccountId),
    Mark(QuotaMark),
    Unmark(QuotaMark),
}

/// For the log.
impl fmt::Display for MarkedPlace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MarkedPlace::Mount(path) => write!(out, "file system {}", path.display()),
            MarkedPlace::Subvolume(path) => write!(out, "subvolume {}", path.display()),
        }
    }
}

impl MarkedPlace {
    fn columns(&self) -> rusqlite::Result<(&'static str, &str)> {
        let (kind, path) = match self {
            MarkedPlace::Mount(path) => ("mount", path),
            MarkedPlace::Subvolume(path) => ("subvolume", path),
        };
        let path = path.to_str().ok_or_else(|| rusqlite::Error::InvalidPath(path.clone()))?;
        Ok((kind, path))
    }
}

pub fn write(connection: &Connection, write: &QuotaWrite) -> rusqlite::Result<()> {
    match write {
        QuotaWrite::Count(QuotaCount { account, used, state, scanned }) => {
            // The account may have gone meanwhile.
            let sql = "REPLACE INTO quota_counts SELECT id, ?2, ?3, ?4, ?5 FROM users WHERE id = ?1";
            let is_open = *state == CountState::Ceiling;
            let values = params![account.0, stored(used.bytes), stored(used.files), is_open, scanned];
            connection.prepare_cached(sql)?.execute(values)?;
        }
        QuotaWrite::Forget(account) => forget(connection, *account)?,
        QuotaWrite::Mark(QuotaMark { place, uid }) => {
            let (kind, path) = place.columns()?;
            let sql = "INSERT OR IGNORE INTO quota_marks VALUES (?1, ?2, ?3)";
            connection.prepare_cached(sql)?.execute(params![kind, path, uid.0])?;
        }
        QuotaWrite::Unmark(QuotaMark { place, uid }) => {
            let (kind, path) = place.columns()?;
            let sql = "DELETE FROM quota_marks WHERE kind = ?1 AND place = ?2 AND uid = ?3";
            connection.prepare_cached(sql)?.execute(params![kind, path, uid.0])?;
        }
    }
    Ok(())
}

/// Removes what an account has left.
pub fn forget(connection: &Connection, account: AccountId) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM quota_counts WHERE account = ?1")?.execute([account.0]).map(drop)
}

/// In an older state of the store no count is what there is: each is scanned before it is believed.
pub fn doubt(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("UPDATE quota_counts SET is_open = 1", []).map(drop)
}

pub fn counts(connection: &Connection) -> rusqlite::Result<Vec<QuotaCount>> {
    let mut query = connection.prepare("SELECT account, bytes, files, is_open, scanned FROM quota_counts")?;
    query.query_map([], count)?.collect()
}

fn count(row: &Row<'_>) -> rusqlite::Result<QuotaCount> {
    let state = if row.get(3)? { CountState::Ceiling } else { CountState::Exact };
    let used = QuotaUse { bytes: row.get(1)?, files: row.get(2)? };
    Ok(QuotaCount { account: AccountId(row.get(0)?), used, state, scanned: row.get(4)? })
}

pub fn marks(connection: &Connection) -> rusqlite::Result<Vec<QuotaMark>> {
    let mut query = connection.prepare("SELECT kind, place, uid FROM quota_marks")?;
    let rows = query.query_map([], |row| {
        let (kind, place): (String, String) = (row.get(0)?, row.get(1)?);
        let place = match kind.as_str() {
            "mount" => MarkedPlace::Mount(place.into()),
            _ => MarkedPlace::Subvolume(place.into()),
        };
        Ok(QuotaMark { place, uid: Uid(row.get(2)?) })
    })?;
    rows.collect()
}

/// SQLite's numbers have a sign.
fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_what_was_marked_and_not_taken_back() {
        let mut store = Connection::open_in_memory().unwrap();
        crate::database::schema::migrate(&mut store).unwrap();
        let mark = |place: MarkedPlace| QuotaMark { place, uid: Uid(3000) };
        let (mount, subvolume) = (MarkedPlace::Mount("/mnt/tank".into()), MarkedPlace::Subvolume("/mnt/b/anna".into()));
        let shown = [&mount, &subvolume].map(ToString::to_string);
        assert_eq!(shown, ["file system /mnt/tank", "subvolume /mnt/b/anna"]);
        for place in [mount.clone(), subvolume.clone(), mount.clone()] {
            write(&store, &QuotaWrite::Mark(mark(place))).unwrap();
        }
        assert_eq!(marks(&store).unwrap(), [mark(mount.clone()), mark(subvolume.clone())]);
        write(&store, &QuotaWrite::Unmark(mark(mount))).unwrap();
        assert_eq!(marks(&store).unwrap(), [mark(subvolume)]);
    }
}
