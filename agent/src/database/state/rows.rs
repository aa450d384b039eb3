//! Users and groups in the state store.

use std::collections::{HashMap, HashSet};

use accountd_protocol::id::{AccountId, Gid, Uid};
use rusqlite::{Transaction, params};

use super::State;
use crate::database::extras;
use crate::database::row::{GroupRow, Origin, UserRow};

impl State {
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

    pub(super) fn tombstones(&self, kind: &str) -> rusqlite::Result<HashMap<u32, u32>> {
        let mut query =
            self.connection.prepare("SELECT number, count(*) FROM tombstones WHERE kind = ?1 GROUP BY number")?;
        query.query_map([kind], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }
}

pub(super) fn store_user(transaction: &Transaction<'_>, id: AccountId, row: Option<&UserRow>) -> rusqlite::Result<()> {
    let Some(row) = row else {
        return transaction.prepare_cached("DELETE FROM users WHERE id = ?1")?.execute([id.0]).map(|_| ());
    };
    let UserRow { name, email, microsoft_account, kept_hash, .. } = row;
    let extras = extras::text(row.extras.as_deref())?;
    let values = params![id.0, name, row.uid.0, row.is_builtin(), email, microsoft_account, kept_hash, extras];
    let sql = "REPLACE INTO users VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    transaction.prepare_cached(sql)?.execute(values).map(|_| ())
}

pub(super) fn store_group(
    transaction: &Transaction<'_>,
    id: AccountId,
    row: Option<&GroupRow>,
) -> rusqlite::Result<()> {
    let Some(row) = row else {
        return transaction.prepare_cached("DELETE FROM groups WHERE id = ?1")?.execute([id.0]).map(|_| ());
    };
    let values = params![id.0, row.name, row.gid.0, row.is_builtin(), extras::text(row.limits.as_deref())?];
    transaction.prepare_cached("REPLACE INTO groups VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(values).map(|_| ())
}

/// Keeps a number that an account gave up from being chosen again.
pub(super) fn bury(transaction: &Transaction<'_>, kind: &str, id: AccountId, was: (&str, u32)) -> rusqlite::Result<()> {
    let sql = "REPLACE INTO tombstones (kind, id, name, number) VALUES (?1, ?2, ?3, ?4)";
    transaction.prepare_cached(sql)?.execute(params![kind, id.0, was.0, was.1]).map(|_| ())
}

fn origin(builtin: bool) -> Origin {
    if builtin { Origin::Builtin } else { Origin::Added }
}
