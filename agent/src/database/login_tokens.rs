//! Login tokens: their table in the state store, and the key that they are signed with.
//!
//! A token itself is nowhere, only its SHA-256. The table is no part of the accounts and is written beside their
//! commits.

use accountd_protocol::id::AccountId;
use rusqlite::{Connection, OptionalExtension, params};

/// A step of the state store's migrations.
pub const MIGRATION: &str = "
    CREATE TABLE login_tokens (
        digest BLOB PRIMARY KEY, account INTEGER NOT NULL, issued INTEGER NOT NULL, expires INTEGER NOT NULL,
        stamp BLOB NOT NULL
    ) STRICT;
    CREATE INDEX login_tokens_of ON login_tokens (account);
    CREATE TABLE token_keys (id INTEGER PRIMARY KEY CHECK (id = 1), key BLOB NOT NULL) STRICT;
";

pub type TokenDigest = [u8; 32];
/// What has to be as it was for a token to be good, as a digest.
pub type TokenStamp = [u8; 32];
pub type TokenKey = [u8; 32];

/// Times are seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenRow {
    pub digest: TokenDigest,
    pub account: AccountId,
    pub issued: u64,
    pub expires: u64,
    pub stamp: TokenStamp,
}

pub fn all(connection: &Connection) -> rusqlite::Result<Vec<TokenRow>> {
    let mut query = connection.prepare("SELECT digest, account, issued, expires, stamp FROM login_tokens")?;
    let rows = query.query_map([], |row| {
        Ok(TokenRow {
            digest: row.get(0)?,
            account: AccountId(row.get(1)?),
            issued: row.get(2)?,
            expires: row.get(3)?,
            stamp: row.get(4)?,
        })
    })?;
    rows.collect()
}

pub fn key(connection: &Connection) -> rusqlite::Result<Option<TokenKey>> {
    connection.query_row("SELECT key FROM token_keys", [], |row| row.get(0)).optional()
}

pub fn store_key(connection: &Connection, key: &TokenKey) -> rusqlite::Result<()> {
    connection.execute("REPLACE INTO token_keys VALUES (1, ?1)", [key]).map(drop)
}

pub fn store(connection: &Connection, row: &TokenRow) -> rusqlite::Result<()> {
    let TokenRow { digest, account, issued, expires, stamp } = row;
    // The account may have gone meanwhile.
    let sql = "REPLACE INTO login_tokens SELECT ?1, id, ?3, ?4, ?5 FROM users WHERE id = ?2";
    connection.prepare_cached(sql)?.execute(params![digest, account.0, issued, expires, stamp]).map(drop)
}

pub fn remove(connection: &Connection, digests: &[TokenDigest]) -> rusqlite::Result<()> {
    let mut delete = connection.prepare_cached("DELETE FROM login_tokens WHERE digest = ?1")?;
    digests.iter().try_for_each(|digest| delete.execute([digest]).map(drop))
}

/// Removes what an account has left.
pub fn forget(connection: &Connection, account: AccountId) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM login_tokens WHERE account = ?1")?.execute([account.0]).map(drop)
}

/// Removes all, and the key: in an older state of the store there may be some that were revoked since.
pub fn void(connection: &Connection) -> rusqlite::Result<usize> {
    connection.execute("DELETE FROM token_keys", [])?;
    connection.execute("DELETE FROM login_tokens", [])
}
