//! The thread that stores logins, refusals and bans: a few seconds after the first, all together.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use accountd_protocol::audit::AuditEvent;
use accountd_protocol::refusal::Refusal;

use super::moment;
use super::pending::{Attempt, Name, Pending, Take};
use crate::database::Database;

/// From the first that waits to the next store.
const PAUSE: Duration = Duration::from_secs(3);

/// What waits, and who is to be woken for it.
#[derive(Debug, Default)]
pub struct Clerk {
    pending: Mutex<Pending>,
    something: Condvar,
}

impl Clerk {
    /// Somebody was let in.
    pub fn granted(&self, attempt: Attempt) {
        self.lock().granted(attempt, moment());
        self.something.notify_one();
    }

    /// Somebody was refused something.
    pub fn refused(&self, attempt: Attempt, name: Name) {
        self.lock().count(attempt, name, moment());
        self.something.notify_one();
    }

    /// The agent itself has done something.
    pub fn done(&self, event: AuditEvent) {
        self.lock().done(event);
        self.something.notify_one();
    }

    /// Stores for ever what comes to wait.
    pub fn serve(&self, database: &Database) {
        loop {
            let mut pending = self.lock();
            while pending.is_empty() {
                pending = self.something.wait(pending).unwrap_or_else(PoisonError::into_inner);
            }
            drop(pending);
            std::thread::sleep(PAUSE);
            if let Err(refusal) = self.store(database, Take::Due) {
                tracing::error!(%refusal, "logins and refusals can not be recorded now; it is tried again");
            }
        }
    }

    /// Stores everything that waits: for whoever asks what there is, or before the end.
    pub fn store_all(&self, database: &Database) -> Result<(), Refusal> {
        self.store(database, Take::All)
    }

    fn store(&self, database: &Database, take: Take) -> Result<(), Refusal> {
        let events = self.lock().take(take, Instant::now());
        if events.is_empty() {
            return Ok(());
        }
        database.record(events.clone()).inspect_err(|_| self.lock().give_back(events))
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
