//! What sessions ask for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use accountd_protocol::agent::QuotaEnd;
use accountd_protocol::id::AccountId;
use accountd_protocol::quota::{QuotaAnswer, QuotaBackend, QuotaExceeded, QuotaRequest, QuotaUse};
use accountd_protocol::refusal::Refusal;

use super::backend::Subject;
use super::books::Books;
use super::count::{Count, Next};
use super::holder::Holder;
use super::ledger::locked;
use super::scans::{Added, now};
use crate::database::QuotaWrite;

/// How long a lease waits for a scan.
const PATIENCE: Duration = Duration::from_secs(30);

/// An account, and the number of its session.
pub type Of = (AccountId, u64);

impl Books {
    pub fn answer(self: &Arc<Self>, of: Of, request: QuotaRequest) -> Result<QuotaAnswer, Refusal> {
        let holder = self.holder(of.0)?;
        match request {
            QuotaRequest::Lease(need) => self.lease(&holder, of.1, need),
            QuotaRequest::Return { unused, freed } => {
                locked(&self.ledger.count(of.0)).give_back(of.1, unused, freed);
                Ok(QuotaAnswer::Taken)
            }
            QuotaRequest::Use => self.usage(&holder),
        }
    }

    /// Where the kernel counts, or nothing is limited by now, everything is granted.
    fn lease(self: &Arc<Self>, holder: &Holder, session: u64, need: QuotaUse) -> Result<QuotaAnswer, Refusal> {
        if !holder.has_quota() || self.backend_of(holder) != QuotaBackend::Ledger {
            return Ok(QuotaAnswer::Leased(need));
        }
        let (count, end) = (self.ledger.count(holder.account), Instant::now() + PATIENCE);
        if locked(&count).is_unknown() {
            self.scan_through(holder, end);
        }
        let (mut leased, is_doubtful) = {
            let mut count = locked(&count);
            let leased = self.try_to_lease(holder, &mut count, (session, need))?;
            // Others may have removed files of which the ledger does not know. Asked while nobody can change
            // the count: a scan that ends now has room for the lease that was refused before it.
            (leased, count.may_be_less() || count.is_old(now()))
        };
        if leased.is_err() && is_doubtful {
            self.scan_through(holder, end);
            leased = self.try_to_lease(holder, &mut locked(&count), (session, need))?;
        }
        Ok(leased.map_or_else(QuotaAnswer::Exceeded, |()| QuotaAnswer::Leased(need)))
    }

    /// The ceiling is on disk before a lease is given that it has to cover. The limits are those of now.
    fn try_to_lease(
        &self,
        holder: &Holder,
        count: &mut Count,
        (session, need): (u64, QuotaUse),
    ) -> Result<Result<(), QuotaExceeded>, Refusal> {
        let limits = self.holder(holder.account)?.limits;
        if let Err(exceeded) = count.lease(session, need, limits) {
            return Ok(Err(exceeded));
        }
        if let Some(row) = count.ceiling_to_store(holder.account) {
            self.store.write(QuotaWrite::Count(row)).inspect_err(|_| {
                count.not_stored();
                count.give_back(session, need, QuotaUse::default());
            })?;
        }
        Ok(Ok(()))
    }

    fn usage(&self, holder: &Holder) -> Result<QuotaAnswer, Refusal> {
        let used = match self.find(&holder.home) {
            Ok((home, place)) => {
                let subject = Subject { account: holder.account, uid: holder.uid, home: &home };
                self.backend(place.backend).usage(subject).map(|usage| usage.used)
            }
            Err(error) => Err(error),
        };
        let used = used.map_err(|error| Refusal::Internal(format!("cannot read what is used: {error}")))?;
        Ok(QuotaAnswer::Use { limits: holder.limits, used })
    }

    fn backend_of(&self, holder: &Holder) -> QuotaBackend {
        self.find(&holder.home).map_or(QuotaBackend::Ledger, |(_, place)| place.backend)
    }

    /// A session goes on that has leased from an agent of before.
    pub fn session_resumed(&self, (account, session): Of, kept: QuotaUse, largest: QuotaUse) {
        let Ok(holder) = self.holder(account) else { return };
        if !holder.has_quota() || self.backend_of(&holder) != QuotaBackend::Ledger {
            return;
        }
        let count = self.ledger.count(account);
        let mut count = locked(&count);
        count.resume(session, kept, largest);
        if let Some(row) = count.ceiling_to_store(account) {
            self.store.note(QuotaWrite::Count(row));
        }
    }

    pub fn session_ended(self: &Arc<Self>, (account, session): Of, how: QuotaEnd) {
        let Ok(holder) = self.holder(account) else { return };
        if !holder.has_quota() || self.backend_of(&holder) != QuotaBackend::Ledger {
            return;
        }
        let count = self.ledger.count(account);
        let mut count = locked(&count);
        let next = count.end(session, how);
        if let Some(row) = count.exact_to_store(account) {
            self.store.note(QuotaWrite::Count(row));
        }
        drop(count);
        match next {
            Next::Nothing => {}
            Next::ScanLater => drop(self.tasks().to_scan.insert(account)),
            // One that is under way has begun before the end.
            Next::ScanNow => {
                if self.begin_scan(account, &holder.name) == Added::Present {
                    self.tasks().to_scan.insert(account);
                }
            }
        }
    }
}
