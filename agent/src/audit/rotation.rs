//! Older records move from the state store into files, and the oldest files go.
//!
//! First the file is in its place and on disk, then its rows are removed; first it is recorded and
//! stored that the chain begins later, then files go. What a crash has kept from being done is done
//! the next time.

use std::path::Path;

use accountd_config::Audit;
use accountd_protocol::audit::{Actor, AuditAction, AuditEvent, FieldChange, Moment};
use rusqlite::Connection;

use super::AuditError;
use super::chain::Head;
use super::files::{self, AuditFile};
use super::rows::{self, End};
use crate::hexadecimal::hexadecimal;

/// Moves the oldest records into a file, and lets files go that are too many. To be called when the
/// store has twice as many records as a file.
///
/// They are moved as they are: what is wrong with them is found in the file as well. Files go one
/// rotation after it was stored that the chain begins behind them, so that a good copy of the store
/// that is a little older still fits the files.
pub fn rotate(connection: &mut Connection, directory: &Path, limits: &Audit, now: Moment) -> Result<(), AuditError> {
    let records = rows::oldest(connection, limits.file_records)?;
    let Some(last) = records.last() else { return Ok(()) };
    files::write(directory, &records)?;
    rows::remove_to(connection, last.sequence)?;
    let start = rows::end(connection, End::Start)?;
    let (gone, kept): (Vec<_>, Vec<_>) =
        files::list(directory)?.into_iter().partition(|file| file.first <= start.sequence);
    gone.iter().try_for_each(AuditFile::remove)?;
    let (going, _) = kept.split_at(kept.len().saturating_sub(limits.keep_files));
    let end = going.last().map(AuditFile::last).transpose()?.flatten();
    let Some(end) = end.map(|record| record.head()) else { return Ok(()) };
    let transaction = connection.transaction()?;
    rows::append(&transaction, now, &rows::bodies(&[removal(start, end)])?)?;
    rows::set_end(&transaction, End::Start, end)?;
    Ok(transaction.commit()?)
}

fn removal(start: Head, end: Head) -> AuditEvent {
    let records = format!("{}-{}", start.sequence + 1, end.sequence);
    let changes = vec![
        FieldChange::new("records", Some(records.into()), None),
        FieldChange::new("hash", Some(hexadecimal(&start.hash).into()), Some(hexadecimal(&end.hash).into())),
    ];
    AuditEvent::done(Actor::Agent, AuditAction::RemoveRecords, None, changes)
}

/// For a store that was restored: files may have records that the copy does not have yet, and the
/// chain goes on behind them. Records of the copy that are in files too stay until the next rotation.
pub fn go_on_from_files(transaction: &Connection, directory: &Path) -> Result<(), AuditError> {
    let head = rows::end(transaction, End::Head)?;
    let newer = files::list(directory)?.last().map(AuditFile::last).transpose()?.flatten();
    if let Some(newer) = newer.filter(|newer| newer.sequence > head.sequence) {
        rows::remove_to(transaction, newer.sequence)?;
        rows::set_end(transaction, End::Head, newer.head())?;
    }
    Ok(())
}
