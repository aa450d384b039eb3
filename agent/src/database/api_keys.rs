//! API keys: their table in the state store, and all of them in memory, by account and by digest.
//!
//! A key itself is nowhere. Its SHA-256 is: a password needs a slow hash because it can be guessed,
//! and 160 random bits can't be, however fast the hash is.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use accountd_protocol::api_key::ApiKeyId;
use accountd_protocol::id::AccountId;
use rusqlite::{Connection, params};

use super::edit::Edit;

/// A step of the state store's migrations. When a key was used last is no part of the accounts: it is
/// written by itself (see [`note_use`]).
pub const MIGRATION: &str = "
    CREATE TABLE api_keys (
        id INTEGER PRIMARY KEY, account INTEGER NOT NULL, name TEXT NOT NULL, digest BLOB NOT NULL UNIQUE,
        created INTEGER NOT NULL, expires INTEGER, last_used INTEGER, UNIQUE (account, name)
    ) STRICT;
";
/// In `floors`, the least id that may be given out next.
const KIND: &str = "api_key";

pub type KeyDigest = [u8; 32];

/// Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyRow {
    pub id: ApiKeyId,
    pub account: AccountId,
    pub name: String,
    pub digest: KeyDigest,
    pub created: u64,
    pub expires: Option<u64>,
}

impl ApiKeyRow {
    pub fn is_good(&self, now: u64) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

/// Every key that there is.
#[derive(Clone, Debug, Default)]
pub struct ApiKeys {
    by_account: BTreeMap<(AccountId, ApiKeyId), Arc<ApiKeyRow>>,
    by_digest: HashMap<KeyDigest, Arc<ApiKeyRow>>,
    next: u64,
}

impl ApiKeys {
    pub fn new(rows: Vec<ApiKeyRow>, next: u64) -> Self {
        let mut keys = Self { next, ..Self::default() };
        rows.into_iter().map(Arc::new).for_each(|row| keys.put(&row));
        keys
    }

    /// In the order in which they were made.
    pub fn of(&self, account: AccountId) -> impl Iterator<Item = &Arc<ApiKeyRow>> {
        let all = (account, ApiKeyId(0))..=(account, ApiKeyId(u64::MAX));
        self.by_account.range(all).map(|(_, row)| row)
    }

    pub fn get(&self, account: AccountId, id: ApiKeyId) -> Option<&Arc<ApiKeyRow>> {
        self.by_account.get(&(account, id))
    }

    pub fn with_digest(&self, digest: &KeyDigest) -> Option<&ApiKeyRow> {
        self.by_digest.get(digest).map(Arc::as_ref)
    }

    /// An id that nobody has had.
    pub fn next(&self) -> ApiKeyId {
        ApiKeyId(self.next.max(1))
    }

    /// What takes all keys of an account away.
    pub fn removals(&self, account: AccountId) -> Vec<Edit> {
        self.of(account).map(|row| Edit::ApiKey { old: Some(row.clone()), new: None }).collect()
    }

    pub(super) fn replace(&mut self, old: Option<&Arc<ApiKeyRow>>, new: Option<&Arc<ApiKeyRow>>) {
        if let Some(row) = old {
            self.by_account.remove(&(row.account, row.id));
            self.by_digest.remove(&row.digest);
        }
        new.into_iter().for_each(|row| self.put(row));
    }

    fn put(&mut self, row: &Arc<ApiKeyRow>) {
        self.by_account.insert((row.account, row.id), row.clone());
        self.by_digest.insert(row.digest, row.clone());
        self.next = self.next.max(row.id.0 + 1);
    }
}

/// Every key, and the id that comes next.
pub fn all(connection: &Connection) -> rusqlite::Result<ApiKeys> {
    let mut query = connection.prepare("SELECT id, account, name, digest, created, expires FROM api_keys")?;
    let rows = query.query_map([], |row| {
        let (id, account) = (ApiKeyId(row.get(0)?), AccountId(row.get(1)?));
        Ok(ApiKeyRow {
            id,
            account,
            name: row.get(2)?,
            digest: row.get(3)?,
            created: row.get(4)?,
            expires: row.get(5)?,
        })
    })?;
    let floor = connection
        .query_row("SELECT coalesce((SELECT id FROM floors WHERE kind = ?1), 1)", [KIND], |row| row.get(0))?;
    Ok(ApiKeys::new(rows.collect::<rusqlite::Result<_>>()?, floor))
}

/// Stores a key that was made, or removes one that is gone.
pub fn store(connection: &Connection, old: Option<&ApiKeyRow>, new: Option<&ApiKeyRow>) -> rusqlite::Result<()> {
    if let Some(row) = old {
        connection.prepare_cached("DELETE FROM api_keys WHERE id = ?1")?.execute([row.id.0])?;
    }
    let Some(row) = new else { return Ok(()) };
    let ApiKeyRow { id, account, name, digest, created, expires } = row;
    let sql = "INSERT INTO api_keys VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL)";
    connection.prepare_cached(sql)?.execute(params![id.0, account.0, name, digest, created, expires])?;
    raise_floor(connection, id.0 + 1)
}

/// Removes what an account has left.
pub fn forget(connection: &Connection, account: AccountId) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM api_keys WHERE account = ?1")?.execute([account.0]).map(drop)
}

/// Removes all, and lets none of so many next ids be given out: in an older state of the store there
/// may be some that were revoked since. Gives how many there were.
pub fn void(connection: &Connection, skip: u64) -> rusqlite::Result<usize> {
    let next = all(connection)?.next().0.saturating_add(skip);
    raise_floor(connection, next)?;
    connection.execute("DELETE FROM api_keys", [])
}

fn raise_floor(connection: &Connection, next: u64) -> rusqlite::Result<()> {
    connection.prepare_cached("REPLACE INTO floors VALUES (?1, ?2)")?.execute(params![KIND, next]).map(drop)
}

/// When keys were used last, as far as they were.
pub fn uses(connection: &Connection) -> rusqlite::Result<HashMap<ApiKeyId, u64>> {
    let mut query = connection.prepare("SELECT id, last_used FROM api_keys WHERE last_used IS NOT NULL")?;
    query.query_map([], |row| Ok((ApiKeyId(row.get(0)?), row.get(1)?)))?.collect()
}

/// Notes when a key was used, if it is still there.
pub fn note_use(connection: &Connection, id: ApiKeyId, time: u64) -> rusqlite::Result<()> {
    let sql = "UPDATE api_keys SET last_used = ?2 WHERE id = ?1";
    connection.prepare_cached(sql)?.execute(params![id.0, time]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u64, account: u64, digest: u8) -> Arc<ApiKeyRow> {
        let (name, digest) = (format!("k{id}"), [digest; 32]);
        let (id, account) = (ApiKeyId(id), AccountId(account));
        Arc::new(ApiKeyRow { id, account, name, digest, created: 5, expires: Some(10) })
    }

    #[test]
    fn a_key_is_found_by_its_account_and_by_its_digest_until_it_is_gone() {
        let mut keys = ApiKeys::default();
        let all = [row(1, 7, 1), row(2, 8, 2), row(3, 7, 3)];
        all.iter().for_each(|row| keys.replace(None, Some(row)));
        let of = |keys: &ApiKeys, account| keys.of(AccountId(account)).map(|row| row.id.0).collect::<Vec<_>>();
        assert_eq!((of(&keys, 7), of(&keys, 8), of(&keys, 9)), (vec![1, 3], vec![2], vec![]));
        assert_eq!(keys.with_digest(&[2; 32]).map(|row| row.id), Some(ApiKeyId(2)));
        assert!(keys.get(AccountId(8), ApiKeyId(1)).is_none(), "it is another account's");
        keys.replace(Some(&all[2]), None);
        assert_eq!((of(&keys, 7), keys.with_digest(&[3; 32])), (vec![1], None));
        assert_eq!(keys.next(), ApiKeyId(4), "an id is given once");
        assert_eq!(keys.removals(AccountId(7)).len(), 1);
    }

    #[test]
    fn a_key_is_void_from_its_moment_on() {
        let key = row(1, 7, 1);
        assert!(key.is_good(9) && !key.is_good(10));
        assert!(ApiKeyRow { expires: None, ..(*key).clone() }.is_good(u64::MAX));
    }
}
