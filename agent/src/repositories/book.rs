//! The repositories that there are, in memory and in the state store, and who is at work on which.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use accountd_protocol::audit::AuditEvent;
use accountd_protocol::id::AccountId;
use accountd_protocol::refusal::Refusal;
use accountd_protocol::repository::{RepositoryFault, RepositoryId, RepositoryRef};

use crate::database::{Database, QuotaStore, RepositoryRow, RepositoryWrite, Stage};

/// How long somebody waits who wants to change what somebody else is changing.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub struct Book {
    store: QuotaStore,
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug)]
struct Inner {
    rows: BTreeMap<RepositoryId, RepositoryRow>,
    next: u64,
    claimed: HashSet<RepositoryId>,
    pulling: HashSet<RepositoryId>,
}

/// What one is at work on; given back when dropped.
#[derive(Debug)]
pub struct Claim<'a> {
    book: &'a Book,
    id: RepositoryId,
}

/// A pull that is under way; over when dropped.
#[derive(Debug)]
pub struct Pulling<'a> {
    book: &'a Book,
    id: RepositoryId,
}

impl Book {
    pub fn of(database: &Database) -> Self {
        let (rows, next) = database.stored_repositories();
        let rows = rows.iter().map(|row| (row.id, row.clone())).collect();
        let inner = Inner { rows, next, claimed: HashSet::new(), pulling: HashSet::new() };
        Self { store: database.quota_store(), inner: Mutex::new(inner), changed: Condvar::new() }
    }

    /// By their names.
    pub fn kept(&self) -> Vec<RepositoryRow> {
        let mut rows: Vec<RepositoryRow> =
            self.lock().rows.values().filter(|row| row.stage == Stage::Kept).cloned().collect();
        rows.sort_by(|one, other| one.name.cmp(&other.name));
        rows
    }

    pub fn all(&self) -> Vec<RepositoryRow> {
        self.lock().rows.values().cloned().collect()
    }

    pub fn find(&self, which: &RepositoryRef) -> Option<RepositoryRow> {
        let inner = self.lock();
        let row = match which {
            RepositoryRef::Id(id) => inner.rows.get(id),
            RepositoryRef::Name(name) => inner.rows.values().find(|row| row.name == *name),
        };
        row.filter(|row| row.stage == Stage::Kept).cloned()
    }

    pub fn next(&self) -> RepositoryId {
        let mut inner = self.lock();
        let id = RepositoryId(inner.next.max(1));
        inner.next = id.0 + 1;
        id
    }

    /// The name of one that an account owns.
    pub fn owned_by(&self, account: AccountId) -> Option<String> {
        self.lock()
            .rows
            .values()
            .find(|row| row.owner == account && row.stage == Stage::Kept)
            .map(|row| row.name.clone())
    }

    /// On disk, with its records, when this returns.
    pub fn put(&self, row: RepositoryRow, events: Vec<AuditEvent>) -> Result<(), Refusal> {
        self.store.write_repository(RepositoryWrite::Put(Box::new(row.clone())), events)?;
        self.lock().rows.insert(row.id, row);
        Ok(())
    }

    pub fn remove(&self, id: RepositoryId, events: Vec<AuditEvent>) -> Result<(), Refusal> {
        self.store.write_repository(RepositoryWrite::Remove(id), events)?;
        self.lock().rows.remove(&id);
        Ok(())
    }

    /// Waits for whoever is at work on it. What was known of it before may not be so any more: the row
    /// is the one that it is.
    pub fn claim(&self, id: RepositoryId) -> Result<(Claim<'_>, RepositoryRow), Refusal> {
        self.claim_within(id, PATIENCE)
    }

    fn claim_within(&self, id: RepositoryId, patience: Duration) -> Result<(Claim<'_>, RepositoryRow), Refusal> {
        let deadline = Instant::now() + patience;
        let mut inner = self.lock();
        while inner.claimed.contains(&id) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(RepositoryFault::BeingChanged.into());
            }
            inner = self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let row = inner.rows.get(&id).filter(|row| row.stage == Stage::Kept).cloned();
        let row = row.ok_or(RepositoryFault::NotFound)?;
        inner.claimed.insert(id);
        Ok((Claim { book: self, id }, row))
    }

    /// One pull at a time; a repository that is pulled into can be changed meanwhile.
    pub fn begin_pull(&self, id: RepositoryId) -> Result<Pulling<'_>, Refusal> {
        match self.lock().pulling.insert(id) {
            true => Ok(Pulling { book: self, id }),
            false => Err(RepositoryFault::Pulling.into()),
        }
    }

    pub fn is_pulling(&self, id: RepositoryId) -> bool {
        self.lock().pulling.contains(&id)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.book.lock().claimed.remove(&self.id);
        self.book.changed.notify_all();
    }
}

impl Drop for Pulling<'_> {
    fn drop(&mut self) {
        self.book.lock().pulling.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repositories::tests::World;

    #[test]
    fn one_is_at_work_at_a_time_and_whoever_waits_too_long_is_told() {
        let world = World::new("");
        let id = world.create("r").unwrap().id;
        let book = &world.agent.repositories.book;
        let (claim, _) = book.claim(id).unwrap();
        let refused = book.claim_within(id, Duration::from_millis(20)).map(drop);
        assert_eq!(refused, Err(RepositoryFault::BeingChanged.into()));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| book.claim(id).map(|(_, row)| row.name));
            drop(claim);
            assert_eq!(waiting.join().unwrap(), Ok("r".to_owned()));
        });
    }

    #[test]
    fn one_pull_is_under_way_at_a_time() {
        let world = World::new("");
        let id = world.create("r").unwrap().id;
        let book = &world.agent.repositories.book;
        let pulling = book.begin_pull(id).unwrap();
        assert_eq!(book.begin_pull(id).map(drop), Err(RepositoryFault::Pulling.into()));
        drop(pulling);
        assert!(!book.is_pulling(id) && book.begin_pull(id).is_ok());
    }
}
