//! How much accounts store, and how much they may.
//!
//! Where a home lies decides who counts: the kernel's user quotas, a qgroup of btrfs, or the ledger, which
//! leases to sessions what they are about to write.

mod amount;
mod apply;
mod backend;
mod books;
mod btrfs;
mod changes;
mod count;
mod holder;
mod kernel;
mod leases;
mod ledger;
mod place;
mod report;
mod scan;
mod scans;

#[cfg(test)]
mod tests;

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use accountd_protocol::agent::QuotaEnd;
use accountd_protocol::id::AccountId;
use accountd_protocol::quota::{QuotaAnswer, QuotaBackend, QuotaRequest, QuotaUse};
use accountd_protocol::refusal::Refusal;

pub use self::leases::Of;

use self::books::{Books, Tasks};
use self::changes::{Changes, Work};
use self::ledger::Ledger;
use self::place::Places;
use self::scans::Scans;
use crate::database::Database;

/// After so long without a change the thread looks around.
const ROUND: Duration = Duration::from_secs(30);
/// How long an answer waits for limits to be set.
const SET_DEADLINE: Duration = Duration::from_secs(5);

/// Every back end, and what is counted in the ledger.
#[derive(Debug)]
pub struct Quotas {
    books: Arc<Books>,
    changes: Arc<Changes>,
}

impl Quotas {
    /// Starts the thread that sets limits: all of them first.
    pub fn start(root: &OwnedFd, database: &Database) -> std::io::Result<Self> {
        let marks = database.stored_quota_marks().iter().cloned().collect();
        let books = Arc::new(Books {
            root: root.try_clone()?,
            store: database.quota_store(),
            places: Places::default(),
            ledger: Ledger::new(database.stored_quota_counts()),
            scans: Scans::default(),
            tasks: Mutex::new(Tasks { marks, ..Tasks::default() }),
        });
        books.tasks().known = apply::known_at_start(&books);
        books.tasks().mounts = std::fs::read("/proc/self/mountinfo")?;
        books.forget_unlimited(database.stored_quota_counts());
        let changes = Arc::new(Changes::default());
        let noting = changes.clone();
        database.on_touched(Box::new(move |before, after, names| noting.note(before, after, names)));
        changes.add_later(books.all_uids());
        let (weak, waiting) = (Arc::downgrade(&books), changes.clone());
        std::thread::Builder::new().name("quotas".into()).spawn(move || {
            loop {
                let work = waiting.next(ROUND);
                let Some(books) = weak.upgrade() else { return };
                match work {
                    Work::Set(uids) => uids.into_iter().for_each(|uid| books.apply(uid)),
                    Work::LookAround => waiting.add_later(books.look_around()),
                    Work::End => return,
                }
            }
        })?;
        Ok(Self { books, changes })
    }

    /// Who counts what is in a home.
    pub fn backend_of(&self, home: &Path) -> QuotaBackend {
        self.books.find(home).map_or(QuotaBackend::Ledger, |(_, place)| place.backend)
    }

    pub fn answer(&self, of: Of, request: QuotaRequest) -> Result<QuotaAnswer, Refusal> {
        self.books.answer(of, request)
    }

    pub fn session_ended(&self, of: Of, how: QuotaEnd) {
        self.books.session_ended(of, how);
    }

    pub fn session_resumed(&self, of: Of, kept: QuotaUse, largest: QuotaUse) {
        self.books.session_resumed(of, kept, largest);
    }

    /// The sessions that have leased something and have not ended.
    pub fn open_sessions(&self) -> Vec<Of> {
        self.books.ledger.open_sessions()
    }

    /// Waits until the limits of committed changes are set, for a while.
    pub fn settle(&self) {
        self.changes.settle(SET_DEADLINE);
    }

    /// What was to become of an account's home is done.
    pub fn home_has_changed(&self, account: AccountId) {
        self.books.home_has_changed(account);
    }
}

impl Drop for Quotas {
    fn drop(&mut self) {
        self.changes.close();
        self.books.scans.cancel_all();
    }
}
