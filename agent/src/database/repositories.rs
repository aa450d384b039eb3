//! Repositories: what no file system holds of them, in two tables of the state store that are no part of
//! the accounts and are written beside their commits.

use std::sync::mpsc::channel;

use accountd_protocol::audit::AuditEvent;
use accountd_protocol::id::AccountId;
use accountd_protocol::refusal::Refusal;
use accountd_protocol::repository::{CloneUri, RepositoryId, RepositoryKind};
use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};

use super::writer::Job;
use super::{Database, DatabaseError, QuotaStore};

/// A step of the state store's migrations. Whose an entry of an access control list was when it was made,
/// the list itself does not say: it has numbers.
pub const MIGRATION: &str = "
    CREATE TABLE repositories (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, owner INTEGER NOT NULL,
        description TEXT NOT NULL, clone_uri TEXT, created INTEGER NOT NULL, stage TEXT NOT NULL,
        inode INTEGER NOT NULL, pending TEXT
    ) STRICT;
    CREATE TABLE repository_grants (
        repository INTEGER NOT NULL, kind TEXT NOT NULL, account INTEGER NOT NULL, number INTEGER NOT NULL,
        is_admin INTEGER NOT NULL, PRIMARY KEY (repository, kind, account)
    ) STRICT;
";
/// In `floors`, the least id that may be given out next.
const KIND: &str = "repository";

/// How far a repository has come. Only those that are `Kept` are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It may have got its name, or not.
    Making,
    Kept,
    /// It may have lost its name, or not.
    Going,
}

/// Whose number an entry has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Given {
    User(AccountId),
    Group(AccountId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantRow {
    pub given: Given,
    /// Of the entry: a uid or a gid.
    pub number: u32,
    pub is_admin: bool,
}

#[derive(Clone, Debug)]
pub struct RepositoryRow {
    pub id: RepositoryId,
    pub name: String,
    pub kind: RepositoryKind,
    pub owner: AccountId,
    pub description: String,
    pub clone_uri: Option<CloneUri>,
    /// Seconds since 1970.
    pub created: u64,
    pub stage: Stage,
    /// Of its directory.
    pub inode: u64,
    /// What has still to be done in its directory, as JSON.
    pub pending: Option<String>,
    pub grants: Vec<GrantRow>,
}

/// One write to these tables, with its records.
#[derive(Debug)]
pub enum RepositoryWrite {
    Put(Box<RepositoryRow>),
    Remove(RepositoryId),
}

impl Stage {
    const ALL: [Self; 3] = [Self::Making, Self::Kept, Self::Going];

    fn name(self) -> &'static str {
        match self {
            Stage::Making => "making",
            Stage::Kept => "kept",
            Stage::Going => "going",
        }
    }
}

impl Given {
    fn columns(self) -> (&'static str, AccountId) {
        match self {
            Given::User(id) => ("user", id),
            Given::Group(id) => ("group", id),
        }
    }
}

impl QuotaStore {
    /// On disk when this returns, together with the records.
    pub fn write_repository(&self, write: RepositoryWrite, events: Vec<AuditEvent>) -> Result<(), Refusal> {
        let (answer, answered) = channel();
        let gone = || DatabaseError::WriterGone.into_refusal();
        self.send(Job::Repository(write, events, answer)).map_err(|()| gone())?;
        answered.recv().map_err(|_| gone())?
    }
}

impl Database {
    /// As they were when the database was opened, and the id that comes next.
    pub fn stored_repositories(&self) -> (&[RepositoryRow], u64) {
        (&self.repositories.0, self.repositories.1)
    }
}

pub fn write(connection: &Connection, write: &RepositoryWrite) -> rusqlite::Result<()> {
    let id = match write {
        RepositoryWrite::Put(row) => row.id,
        RepositoryWrite::Remove(id) => *id,
    };
    connection.prepare_cached("DELETE FROM repository_grants WHERE repository = ?1")?.execute([id.0])?;
    let RepositoryWrite::Put(row) = write else {
        return connection.prepare_cached("DELETE FROM repositories WHERE id = ?1")?.execute([id.0]).map(drop);
    };
    let RepositoryRow { id, name, kind, owner, description, clone_uri, created, stage, inode, pending, grants } =
        &**row;
    let uri = clone_uri.as_ref().map(CloneUri::reveal);
    let sql = "REPLACE INTO repositories VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    // SQLite has signed numbers only.
    let inode = inode.cast_signed();
    let values = params![id.0, name, kind.name(), owner.0, description, uri, created, stage.name(), inode, pending];
    connection.prepare_cached(sql)?.execute(values)?;
    for GrantRow { given, number, is_admin } in grants {
        let (kind, account) = given.columns();
        let sql = "INSERT INTO repository_grants VALUES (?1, ?2, ?3, ?4, ?5)";
        connection.prepare_cached(sql)?.execute(params![id.0, kind, account.0, number, is_admin])?;
    }
    raise_floor(connection, id.0 + 1)
}

/// All rows, and the id that comes next.
pub fn all(connection: &Connection) -> rusqlite::Result<(Vec<RepositoryRow>, u64)> {
    let sql = "SELECT id, name, kind, owner, description, clone_uri, created, stage, inode, pending FROM repositories";
    let mut query = connection.prepare(sql)?;
    let mut rows: Vec<RepositoryRow> = query.query_map([], row)?.collect::<rusqlite::Result<_>>()?;
    let mut query = connection
        .prepare("SELECT kind, account, number, is_admin FROM repository_grants WHERE repository = ?1 ORDER BY 1, 2")?;
    for row in &mut rows {
        row.grants = query.query_map([row.id.0], grant)?.collect::<rusqlite::Result<_>>()?;
    }
    let floor = "SELECT coalesce((SELECT id FROM floors WHERE kind = ?1), 1)";
    let next = connection.query_row(floor, [KIND], |row| row.get(0))?;
    Ok((rows, next))
}

fn row(row: &Row<'_>) -> rusqlite::Result<RepositoryRow> {
    let wrong = |column| rusqlite::Error::InvalidColumnType(column, "repositories".into(), Type::Text);
    let kind = RepositoryKind::parse(&row.get::<_, String>(2)?).ok_or_else(|| wrong(2))?;
    let stage: String = row.get(7)?;
    let stage = Stage::ALL.into_iter().find(|one| one.name() == stage).ok_or_else(|| wrong(7))?;
    let uri: Option<String> = row.get(5)?;
    let clone_uri = uri.map(CloneUri::new).transpose().map_err(|_| wrong(5))?;
    Ok(RepositoryRow {
        id: RepositoryId(row.get(0)?),
        name: row.get(1)?,
        kind,
        owner: AccountId(row.get(3)?),
        description: row.get(4)?,
        clone_uri,
        created: row.get(6)?,
        stage,
        inode: row.get::<_, i64>(8)?.cast_unsigned(),
        pending: row.get(9)?,
        grants: Vec::new(),
    })
}

fn grant(row: &Row<'_>) -> rusqlite::Result<GrantRow> {
    let account = AccountId(row.get(1)?);
    let given = match row.get::<_, String>(0)?.as_str() {
        "group" => Given::Group(account),
        _ => Given::User(account),
    };
    Ok(GrantRow { given, number: row.get(2)?, is_admin: row.get(3)? })
}

/// Lets none of so many next ids be given out: in an older state of the store some may be missing.
pub fn skip(connection: &Connection, count: u64) -> rusqlite::Result<()> {
    let (_, next) = all(connection)?;
    raise_floor(connection, next.saturating_add(count))
}

fn raise_floor(connection: &Connection, next: u64) -> rusqlite::Result<()> {
    let sql = "INSERT INTO floors VALUES (?1, ?2) ON CONFLICT (kind) DO UPDATE SET id = max(id, excluded.id)";
    connection.prepare_cached(sql)?.execute(params![KIND, next]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE floors (kind TEXT PRIMARY KEY, id INTEGER NOT NULL) STRICT").unwrap();
        connection.execute_batch(MIGRATION).unwrap();
        connection
    }

    fn kept(id: u64, name: &str) -> RepositoryRow {
        RepositoryRow {
            id: RepositoryId(id),
            name: name.into(),
            kind: RepositoryKind::Hg,
            owner: AccountId(7),
            description: "for all".into(),
            clone_uri: Some(CloneUri::new("https://u:p@h/x").unwrap()),
            created: 5,
            stage: Stage::Kept,
            inode: u64::MAX,
            pending: Some("{}".into()),
            grants: vec![
                GrantRow { given: Given::Group(AccountId(9)), number: 4000, is_admin: false },
                GrantRow { given: Given::User(AccountId(8)), number: 3001, is_admin: true },
            ],
        }
    }

    #[test]
    fn a_row_comes_back_as_it_was_put_and_an_id_is_given_once() {
        let store = store();
        let put = |row| write(&store, &RepositoryWrite::Put(Box::new(row))).unwrap();
        put(kept(1, "a"));
        put(kept(4, "b/c"));
        put(RepositoryRow { grants: vec![], stage: Stage::Going, clone_uri: None, ..kept(4, "b/c") });
        let (rows, next) = all(&store).unwrap();
        assert_eq!(next, 5);
        assert_eq!(format!("{:?}", rows[0]), format!("{:?}", kept(1, "a")));
        assert_eq!(rows[0].clone_uri.as_ref().unwrap().reveal(), "https://u:p@h/x");
        assert_eq!((rows[1].stage, rows[1].grants.len(), rows.len()), (Stage::Going, 0, 2));
        for id in [1, 4] {
            write(&store, &RepositoryWrite::Remove(RepositoryId(id))).unwrap();
        }
        assert_eq!(all(&store).unwrap().1, 5);
        skip(&store, 100).unwrap();
        assert_eq!(all(&store).unwrap().1, 105);
        let left: u32 = store.query_row("SELECT count(*) FROM repository_grants", [], |row| row.get(0)).unwrap();
        assert_eq!(left, 0);
    }
}
