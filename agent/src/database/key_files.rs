//! Key files that a commit has changed and that are not in their places yet. What stands ready beside them is put
//! there right behind the commit, or else at the next start: a crash between the two leaves nothing half done.

use accountd_protocol::id::{Gid, Uid};
use accountd_protocol::identity::Identity;
use rusqlite::{Connection, Row, params};

/// A step of the state store's migrations.
pub const MIGRATION: &str = "
    CREATE TABLE key_files (
        home TEXT PRIMARY KEY, uid INTEGER NOT NULL, gid INTEGER NOT NULL, groups TEXT NOT NULL, becomes TEXT NOT NULL
    ) STRICT;
";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFileRow {
    /// The home that it is in.
    pub home: String,
    /// Whose it is.
    pub identity: Identity,
    pub becomes: Becomes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Becomes {
    /// What stands ready takes its place.
    Written,
    Removed,
}

impl Becomes {
    fn name(self) -> &'static str {
        match self {
            Becomes::Written => "written",
            Becomes::Removed => "removed",
        }
    }
}

pub fn store(connection: &Connection, row: &KeyFileRow) -> rusqlite::Result<()> {
    let KeyFileRow { home, identity: Identity { uid, gid, groups }, becomes } = row;
    let groups: Vec<String> = groups.iter().map(|group| group.0.to_string()).collect();
    connection
        .prepare_cached("REPLACE INTO key_files VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![home, uid.0, gid.0, groups.join(","), becomes.name()])
        .map(drop)
}

/// These are in their places, or will not be.
pub fn forget(connection: &mut Connection, homes: &[String]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for home in homes {
        transaction.prepare_cached("DELETE FROM key_files WHERE home = ?1")?.execute([home])?;
    }
    transaction.commit()
}

pub fn all(connection: &Connection) -> rusqlite::Result<Vec<KeyFileRow>> {
    let mut query = connection.prepare("SELECT home, uid, gid, groups, becomes FROM key_files")?;
    query.query_map([], parse)?.collect()
}

fn parse(row: &Row<'_>) -> rusqlite::Result<KeyFileRow> {
    let (groups, becomes): (String, String) = (row.get(3)?, row.get(4)?);
    let unknown = |text: &str| rusqlite::Error::InvalidParameterName(text.to_owned());
    let groups = groups.split(',').filter(|group| !group.is_empty());
    let groups = groups.map(|group| group.parse().map(Gid).map_err(|_| unknown(group)));
    let known = [Becomes::Written, Becomes::Removed];
    Ok(KeyFileRow {
        home: row.get(0)?,
        identity: Identity { uid: Uid(row.get(1)?), gid: Gid(row.get(2)?), groups: groups.collect::<Result<_, _>>()? },
        becomes: known.into_iter().find(|known| known.name() == becomes).ok_or_else(|| unknown(&becomes))?,
    })
}
