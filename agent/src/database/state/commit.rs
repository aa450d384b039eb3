//! What one change writes into the state store: rows, journal record and audit records in one transaction.

use accountd_config::Audit;
use accountd_protocol::audit::AuditEvent;

use super::State;
use super::rows::{bury, store_group, store_user};
use crate::audit::{self, AuditError, Body};
use crate::database::api_keys;
use crate::database::damage;
use crate::database::edit::Edit;
use crate::database::journal::Journal;
use crate::database::key_files;
use crate::database::quota_counts;
use crate::database::repositories::{self, RepositoryWrite};
use crate::database::ssh_keys;
use crate::database::transfers;
use crate::database::{login_tokens, password_history, password_stamps, policy, second_factors};

impl State {
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

    /// Stores what has become of a repository, and the records of that.
    pub fn write_repository(&mut self, write: &RepositoryWrite, events: &[AuditEvent]) -> rusqlite::Result<()> {
        self.let_checkpoints(self.unfinished.is_nothing())?;
        let bodies = audit::bodies(events)?;
        let transaction = self.connection.transaction()?;
        repositories::write(&transaction, write)?;
        audit::append(&transaction, audit::moment(), &bodies)?;
        transaction.commit()?;
        self.audit_records += bodies.len() as u64;
        self.changes += 1;
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
                        second_factors::forget(&transaction, *id)?;
                        login_tokens::forget(&transaction, *id)?;
                        password_stamps::forget(&transaction, *id)?;
                        ssh_keys::forget(&transaction, *id)?;
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
                Edit::SecondFactor { account, new, .. } => {
                    second_factors::store(&transaction, *account, new.as_deref())?
                }
                Edit::PasswordStamp { account, stamp } => password_stamps::store(&transaction, *account, stamp)?,
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

    /// How many records of the audit trail are in the store itself.
    pub fn audit_records(&self) -> u64 {
        self.audit_records
    }
}
