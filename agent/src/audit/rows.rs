//! The records that are still in the state store, and both ends of the whole chain.

use accountd_protocol::audit::{AuditEvent, Moment};
use rusqlite::{Connection, params};

use super::chain::{Body, Hash, Head, Stored};

/// `start` is where the oldest record that is kept goes on from; `head` is the last record.
pub const MIGRATION: &str = "
    CREATE TABLE audit (sequence INTEGER PRIMARY KEY, hash BLOB NOT NULL, record TEXT NOT NULL) STRICT;
    CREATE TABLE audit_ends (end TEXT PRIMARY KEY, sequence INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
    INSERT INTO audit_ends VALUES ('start', 0, zeroblob(32)), ('head', 0, zeroblob(32));
";

/// Which end of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Start,
    Head,
}

impl End {
    fn name(self) -> &'static str {
        match self {
            End::Start => "start",
            End::Head => "head",
        }
    }
}

/// The texts of these events.
pub fn bodies(events: &[AuditEvent]) -> rusqlite::Result<Vec<Body>> {
    let body = |event| Body::of(event).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()));
    events.iter().map(body).collect()
}

/// Links these to the chain, inside the transaction of the caller.
pub fn append(transaction: &Connection, time: Moment, bodies: &[Body]) -> rusqlite::Result<()> {
    if bodies.is_empty() {
        return Ok(());
    }
    let mut head = end(transaction, End::Head)?;
    let mut insert = transaction.prepare_cached("INSERT INTO audit VALUES (?1, ?2, ?3)")?;
    for body in bodies {
        let stored = head.link(time, body);
        insert.execute(params![stored.sequence, stored.hash, stored.record])?;
        head = stored.head();
    }
    set_end(transaction, End::Head, head)
}

pub fn end(connection: &Connection, end: End) -> rusqlite::Result<Head> {
    let mut query = connection.prepare_cached("SELECT sequence, hash FROM audit_ends WHERE end = ?1")?;
    query.query_row([end.name()], |row| Ok(Head { sequence: row.get(0)?, hash: row.get(1)? }))
}

pub fn set_end(transaction: &Connection, end: End, head: Head) -> rusqlite::Result<()> {
    let mut query = transaction.prepare_cached("UPDATE audit_ends SET sequence = ?2, hash = ?3 WHERE end = ?1")?;
    query.execute(params![end.name(), head.sequence, head.hash]).map(drop)
}

/// How many records the store has.
pub fn count(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row("SELECT count(*) FROM audit", [], |row| row.get(0))
}

/// The oldest records of the store, at most `limit`.
pub fn oldest(connection: &Connection, limit: u64) -> rusqlite::Result<Vec<Stored>> {
    let mut query = connection.prepare("SELECT sequence, hash, record FROM audit ORDER BY sequence LIMIT ?1")?;
    query.query_map([limit], stored)?.collect()
}

/// Records below `before`, newest first, at most `limit`.
pub fn newest_below(connection: &Connection, before: u64, limit: u64) -> rusqlite::Result<Vec<Stored>> {
    let sql = "SELECT sequence, hash, record FROM audit WHERE sequence < ?1 ORDER BY sequence DESC LIMIT ?2";
    connection.prepare(sql)?.query_map([i64::try_from(before).unwrap_or(i64::MAX), limit_of(limit)], stored)?.collect()
}

fn limit_of(limit: u64) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub fn stored(row: &rusqlite::Row<'_>) -> rusqlite::Result<Stored> {
    let hash: Hash = row.get(1)?;
    Ok(Stored { sequence: row.get(0)?, hash, record: row.get(2)? })
}

/// Removes the records up to this one.
pub fn remove_to(transaction: &Connection, sequence: u64) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM audit WHERE sequence <= ?1", [sequence]).map(drop)
}
