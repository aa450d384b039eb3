//! Transfers of homes in the state store: the last one of each account, so that it is known after
//! a restart what is still to be done, and what came of it.

use accountd_protocol::home::{Transfer, TransferKind, TransferState};
use accountd_protocol::id::{AccountId, Gid, Uid};
use rusqlite::{Connection, Row, params};

use crate::homes::Owner;
use crate::homes::transfer::{Attributes, Report};

/// A step of the state store's migrations.
pub const MIGRATION: &str = "
    CREATE TABLE transfers (
        account INTEGER PRIMARY KEY, source TEXT NOT NULL, target TEXT NOT NULL, kind TEXT NOT NULL,
        old_uid INTEGER NOT NULL, old_gid INTEGER NOT NULL, attributes TEXT NOT NULL, state TEXT NOT NULL,
        files INTEGER NOT NULL, bytes INTEGER NOT NULL, bytes_total INTEGER NOT NULL,
        left_alone INTEGER NOT NULL, error TEXT
    ) STRICT;
";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferRow {
    pub account: AccountId,
    /// The old home and the new one; the same where only the owner changes.
    pub from: String,
    pub to: String,
    pub kind: TransferKind,
    /// Whose the old home was.
    pub old_owner: Owner,
    pub attributes: Attributes,
    pub state: TransferState,
    pub counts: Report,
    pub error: Option<String>,
}

impl TransferRow {
    pub fn shown(&self) -> Transfer {
        Transfer {
            kind: self.kind,
            state: self.state,
            files_done: self.counts.files,
            bytes_done: self.counts.bytes,
            bytes_total: self.counts.bytes_total,
            left_alone: self.counts.left_alone,
            error: self.error.clone(),
        }
    }
}

/// Stores the last transfer of an account, or that there is none.
pub fn store(connection: &Connection, account: AccountId, row: Option<&TransferRow>) -> rusqlite::Result<()> {
    let Some(row) = row else {
        return connection.prepare_cached("DELETE FROM transfers WHERE account = ?1")?.execute([account.0]).map(|_| ());
    };
    let attributes = match row.attributes {
        Attributes::Copied => "copied",
        Attributes::Kept => "kept",
    };
    let (owner, counts) = (&row.old_owner, &row.counts);
    connection
        .prepare_cached("REPLACE INTO transfers VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)")?
        .execute(params![
            account.0,
            row.from,
            row.to,
            row.kind.name(),
            owner.uid.0,
            owner.gid.0,
            attributes,
            row.state.name(),
            counts.files,
            counts.bytes,
            counts.bytes_total,
            counts.left_alone,
            row.error
        ])
        .map(|_| ())
}

/// Stores how far a transfer is, if the account still has it.
pub fn update(connection: &Connection, row: &TransferRow) -> rusqlite::Result<()> {
    let counts = &row.counts;
    let sql = "UPDATE transfers SET state = ?2, files = ?3, bytes = ?4, bytes_total = ?5, left_alone = ?6, error = ?7
               WHERE account = ?1";
    let state = row.state.name();
    let values =
        params![row.account.0, state, counts.files, counts.bytes, counts.bytes_total, counts.left_alone, row.error];
    connection.prepare_cached(sql)?.execute(values).map(|_| ())
}

pub fn all(connection: &Connection) -> rusqlite::Result<Vec<TransferRow>> {
    let mut query = connection.prepare(
        "SELECT account, source, target, kind, old_uid, old_gid, attributes, state, files, bytes, bytes_total,
                left_alone, error FROM transfers",
    )?;
    query.query_map([], parse)?.collect()
}

fn parse(row: &Row<'_>) -> rusqlite::Result<TransferRow> {
    let (kind, attributes, state): (String, String, String) = (row.get(3)?, row.get(6)?, row.get(7)?);
    let unknown = |text: &str| rusqlite::Error::InvalidParameterName(text.to_owned());
    let kinds = [TransferKind::Copy, TransferKind::Move, TransferKind::Owner];
    let states = [TransferState::Waiting, TransferState::Running, TransferState::Done, TransferState::Failed];
    Ok(TransferRow {
        account: AccountId(row.get(0)?),
        from: row.get(1)?,
        to: row.get(2)?,
        kind: kinds.into_iter().find(|known| known.name() == kind).ok_or_else(|| unknown(&kind))?,
        old_owner: Owner { uid: Uid(row.get(4)?), gid: Gid(row.get(5)?) },
        attributes: if attributes == "copied" { Attributes::Copied } else { Attributes::Kept },
        state: states.into_iter().find(|known| known.name() == state).ok_or_else(|| unknown(&state))?,
        counts: Report { files: row.get(8)?, bytes: row.get(9)?, bytes_total: row.get(10)?, left_alone: row.get(11)? },
        error: row.get(12)?,
    })
}
