//! The state store: SQLite, written by the agent alone, every commit on disk when it returns.

mod commit;
mod notes;
mod rows;
mod ssh_keys;

use std::collections::{HashMap, HashSet};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use accountd_config::Passwords;
use accountd_protocol::api_key::ApiKeyId;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension};

pub use self::notes::Note;
use crate::audit;
use crate::database::api_keys::{self, ApiKeys};
use crate::database::credentials::{self, CredentialWrite, StoredCredentials};
use crate::database::damage;
use crate::database::error::DatabaseError;
use crate::database::good_copy;
use crate::database::journal::Journal;
use crate::database::key_files::{self, KeyFileRow};
use crate::database::login_tokens;
use crate::database::mark::{BEHIND, Mark, Reached};
use crate::database::policy;
use crate::database::quota_counts::{self, QuotaCount, QuotaMark, QuotaWrite};
use crate::database::repositories::{self, RepositoryRow};
use crate::database::row::{GroupRow, UserRow};
use crate::database::schema::{self, Age};
use crate::database::second_factors::{self, Factors};
use crate::database::transfers::{self, TransferRow};
use crate::database::view::Quarantine;

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

/// Everything that is read at start.
#[derive(Debug)]
pub struct Stored {
    pub users: Vec<UserRow>,
    pub groups: Vec<GroupRow>,
    pub quarantine: Quarantine,
    /// Those that were set over REST.
    pub password_rules: Passwords,
    pub api_keys: ApiKeys,
    pub second_factors: Factors,
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
        let second_factors = second_factors::all(&self.connection)?;
        Ok(Stored {
            users,
            groups,
            quarantine,
            password_rules,
            api_keys,
            second_factors,
            next_user,
            next_group,
            starts,
            fresh,
        })
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

    /// Whether the next transaction may write the log back into the store.
    fn let_checkpoints(&self, finished: bool) -> rusqlite::Result<()> {
        let pages = if finished { CHECKPOINT_PAGES } else { 0 };
        self.connection.pragma_update(None, "wal_autocheckpoint", pages)
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

    pub fn repositories(&self) -> rusqlite::Result<(Vec<RepositoryRow>, u64)> {
        repositories::all(&self.connection)
    }

    pub fn credentials(&self) -> rusqlite::Result<StoredCredentials> {
        let (uses, tokens) = (second_factors::uses(&self.connection)?, login_tokens::all(&self.connection)?);
        Ok(StoredCredentials { uses, tokens, token_key: login_tokens::key(&self.connection)? })
    }

    /// The good copy need not have it at once; where it has to, that is asked for.
    pub fn write_credential(&mut self, write: &CredentialWrite) -> rusqlite::Result<()> {
        self.let_checkpoints(self.unfinished.is_nothing())?;
        credentials::write(&self.connection, write)
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
}

impl Unfinished {
    fn is_nothing(&self) -> bool {
        !self.journal && self.adoptions.is_empty()
    }
}
