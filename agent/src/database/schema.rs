//! The tables of the state store, and how a store comes to have them.

use rusqlite::Connection;

use super::{
    api_keys, extras, key_files, login_tokens, password_history, password_stamps, policy, quota_counts, repositories,
    second_factors, ssh_keys, transfers,
};
use crate::audit;

/// One step for each `user_version`; a step that has been released never changes.
const MIGRATIONS: [&str; 16] = [
    "
    CREATE TABLE users (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL, uid INTEGER NOT NULL, builtin INTEGER NOT NULL,
        email TEXT NOT NULL, microsoft_account INTEGER NOT NULL, kept_hash TEXT
    ) STRICT;
    CREATE TABLE groups (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL, gid INTEGER NOT NULL, builtin INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE tombstones (
        kind TEXT NOT NULL, id INTEGER NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL,
        deleted TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (kind, id, number)
    ) STRICT;
    CREATE TABLE journal (id INTEGER PRIMARY KEY CHECK (id = 1), record BLOB NOT NULL) STRICT;
    CREATE TABLE starts (id INTEGER PRIMARY KEY CHECK (id = 1), count INTEGER NOT NULL) STRICT;
    CREATE TABLE home_parents (path TEXT PRIMARY KEY) STRICT;
    INSERT INTO starts VALUES (1, 0);
",
    // The least id that may be given out next, where the rows do not say it.
    "
    CREATE TABLE floors (kind TEXT PRIMARY KEY, id INTEGER NOT NULL) STRICT;
    CREATE TABLE adoptions (path TEXT PRIMARY KEY) STRICT;
",
    transfers::MIGRATION,
    audit::MIGRATION,
    password_history::MIGRATION,
    policy::MIGRATION,
    api_keys::MIGRATION,
    key_files::MIGRATION,
    extras::MIGRATION,
    quota_counts::MIGRATION,
    second_factors::MIGRATION,
    login_tokens::MIGRATION,
    password_stamps::MIGRATION,
    repositories::MIGRATION,
    ssh_keys::MIGRATION,
    "CREATE TABLE done (what TEXT PRIMARY KEY) STRICT;",
];

/// Reads a row of each table, as far as there is one.
const LOOK: [&str; 25] = [
    "SELECT id, name, uid, builtin, email, microsoft_account, kept_hash, extras FROM users LIMIT 1",
    "SELECT id, name, gid, builtin, limits FROM groups LIMIT 1",
    "SELECT kind, id, name, number FROM tombstones LIMIT 1",
    "SELECT record FROM journal",
    "SELECT count FROM starts",
    "SELECT path FROM home_parents LIMIT 1",
    "SELECT kind, id FROM floors",
    "SELECT path FROM adoptions",
    "SELECT account, source, target, kind, old_uid, old_gid, attributes, state, files, bytes, bytes_total, left_alone, \
     error FROM transfers LIMIT 1",
    "SELECT sequence, hash, record FROM audit LIMIT 1",
    "SELECT end, sequence, hash FROM audit_ends",
    "SELECT account, place, hash FROM password_history LIMIT 1",
    "SELECT name, value FROM password_rules LIMIT 1",
    "SELECT id, account, name, digest, created, expires, last_used FROM api_keys LIMIT 1",
    "SELECT home, uid, gid, groups, becomes FROM key_files LIMIT 1",
    "SELECT account, bytes, files, is_open, scanned FROM quota_counts LIMIT 1",
    "SELECT kind, place, uid FROM quota_marks LIMIT 1",
    "SELECT account, enrolment, since, secret, recovery, step, used FROM second_factors LIMIT 1",
    "SELECT digest, account, issued, expires, stamp FROM login_tokens LIMIT 1",
    "SELECT key FROM token_keys",
    "SELECT account, bound, changed, static_hash FROM password_stamps LIMIT 1",
    "SELECT id, name, kind, owner, description, clone_uri, created, stage, inode, pending FROM repositories LIMIT 1",
    "SELECT repository, kind, account, number, is_admin FROM repository_grants LIMIT 1",
    "SELECT id, account, fingerprint, title, added, last_used FROM ssh_keys LIMIT 1",
    "SELECT what FROM done LIMIT 1",
];

/// What a store says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// There is nothing in it.
    Unmade,
    /// It is as this program knows it, or an older one.
    Known,
    /// A newer accountd has made it.
    Newer,
}

pub fn age(connection: &Connection) -> rusqlite::Result<Age> {
    let version = version(connection)?;
    Ok(match version {
        0 => Age::Unmade,
        _ if version <= MIGRATIONS.len() => Age::Known,
        _ => Age::Newer,
    })
}

/// Makes the tables that are missing.
pub fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    for (number, step) in MIGRATIONS.iter().enumerate().skip(version(connection)?) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", number + 1)?;
        transaction.commit()?;
    }
    Ok(())
}

/// Whether every table is there with its columns.
pub fn look(connection: &Connection) -> rusqlite::Result<()> {
    LOOK.iter().try_for_each(|query| connection.prepare(query)?.query([])?.next().map(drop))
}

fn version(connection: &Connection) -> rusqlite::Result<usize> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}
