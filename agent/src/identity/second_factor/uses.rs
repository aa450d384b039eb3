//! Which codes have been used: in memory first, so that of several at once one wins, then in the store.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use accountd_protocol::id::AccountId;

use crate::database::{FactorRow, FactorUse};

/// By enrolment: whoever looks at one that was replaced meanwhile does not touch the other.
#[derive(Debug, Default)]
pub struct Uses(Mutex<HashMap<u64, FactorUse>>);

/// A code that was right and is used now, with what is to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    Step(FactorUse),
    Recovery(FactorUse),
}

impl Uses {
    pub fn new(stored: &[FactorUse]) -> Self {
        Self(Mutex::new(stored.iter().map(|used| (used.enrolment, *used)).collect()))
    }

    /// What has been used of an enrolment.
    pub fn of(&self, row: &FactorRow) -> FactorUse {
        *current(&mut self.lock(), row)
    }

    /// `None`: a code of this step or of a later one was used before. So a clock that was set back has
    /// nobody's code taken again.
    pub fn claim_step(&self, row: &FactorRow, step: u64) -> Option<Claimed> {
        let mut uses = self.lock();
        let used = current(&mut uses, row);
        if step <= used.step {
            return None;
        }
        used.step = step;
        Some(Claimed::Step(*used))
    }

    /// `None`: this recovery code was used before.
    pub fn claim_recovery(&self, row: &FactorRow, place: usize) -> Option<Claimed> {
        let bit = 1_u32.checked_shl(u32::try_from(place).ok()?)?;
        let mut uses = self.lock();
        let used = current(&mut uses, row);
        if used.used & bit != 0 {
            return None;
        }
        used.used |= bit;
        Some(Claimed::Recovery(*used))
    }

    /// An account has no other enrolment any more than this one, or none.
    pub fn keep_only(&self, account: AccountId, enrolment: Option<u64>) {
        self.lock().retain(|known, used| used.account != account || Some(*known) == enrolment);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, FactorUse>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn current<'a>(uses: &'a mut HashMap<u64, FactorUse>, row: &FactorRow) -> &'a mut FactorUse {
    let FactorRow { account, enrolment, step, .. } = row;
    uses.entry(*enrolment).or_insert(FactorUse { account: *account, enrolment: *enrolment, step: *step, used: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(enrolment: u64, step: u64) -> FactorRow {
        FactorRow { account: AccountId(7), enrolment, since: 0, sealed: Vec::new(), recovery: Vec::new(), step }
    }

    #[test]
    fn a_step_is_taken_once_and_none_before_it_after() {
        let (uses, row) = (Uses::default(), row(1, 100));
        let taken = |step| uses.claim_step(&row, step).is_some();
        assert_eq!([taken(100), taken(101), taken(101), taken(100), taken(102)], [false, true, false, false, true]);
        assert_eq!(uses.of(&row).step, 102);
    }

    #[test]
    fn of_many_at_once_one_wins() {
        let (uses, row) = (Uses::default(), row(1, 0));
        let count = |claim: &(dyn Fn() -> bool + Sync)| {
            std::thread::scope(|scope| {
                let threads: Vec<_> = (0..20).map(|_| scope.spawn(claim)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).filter(|won| *won).count()
            })
        };
        assert_eq!(count(&|| uses.claim_step(&row, 5).is_some()), 1);
        assert_eq!(count(&|| uses.claim_recovery(&row, 3).is_some()), 1);
    }

    #[test]
    fn what_was_used_of_another_enrolment_counts_for_nothing_and_what_is_stored_counts() {
        let stored = FactorUse { account: AccountId(7), enrolment: 1, step: 50, used: 0b100 };
        let uses = Uses::new(&[stored]);
        assert!(uses.claim_recovery(&row(1, 0), 2).is_none() && uses.claim_step(&row(1, 0), 50).is_none());
        assert!(uses.claim_recovery(&row(2, 60), 2).is_some());
        assert!(uses.claim_step(&row(2, 60), 60).is_none(), "the code that it was confirmed with");
        assert!(uses.claim_recovery(&row(2, 60), 32).is_none());
        // Whoever comes late with the old one changes nothing of the new one.
        assert!(uses.claim_step(&row(1, 0), 51).is_some());
        assert!(uses.claim_recovery(&row(2, 60), 2).is_none());
        uses.keep_only(AccountId(7), Some(2));
        assert_eq!(uses.of(&row(1, 0)).used, 0);
        assert_ne!(uses.of(&row(2, 60)).used, 0);
    }
}
