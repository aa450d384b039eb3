//! The whole trail, read while the agent writes it: the files of older records, then the store.

use std::path::Path;

use accountd_protocol::audit::{AuditFilter, AuditFlaw, AuditPage, AuditRecord, AuditVerdict, MOST_RECORDS};
use rusqlite::{Connection, OpenFlags, Transaction};

use super::chain::{Head, Stored};
use super::files::{self, AuditFile};
use super::flaw::Flaw;
use super::rows::{self, End};
use super::{AuditError, directory};
use crate::hexadecimal::hexadecimal;

/// So many records are looked at for one page.
const LOOKED_AT: u64 = 50_000;
/// A file may be removed, or made of rows, while it is looked for.
const TRIES: usize = 5;
/// What the state store is called in a verdict.
const STORE: &str = "state store";

/// Nothing is written, so this goes on while the agent works, and beside a store that lies still.
fn open(store: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(store, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    Ok(connection)
}

/// Follows the chain from its start to its end. What is wrong is in the verdict; an error is that
/// nothing could be looked at.
pub fn verify(store: &Path) -> Result<AuditVerdict, AuditError> {
    let mut connection = open(store)?;
    let mut tries = 1;
    loop {
        let transaction = connection.transaction()?;
        let start = rows::end(&transaction, End::Start)?;
        let mut walk = Walk { start, head: start, rows_from: None };
        let flaw = walk.all(&transaction, &directory(store)).err();
        drop(transaction);
        let moved = rows::end(&connection, End::Start)? != start;
        if flaw.is_none() || !moved || tries == TRIES {
            return Ok(verdict(walk, flaw));
        }
        tries += 1;
    }
}

fn verdict(walk: Walk, flaw: Option<(String, Flaw)>) -> AuditVerdict {
    let sequence = walk.head.sequence + 1;
    let flaw = flaw.map(|(place, flaw)| AuditFlaw { sequence, place, what: flaw.to_string() });
    let hash = hexadecimal(&walk.head.hash);
    AuditVerdict { first: walk.start.sequence + 1, whole_to: walk.head.sequence, hash, flaw }
}

/// How far the chain has been followed.
struct Walk {
    start: Head,
    head: Head,
    /// What the first row of the store goes on from, where a file has been seen that has it too.
    rows_from: Option<Head>,
}

impl Walk {
    fn all(&mut self, transaction: &Transaction<'_>, directory: &Path) -> Result<(), (String, Flaw)> {
        let in_store = |flaw| (STORE.to_owned(), flaw);
        let of_store = |error: rusqlite::Error| in_store(Flaw::Store(error.to_string()));
        let first = rows::oldest(transaction, 1).map_err(of_store)?.first().map(|row| row.sequence);
        let listed = files::list(directory).map_err(|error| in_store(Flaw::File(error.to_string())))?;
        let start = self.start.sequence;
        for file in listed.into_iter().filter(|file| file.first > start) {
            self.file(&file, first).map_err(|flaw| (file.name(), flaw))?;
        }
        self.rows(transaction).map_err(in_store)?;
        let head = rows::end(transaction, End::Head).map_err(of_store)?;
        match head.sequence.cmp(&self.head.sequence) {
            std::cmp::Ordering::Greater => Err(in_store(Flaw::CutOff(head.sequence))),
            std::cmp::Ordering::Less => Err(in_store(Flaw::BehindTheHead)),
            std::cmp::Ordering::Equal if head != self.head => Err(in_store(Flaw::OtherHead)),
            std::cmp::Ordering::Equal => Ok(()),
        }
    }

    fn file(&mut self, file: &AuditFile, first_row: Option<u64>) -> Result<(), Flaw> {
        let unreadable = |error: AuditError| Flaw::File(error.to_string());
        for record in file.records().map_err(unreadable)? {
            if first_row == Some(self.head.sequence + 1) {
                self.rows_from = Some(self.head);
            }
            self.head = self.head.follow(&record.map_err(unreadable)?.ok_or(Flaw::Unreadable)?)?;
        }
        Ok(())
    }

    /// Rows that a file has too, since a crash kept them from being removed, have to be the same.
    fn rows(&mut self, transaction: &Transaction<'_>) -> Result<(), Flaw> {
        let broken = |error: rusqlite::Error| Flaw::Store(error.to_string());
        let (of_files, mut head) = (self.head, self.rows_from.unwrap_or(self.head));
        let sql = "SELECT sequence, hash, record FROM audit ORDER BY sequence";
        let mut query = transaction.prepare(sql).map_err(broken)?;
        let mut records = query.query([]).map_err(broken)?;
        while let Some(row) = records.next().map_err(broken)? {
            let next = rows::stored(row).map_err(|_| Flaw::Unreadable).and_then(|row| head.follow(&row));
            head = next.inspect_err(|_| self.head = head)?;
            if head.sequence == of_files.sequence && head != of_files {
                return Err(Flaw::Differs);
            }
            if head.sequence > of_files.sequence {
                self.head = head;
            }
        }
        Ok(())
    }
}

/// Records that a filter admits, newest first.
pub fn page(store: &Path, filter: &AuditFilter) -> Result<AuditPage, AuditError> {
    let mut search = Search::new(filter);
    let connection = open(store)?;
    let before = filter.before.unwrap_or(u64::MAX);
    search.through(rows::newest_below(&connection, before, LOOKED_AT)?)?;
    let start = rows::end(&connection, End::Start)?;
    for file in files::list(&directory(store))?.iter().rev().filter(|file| file.first > start.sequence) {
        if search.is_over() || file.first >= search.reached.unwrap_or(before) {
            continue;
        }
        let mut records = file.records()?.filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()?;
        records.retain(|record| record.sequence < search.reached.unwrap_or(before));
        records.reverse();
        search.through(records)?;
    }
    let end = search.reached.unwrap_or(before).min(before);
    let is_last = !search.is_over() || end <= start.sequence + 1;
    Ok(AuditPage { records: search.found, next: (!is_last).then_some(end) })
}

/// A page that is being filled.
struct Search<'a> {
    filter: &'a AuditFilter,
    limit: usize,
    found: Vec<AuditRecord>,
    looked_at: u64,
    /// The lowest number that has been looked at.
    reached: Option<u64>,
}

impl<'a> Search<'a> {
    fn new(filter: &'a AuditFilter) -> Self {
        let limit = filter.limit.clamp(1, MOST_RECORDS);
        Self { filter, limit, found: Vec::new(), looked_at: 0, reached: None }
    }

    fn is_over(&self) -> bool {
        self.found.len() >= self.limit || self.looked_at >= LOOKED_AT
    }

    fn through(&mut self, records: Vec<Stored>) -> Result<(), AuditError> {
        for stored in records {
            if self.is_over() {
                break;
            }
            let (sequence, read) = (stored.sequence, serde_json::from_str(&stored.record));
            let record: AuditRecord = read.map_err(|source| AuditError::Record { sequence, source })?;
            self.looked_at += 1;
            self.reached = Some(sequence);
            if self.filter.admits(&record) {
                self.found.push(record);
            }
        }
        Ok(())
    }
}
