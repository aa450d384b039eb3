//! The state store: SQLite, written by the agent alone, every commit on disk when it returns.

use std::collections::{HashMap, HashSet};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use accountd_config::{Audit, Passwords};
use accountd_protocol::api_key::ApiKeyId;
use accountd_protocol::audit::AuditEvent;
use accountd_protocol::id::{AccountId, Gid, Uid};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::api_keys::{self, ApiKeys};
use super::damage;
use super::error::DatabaseError;
use super::extras;
use super::good_copy;
use super::journal::Journal;
use super::key_files::{self, KeyFileRow};
use super::mark::{BEHIND, Mark, Reached};
use super::quota_counts::{self, QuotaCount, QuotaMark, QuotaWrite};
use super::row::{GroupRow, Origin, UserRow};
use super::schema::{self, Age};
use super::transfers::{self, TransferRow};
use super::view::{Edit, Quarantine};
use super::{password_history, policy};
use crate::audit::{self, AuditError, Body};

/// As many pages of the write-ahead log are written back into the store (SQLite's default).
const CHECKPOINT_PAGES: u32 = 1000;

/// The open state store.
#[derive(Debug)]
pub struct State {
    connection: Connection,
    path: PathBuf,
    /// From the first [`State::load`] on.
    mark: Option<Mark>,
    unfinished: Unfinished,
    changes: u64,
    /// How many records of the audit trail are in the store.
    audit_records: u64,
}

/// What must not reach the store itself: without its write-ahead log it would be carried out
/// again, long after.
#[derive(Debug, Default)]
struct Unfinished {
    journal: bool,
    adoptions: HashSet<String>,
}

/// A note for the next start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// Homes are made in this directory: what a crash leaves there has to be found.
    HomeParent(String),
    /// An existing directory is filled, to become a home.
    Adoption(String),
    /// It has become one, or is empty again.
    AdoptionOver(String),
}

/// Everything that is read at start.
#[derive(Debug)]
pub struct Stored {
    pub users: Vec<UserRow>,
    pub groups: Vec<GroupRow>,
    pub quarantine: Quarantine,
    /// Those that were set over REST.
    pub password_rules: Passwords,
    pub api_keys: ApiKeys,
    pub next_user: u64,
    pub next_group: u64,
    /// How often the store has been opened, this time included.
    pub starts: u64,
    /// Nothing has ever been stored: the accounts that are there now are built in.
    pub fresh: bool,
}

impl State {
    /// Opens the store, or makes it: it holds password hashes, so nobody else may read it. One
    /// that is damaged is an error and stays as it is, with its write-ahead log.
    pub fn open(path: &Path) -> Result<Self, DatabaseError> {
        let mut options = OpenOptions::new();
        let file = options.append(true).create(true).mode(0o600).open(path).map_err(DatabaseError::store(path))?;
        let is_empty = file.metadata().map_err(DatabaseError::store(path))?.len() == 0;
        drop(file);
        let mut connection = Connection::open(path).map_err(DatabaseError::unreadable)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        damage::check(&connection)?;
        match schema::age(&connection).map_err(DatabaseError::unreadable)? {
            Age::Newer => return Err(DatabaseError::Newer(path.to_owned())),
            // The tables are in the log for long before they are in the store.
            Age::Unmade if !is_empty && Mark::read(path).is_some() => {
                return Err(DatabaseError::Damaged(BEHIND.into()));
            }
            Age::Unmade | Age::Known => {}
        }
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        // What a journal record held is not left in free pages.
        connection.pragma_update(None, "secure_delete", "ON")?;
        schema::migrate(&mut connection).map_err(DatabaseError::senseless)?;
        schema::look(&connection).map_err(DatabaseError::senseless)?;
        let audit_records = audit::count(&connection).map_err(DatabaseError::senseless)?;
        let (path, unfinished) = (path.to_owned(), Unfinished::default());
        let mut state = Self { connection, path, mark: None, unfinished, changes: 0, audit_records };
        state.unfinished.journal = state.journal().map_err(DatabaseError::senseless)?.is_some();
        state.unfinished.adoptions = state.adoptions()?.into_iter().collect();
        Ok(state)
    }

    /// Reads all and counts this start.
    pub fn load(&mut self) -> Result<Stored, DatabaseError> {
        self.connection.execute("UPDATE starts SET count = count + 1", [])?;
        let reached = self.reached()?;
        self.mark = Some(Mark::begin(&self.path, reached).map_err(DatabaseError::store(&self.path))?);
        let users = self.users()?;
        let fresh = users.is_empty();
        let quarantine = Quarantine { uids: self.tombstones("user")?, gids: self.tombstones("group")? };
        let Reached { starts, next_user, next_group } = reached;
        let (groups, password_rules) = (self.groups()?, policy::all(&self.connection)?);
        let api_keys = api_keys::all(&self.connection)?;
        Ok(Stored { users, groups, quarantine, password_rules, api_keys, next_user, next_group, starts, fresh })
    }

    /// How far the store has got.
    pub fn reached(&self) -> rusqlite::Result<Reached> {
        Self::reached_in(&self.connection)
    }

    pub fn reached_in(connection: &Connection) -> rusqlite::Result<Reached> {
        let next = |table: &str, kind: &str| -> rusqlite::Result<u64> {
            let query = format!(
                "SELECT max(coalesce((SELECT 1 + max(id) FROM {table}), 1),
                            coalesce((SELECT 1 + max(id) FROM tombstones WHERE kind = ?1), 1),
                            coalesce((SELECT id FROM floors WHERE kind = ?1), 1))"
            );
            connection.query_row(&query, [kind], |row| row.get(0))
        };
        let starts = connection.query_row("SELECT count FROM starts", [], |row| row.get(0))?;
        Ok(Reached { starts, next_user: next("users", "user")?, next_group: next("groups", "group")? })
    }

    /// How many changes there have been since the store was opened.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Copies the store as it is now, as something to restore it from.
    pub fn keep_good_copy(&self) -> Result<(), DatabaseError> {
        good_copy::keep(&self.path)
    }

    pub fn user_names(&self) -> rusqlite::Result<HashSet<String>> {
        self.connection.prepare("SELECT name FROM users")?.query_map([], |row| row.get(0))?.collect()
    }

    pub fn group_names(&self) -> rusqlite::Result<HashSet<String>> {
        self.connection.prepare("SELECT name FROM groups")?.query_map([], |row| row.get(0))?.collect()
    }

    pub fn users(&self) -> rusqlite::Result<Vec<UserRow>> {
        let mut query = self
            .connection
            .prepare("SELECT id, name, uid, builtin, email, microsoft_account, kept_hash, extras FROM users")?;
        let rows = query.query_map([], |row| {
            Ok(UserRow {
                id: AccountId(row.get(0)?),
                name: row.get(1)?,
                uid: Uid(row.get(2)?),
                origin: origin(row.get(3)?),
                email: row.get(4)?,
                microsoft_account: row.get(5)?,
                kept_hash: row.get(6)?,
                extras: extras::of_text(row.get(7)?)?,
            })
        })?;
        rows.collect()
    }

    pub fn groups(&self) -> rusqlite::Result<Vec<GroupRow>> {
        let mut query = self.connection.prepare("SELECT id, name, gid, builtin, limits FROM groups")?;
        let rows = query.query_map([], |row| {
            let (id, gid) = (AccountId(row.get(0)?), Gid(row.get(2)?));
            let limits = extras::of_text(row.get(4)?)?;
            Ok(GroupRow { id, name: row.get(1)?, gid, origin: origin(row.get(3)?), limits })
        })?;
        rows.collect()
    }

    fn tombstones(&self, kind: &str) -> rusqlite::Result<HashMap<u32, u32>> {
        let mut query =
            self.connection.prepare("SELECT number, count(*) FROM tombstones WHERE kind = ?1 GROUP BY number")?;
        query.query_map([kind], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }

    /// The commit point: rows, journal record and the records of the audit trail in one transaction.
    /// The last are asked for when everything else is in it.
    pub fn commit(
        &mut self,
        edits: &[Edit],
        journal: Option<&Journal>,
        records: impl FnOnce() -> rusqlite::Result<Vec<Body>>,
    ) -> rusqlite::Result<()> {
        self.let_checkpoints(journal.is_none() && self.unfinished.is_nothing())?;
        let result = self.write(edits, journal, records);
        match &result {
            Ok(records) => {
                self.unfinished.journal |= journal.is_some();
                self.changes += 1;
                self.audit_records += *records;
                if let Some(mark) = &mut self.mark {
                    mark.raise(edits);
                }
            }
            Err(error) if damage::is_failed_io(error) => self.write_over(),
            Err(_) => {}
        }
        result.map(drop)
    }

    /// A commit whose sync has failed may be in the write-ahead log all the same, and would be
    /// found there at the next start: something else takes its place, which has to be a change.
    fn write_over(&self) {
        if let Err(error) = self.connection.execute("UPDATE starts SET count = count + 1", []) {
            tracing::error!(%error, "a change was refused because the state store can not be written; it may be made at the next start");
        }
    }

    /// Whether the next transaction may write the log back into the store.
    fn let_checkpoints(&self, finished: bool) -> rusqlite::Result<()> {
        let pages = if finished { CHECKPOINT_PAGES } else { 0 };
        self.connection.pragma_update(None, "wal_autocheckpoint", pages)
    }

    /// Stores records of what is no change. The good copy need not have them at once: whoever tries
    /// passwords must not have it made anew.
    pub fn record(&mut self, events: Vec<AuditEvent>) -> rusqlite::Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        self.let_checkpoints(self.unfinished.is_nothing())?;
        let bodies = audit::bodies(&events)?;
        let transaction = self.connection.transaction()?;
        audit::append(&transaction, audit::moment(), &bodies)?;
        transaction.commit()?;
        self.audit_records += bodies.len() as u64;
        Ok(())
    }

    /// How many records of the audit trail are in the store itself.
    pub fn audit_records(&self) -> u64 {
        self.audit_records
    }

    /// Moves the oldest records into files while there are twice as many as one file has.
    pub fn rotate_audit(&mut self, limits: &Audit) -> Result<(), AuditError> {
        while self.audit_records >= 2 * limits.file_records {
            self.let_checkpoints(self.unfinished.is_nothing())?;
            audit::rotate(&mut self.connection, &audit::directory(&self.path), limits, audit::moment())?;
            self.audit_records = audit::count(&self.connection)?;
            self.changes += 1;
        }
        Ok(())
    }

    /// Gives how many records there are.
    fn write(
        &mut self,
        edits: &[Edit],
        journal: Option<&Journal>,
        records: impl FnOnce() -> rusqlite::Result<Vec<Body>>,
    ) -> rusqlite::Result<u64> {
        let transaction = self.connection.transaction()?;
        for edit in edits {
            match edit {
                Edit::Line { .. } | Edit::Sudo { .. } => {}
                Edit::User { id, old, new } => {
                    store_user(&transaction, *id, new.as_deref())?;
                    if new.is_none() {
                        transfers::store(&transaction, *id, None)?;
                        password_history::store(&transaction, *id, &[])?;
                        api_keys::forget(&transaction, *id)?;
                        quota_counts::forget(&transaction, *id)?;
                    }
                    if let (Some(row), Some(uid)) = (old, edit.freed_uid()) {
                        bury(&transaction, "user", *id, (&row.name, uid.0))?;
                    }
                }
                Edit::PasswordHistory { account, hashes } => {
                    password_history::store(&transaction, *account, hashes)?;
                }
                Edit::PasswordRules { new, .. } => policy::store(&transaction, new)?,
                Edit::ApiKey { old, new } => api_keys::store(&transaction, old.as_deref(), new.as_deref())?,
                Edit::KeyFile(row) => key_files::store(&transaction, row)?,
                Edit::Transfer { account, new } => transfers::store(&transaction, *account, new.as_deref())?,
                Edit::Group { id, old, new } => {
                    store_group(&transaction, *id, new.as_deref())?;
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
        let records = records()?;
        audit::append(&transaction, audit::moment(), &records)?;
        transaction.commit()?;
        Ok(records.len() as u64)
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
        self.let_checkpoints(self.unfinished.adoptions.is_empty())?;
        self.connection.execute("DELETE FROM journal", [])?;
        self.unfinished.journal = false;
        Ok(())
    }

    pub fn note(&mut self, note: &Note) -> rusqlite::Result<()> {
        self.let_checkpoints(false)?;
        let (sql, path) = match note {
            Note::HomeParent(path) => ("INSERT OR IGNORE INTO home_parents VALUES (?1)", path),
            Note::Adoption(path) => ("INSERT OR IGNORE INTO adoptions VALUES (?1)", path),
            Note::AdoptionOver(path) => ("DELETE FROM adoptions WHERE path = ?1", path),
        };
        self.connection.execute(sql, [path])?;
        match note {
            Note::HomeParent(_) => self.changes += 1,
            Note::Adoption(path) => drop(self.unfinished.adoptions.insert(path.clone())),
            Note::AdoptionOver(path) => drop(self.unfinished.adoptions.remove(path)),
        }
        Ok(())
    }

    pub fn transfers(&self) -> rusqlite::Result<Vec<TransferRow>> {
        transfers::all(&self.connection)
    }

    /// Key files that are not in their places.
    pub fn key_files(&self) -> rusqlite::Result<Vec<KeyFileRow>> {
        key_files::all(&self.connection)
    }

    pub fn forget_key_files(&mut self, homes: &[String]) -> rusqlite::Result<()> {
        self.let_checkpoints(self.unfinished.is_nothing())?;
        key_files::forget(&mut self.connection, homes)
    }

    pub fn update_transfer(&mut self, row: &TransferRow) -> rusqlite::Result<()> {
        transfers::update(&self.connection, row)
    }

    /// When API keys were used last.
    pub fn key_uses(&self) -> rusqlite::Result<HashMap<ApiKeyId, u64>> {
        api_keys::uses(&self.connection)
    }

    /// The good copy need not have it at once.
    pub fn note_key_use(&mut self, id: ApiKeyId, time: u64) -> rusqlite::Result<()> {
        self.let_checkpoints(self.unfinished.is_nothing())?;
        api_keys::note_use(&self.connection, id, time)
    }

    pub fn quota_counts(&self) -> rusqlite::Result<Vec<QuotaCount>> {
        quota_counts::counts(&self.connection)
    }

    pub fn quota_marks(&self) -> rusqlite::Result<Vec<QuotaMark>> {
        quota_counts::marks(&self.connection)
    }

    /// The good copy need not have it at once.
    pub fn write_quota(&mut self, write: &QuotaWrite) -> rusqlite::Result<()> {
        self.let_checkpoints(self.unfinished.is_nothing())?;
        quota_counts::write(&self.connection, write)
    }

    pub fn home_parents(&self) -> rusqlite::Result<Vec<String>> {
        let mut query = self.connection.prepare("SELECT path FROM home_parents")?;
        query.query_map([], |row| row.get(0))?.collect()
    }

    pub fn adoptions(&self) -> rusqlite::Result<Vec<String>> {
        let mut query = self.connection.prepare("SELECT path FROM adoptions")?;
        query.query_map([], |row| row.get(0))?.collect()
    }
}

impl Unfinished {
    fn is_nothing(&self) -> bool {
        !self.journal && self.adoptions.is_empty()
    }
}

fn store_user(transaction: &Transaction<'_>, id: AccountId, row: Option<&UserRow>) -> rusqlite::Result<()> {
    let Some(row) = row else {
        return transaction.prepare_cached("DELETE FROM users WHERE id = ?1")?.execute([id.0]).map(|_| ());
    };
    let UserRow { name, email, microsoft_account, kept_hash, .. } = row;
    let extras = extras::text(row.extras.as_deref())?;
    let values = params![id.0, name, row.uid.0, row.is_builtin(), email, microsoft_account, kept_hash, extras];
    let sql = "REPLACE INTO users VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    transaction.prepare_cached(sql)?.execute(values).map(|_| ())
}

fn store_group(transaction: &Transaction<'_>, id: AccountId, row: Option<&GroupRow>) -> rusqlite::Result<()> {
    let Some(row) = row else {
        return transaction.prepare_cached("DELETE FROM groups WHERE id = ?1")?.execute([id.0]).map(|_| ());
    };
    let values = params![id.0, row.name, row.gid.0, row.is_builtin(), extras::text(row.limits.as_deref())?];
    transaction.prepare_cached("REPLACE INTO groups VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(values).map(|_| ())
}

/// Keeps a number that an account gave up from being chosen again.
fn bury(transaction: &Transaction<'_>, kind: &str, id: AccountId, was: (&str, u32)) -> rusqlite::Result<()> {
    let sql = "REPLACE INTO tombstones (kind, id, name, number) VALUES (?1, ?2, ?3, ?4)";
    transaction.prepare_cached(sql)?.execute(params![kind, id.0, was.0, was.1]).map(|_| ())
}

fn origin(builtin: bool) -> Origin {
    if builtin { Origin::Builtin } else { Origin::Added }
}
