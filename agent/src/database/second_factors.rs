//! Second factors: their table in the state store, and all of them in memory.
//!
//! Of an authenticator's secret only what it is sealed into is here, of recovery codes only digests. Which codes
//! have been used is no part of the accounts: it is written by itself, before whoever has shown one gets an answer.

use std::collections::HashMap;
use std::sync::Arc;

use accountd_protocol::id::AccountId;
use rusqlite::{Connection, params};

use super::edit::Edit;

/// A step of the state store's migrations. `used` has a bit for each recovery code.
pub const MIGRATION: &str = "
    CREATE TABLE second_factors (
        account INTEGER PRIMARY KEY, enrolment INTEGER NOT NULL, since INTEGER NOT NULL, secret BLOB NOT NULL,
        recovery BLOB NOT NULL, step INTEGER NOT NULL, used INTEGER NOT NULL
    ) STRICT;
";
/// The length of one of the digests in `recovery`.
const DIGEST_BYTES: usize = 32;

/// The SHA-256 of a recovery code, which is random enough for that.
pub type CodeDigest = [u8; DIGEST_BYTES];

/// An enrolment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactorRow {
    pub account: AccountId,
    /// Random: another one for each enrolment.
    pub enrolment: u64,
    /// Seconds since 1970.
    pub since: u64,
    pub sealed: Vec<u8>,
    pub recovery: Vec<CodeDigest>,
    /// The step of the code that it was confirmed with (RFC 6238 §4.2).
    pub step: u64,
}

/// What has been used of an enrolment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FactorUse {
    pub account: AccountId,
    pub enrolment: u64,
    /// Codes of this step and of those before it are used.
    pub step: u64,
    /// A bit for each recovery code.
    pub used: u32,
}

/// Every enrolment that there is.
#[derive(Clone, Debug, Default)]
pub struct Factors(HashMap<AccountId, Arc<FactorRow>>);

impl Factors {
    pub fn new(rows: Vec<FactorRow>) -> Self {
        Self(rows.into_iter().map(|row| (row.account, Arc::new(row))).collect())
    }

    pub fn of(&self, account: AccountId) -> Option<&Arc<FactorRow>> {
        self.0.get(&account)
    }

    /// Which enrolment counts.
    pub fn enrolment(&self, account: AccountId) -> Option<u64> {
        self.of(account).map(|row| row.enrolment)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<FactorRow>> {
        self.0.values()
    }

    /// What takes the enrolment of an account away.
    pub fn removal(&self, account: AccountId) -> Option<Edit> {
        self.of(account).map(|row| Edit::SecondFactor { account, old: Some(row.clone()), new: None })
    }

    pub(super) fn put(&mut self, account: AccountId, row: Option<Arc<FactorRow>>) {
        match row {
            Some(row) => drop(self.0.insert(account, row)),
            None => drop(self.0.remove(&account)),
        }
    }
}

pub fn all(connection: &Connection) -> rusqlite::Result<Factors> {
    let mut query =
        connection.prepare("SELECT account, enrolment, since, secret, recovery, step FROM second_factors")?;
    let rows = query.query_map([], |row| {
        let recovery: Vec<u8> = row.get(4)?;
        Ok(FactorRow {
            account: AccountId(row.get(0)?),
            enrolment: row.get(1)?,
            since: row.get(2)?,
            sealed: row.get(3)?,
            recovery: recovery.as_chunks::<DIGEST_BYTES>().0.to_vec(),
            step: row.get(5)?,
        })
    })?;
    Ok(Factors::new(rows.collect::<rusqlite::Result<_>>()?))
}

/// What has been used of each enrolment.
pub fn uses(connection: &Connection) -> rusqlite::Result<Vec<FactorUse>> {
    let mut query = connection.prepare("SELECT account, enrolment, step, used FROM second_factors")?;
    let rows = query.query_map([], |row| {
        let (account, enrolment) = (AccountId(row.get(0)?), row.get(1)?);
        Ok(FactorUse { account, enrolment, step: row.get(2)?, used: row.get(3)? })
    })?;
    rows.collect()
}

pub fn store(connection: &Connection, account: AccountId, new: Option<&FactorRow>) -> rusqlite::Result<()> {
    let Some(FactorRow { account, enrolment, since, sealed, recovery, step }) = new else {
        return forget(connection, account);
    };
    let sql = "REPLACE INTO second_factors VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)";
    let values = params![account.0, enrolment, since, sealed, recovery.concat(), step];
    connection.prepare_cached(sql)?.execute(values).map(drop)
}

/// Notes what has been used, if it is still the enrolment that counts. Nothing becomes unused.
pub fn note_use(connection: &Connection, now: &FactorUse) -> rusqlite::Result<()> {
    let FactorUse { account, enrolment, step, used } = now;
    let sql = "UPDATE second_factors SET step = max(step, ?3), used = used | ?4 WHERE account = ?1 AND enrolment = ?2";
    connection.prepare_cached(sql)?.execute(params![account.0, enrolment, step, used]).map(drop)
}

/// Removes what an account has left.
pub fn forget(connection: &Connection, account: AccountId) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM second_factors WHERE account = ?1")?.execute([account.0]).map(drop)
}

/// In an older state of the store codes may count as unused that were used since: none of the steps up to this
/// one is taken again.
pub fn doubt(connection: &Connection, step: u64) -> rusqlite::Result<()> {
    connection.execute("UPDATE second_factors SET step = max(step, ?1)", [step]).map(drop)
}
