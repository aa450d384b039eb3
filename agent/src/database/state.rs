//! The state store: SQLite, written by the agent alone, every commit on disk when it returns.

use std::collections::{HashMap, HashSet};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use accountd_protocol::id::{AccountId, Gid, Uid};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::error::DatabaseError;
use super::journal::Journal;
use super::row::{GroupRow, Origin, UserRow};
use super::view::{Edit, Quarantine};

/// One step for each `user_version`; a step that has been released never changes.
const MIGRATIONS: [&str; 1] = ["
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
"];

/// The open state store.
#[derive(Debug)]
pub struct State {
    connection: Connection,
}

/// Everything that is read at start.
#[derive(Debug)]
pub struct Stored {
    pub users: Vec<UserRow>,
    pub groups: Vec<GroupRow>,
    pub quarantine: Quarantine,
    pub next_user: u64,
    pub next_group: u64,
    /// How often the store has been opened, this time included.
    pub starts: u64,
    /// Nothing has ever been stored: the accounts that are there now are built in.
    pub fresh: bool,
}

impl State {
    /// Opens the store, or makes it: it holds password hashes, so nobody else may read it.
    pub fn open(path: &Path) -> Result<Self, DatabaseError> {
        OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(DatabaseError::Store)?;
        let connection = Connection::open(path)?;
        // Nobody else uses it (`alone`), and without locks none can fail to be given back: SQLite
        // would hold such a one against itself for as long as the agent runs.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        // What a journal record held is not left in free pages.
        connection.pragma_update(None, "secure_delete", "ON")?;
        let mut state = Self { connection };
        state.migrate()?;
        Ok(state)
    }

    fn migrate(&mut self) -> rusqlite::Result<()> {
        let version: usize = self.connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        for (number, step) in MIGRATIONS.iter().enumerate().skip(version) {
            let transaction = self.connection.transaction()?;
            transaction.execute_batch(step)?;
            transaction.pragma_update(None, "user_version", number + 1)?;
            transaction.commit()?;
        }
        Ok(())
    }

    /// Reads all and counts this start.
    pub fn load(&mut self) -> rusqlite::Result<Stored> {
        self.connection.execute("UPDATE starts SET count = count + 1", [])?;
        let starts = self.connection.query_row("SELECT count FROM starts", [], |row| row.get(0))?;
        let users = self.users()?;
        let fresh = users.is_empty();
        let next = |table: &str, kind: &str| -> rusqlite::Result<u64> {
            let query = format!(
                "SELECT 1 + max(coalesce((SELECT max(id) FROM {table}), 0),
                                coalesce((SELECT max(id) FROM tombstones WHERE kind = ?1), 0))"
            );
            self.connection.query_row(&query, [kind], |row| row.get(0))
        };
        let (next_user, next_group) = (next("users", "user")?, next("groups", "group")?);
        let quarantine = Quarantine { uids: self.tombstones("user")?, gids: self.tombstones("group")? };
        Ok(Stored { users, groups: self.groups()?, quarantine, next_user, next_group, starts, fresh })
    }

    pub fn user_names(&self) -> rusqlite::Result<HashSet<String>> {
        self.connection.prepare("SELECT name FROM users")?.query_map([], |row| row.get(0))?.collect()
    }

    pub fn group_names(&self) -> rusqlite::Result<HashSet<String>> {
        self.connection.prepare("SELECT name FROM groups")?.query_map([], |row| row.get(0))?.collect()
    }

    pub fn users(&self) -> rusqlite::Result<Vec<UserRow>> {
        let mut query =
            self.connection.prepare("SELECT id, name, uid, builtin, email, microsoft_account, kept_hash FROM users")?;
        let rows = query.query_map([], |row| {
            Ok(UserRow {
                id: AccountId(row.get(0)?),
                name: row.get(1)?,
                uid: Uid(row.get(2)?),
                origin: origin(row.get(3)?),
                email: row.get(4)?,
                microsoft_account: row.get(5)?,
                kept_hash: row.get(6)?,
            })
        })?;
        rows.collect()
    }

    pub fn groups(&self) -> rusqlite::Result<Vec<GroupRow>> {
        let mut query = self.connection.prepare("SELECT id, name, gid, builtin FROM groups")?;
        let rows = query.query_map([], |row| {
            let (id, gid) = (AccountId(row.get(0)?), Gid(row.get(2)?));
            Ok(GroupRow { id, name: row.get(1)?, gid, origin: origin(row.get(3)?) })
        })?;
        rows.collect()
    }

    fn tombstones(&self, kind: &str) -> rusqlite::Result<HashMap<u32, usize>> {
        let mut query =
            self.connection.prepare("SELECT number, count(*) FROM tombstones WHERE kind = ?1 GROUP BY number")?;
        query.query_map([kind], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }

    /// The commit point: rows and journal record in one transaction.
    pub fn commit(&mut self, edits: &[Edit], journal: Option<&Journal>) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        for edit in edits {
            match edit {
                Edit::Line { .. } => {}
                Edit::User { id, old, new } => {
                    store_user(&transaction, *id, new.as_ref())?;
                    if let (Some(row), Some(uid)) = (old, edit.freed_uid()) {
                        bury(&transaction, "user", *id, (&row.name, uid.0))?;
                    }
                }
                Edit::Group { id, old, new } => {
                    store_group(&transaction, *id, new.as_ref())?;
                    if let (Some(row), Some(gid)) = (old, edit.freed_gid()) {
                        bury(&transaction, "group", *id, (&row.name, gid.0))?;
                    }
                }
            }
        }
        if let Some(journal) = journal {
            let record =
                serde_json::to_vec(journal).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
            transaction.prepare_cached("INSERT INTO journal VALUES (1, ?1)")?.execute([record])?;
        }
        transaction.commit()
    }

    pub fn journal(&self) -> rusqlite::Result<Option<Journal>> {
        let record: Option<Vec<u8>> =
            self.connection.query_row("SELECT record FROM journal", [], |row| row.get(0)).optional()?;
        let parse = |record: Vec<u8>| {
            serde_json::from_slice(&record).map_err(|error| {
                rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Blob, error.into())
            })
        };
        record.map(parse).transpose()
    }

    pub fn clear_journal(&mut self) -> rusqlite::Result<()> {
        self.connection.execute("DELETE FROM journal", []).map(|_| ())
    }

    /// Remembers a directory in which homes are made, so that what a crash left there is found.
    pub fn remember_home_parent(&mut self, path: &str) -> rusqlite::Result<()> {
        self.connection.execute("INSERT OR IGNORE INTO home_parents VALUES (?1)", [path]).map(|_| ())
    }

    pub fn home_parents(&self) -> rusqlite::Result<Vec<String>> {
        let mut query = self.connection.prepare("SELECT path FROM home_parents")?;
        query.query_map([], |row| row.get(0))?.collect()
    }
}

fn store_user(transaction: &Transaction<'_>, id: AccountId, row: Option<&UserRow>) -> rusqlite::Result<()> {
    let Some(row) = row else {
        return transaction.prepare_cached("DELETE FROM users WHERE id = ?1")?.execute([id.0]).map(|_| ());
    };
    let UserRow { name, email, microsoft_account, kept_hash, .. } = row;
    let values = params![id.0, name, row.uid.0, row.is_builtin(), email, microsoft_account, kept_hash];
    transaction.prepare_cached("REPLACE INTO users VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?.execute(values).map(|_| ())
}

fn store_group(transaction: &Transaction<'_>, id: AccountId, row: Option<&GroupRow>) -> rusqlite::Result<()> {
    let Some(row) = row else {
        return transaction.prepare_cached("DELETE FROM groups WHERE id = ?1")?.execute([id.0]).map(|_| ());
    };
    let values = params![id.0, row.name, row.gid.0, row.is_builtin()];
    transaction.prepare_cached("REPLACE INTO groups VALUES (?1, ?2, ?3, ?4)")?.execute(values).map(|_| ())
}

/// Keeps a number that an account gave up from being chosen again.
fn bury(transaction: &Transaction<'_>, kind: &str, id: AccountId, was: (&str, u32)) -> rusqlite::Result<()> {
    let sql = "REPLACE INTO tombstones (kind, id, name, number) VALUES (?1, ?2, ?3, ?4)";
    transaction.prepare_cached(sql)?.execute(params![kind, id.0, was.0, was.1]).map(|_| ())
}

fn origin(builtin: bool) -> Origin {
    if builtin { Origin::Builtin } else { Origin::Added }
}
