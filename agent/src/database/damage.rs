//! What a damaged state store looks like (sqlite3(3), "Result and Error Codes").

use rusqlite::{Connection, Error, ErrorCode, ffi};

use super::error::DatabaseError;

/// Whether the error says that the file is not what SQLite has written.
pub fn is_damage(error: &Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Whether SQLite has lost one of its own locks in shared memory: it would wait for it for ever.
fn is_locked_out(error: &Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::FileLockingProtocolFailed)
}

/// Whether the error says that the medium failed.
pub fn is_failed_io(error: &Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure)
}

/// Whether the file is damaged or can't be read; a failed write or a full disk is neither.
fn is_unreadable(error: &Error) -> bool {
    const READS: [i32; 4] =
        [ffi::SQLITE_IOERR_READ, ffi::SQLITE_IOERR_SHORT_READ, ffi::SQLITE_IOERR_CORRUPTFS, ffi::SQLITE_IOERR_DATA];
    is_damage(error) || error.sqlite_error().is_some_and(|error| READS.contains(&error.extended_code))
}

/// Reads the whole file and finds whether its pages, and indices and tables, fit together (30 ms
/// for 100,000 accounts, no more than quick_check). Nothing is written.
pub fn check(connection: &Connection) -> Result<(), DatabaseError> {
    let said: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(DatabaseError::unreadable)?;
    if said == "ok" { Ok(()) } else { Err(DatabaseError::Damaged(said.replace('\n', " "))) }
}

impl DatabaseError {
    /// An error while a store is opened.
    pub(super) fn unreadable(error: Error) -> Self {
        if is_unreadable(&error) { DatabaseError::Damaged(error.to_string()) } else { error.into() }
    }

    /// An error in what was read: a table or a column is missing, or says what it can not say.
    pub(super) fn senseless(error: Error) -> Self {
        let readable = matches!(
            error.sqlite_error_code(),
            None | Some(ErrorCode::Unknown | ErrorCode::TypeMismatch | ErrorCode::ConstraintViolation)
        );
        if readable { DatabaseError::Damaged(error.to_string()) } else { Self::unreadable(error) }
    }

    /// Whether nothing more can be done with the store before it has been restored, or opened again.
    pub(super) fn ends_the_agent(&self) -> bool {
        match self {
            DatabaseError::Damaged(_) => true,
            DatabaseError::State(error) => is_damage(error) || is_locked_out(error),
            DatabaseError::Lock(_)
            | DatabaseError::Implausible { .. }
            | DatabaseError::Overtaken
            | DatabaseError::Read { .. }
            | DatabaseError::DropIns(_)
            | DatabaseError::Write { .. }
            | DatabaseError::Replace { .. }
            | DatabaseError::Sync(_)
            | DatabaseError::NotAlone
            | DatabaseError::Store { .. }
            | DatabaseError::NoGoodCopy { .. }
            | DatabaseError::Newer(_)
            | DatabaseError::Publish { .. }
            | DatabaseError::Retire { .. }
            | DatabaseError::Watch(_)
            | DatabaseError::WriterGone => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_is_not_there_is_damage_and_ends_the_agent_and_a_store_that_is_in_use_is_none() {
        let store = Connection::open_in_memory().unwrap();
        let missing = store.query_row("SELECT count FROM starts", [], |row| row.get::<_, u64>(0)).unwrap_err();
        let missing = DatabaseError::senseless(missing);
        assert!(matches!(missing, DatabaseError::Damaged(_)) && missing.ends_the_agent(), "{missing}");
        let text = store.query_row("SELECT 'x'", [], |row| row.get::<_, u64>(0)).unwrap_err();
        assert!(matches!(DatabaseError::senseless(text), DatabaseError::Damaged(_)));
        let failure = |code| Error::SqliteFailure(ffi::Error::new(code), None);
        let busy = DatabaseError::senseless(failure(ffi::SQLITE_BUSY));
        assert!(matches!(busy, DatabaseError::State(_)) && !busy.ends_the_agent(), "{busy}");
        let torn = DatabaseError::senseless(failure(ffi::SQLITE_CORRUPT));
        assert!(matches!(torn, DatabaseError::Damaged(_)), "{torn}");
    }
}
