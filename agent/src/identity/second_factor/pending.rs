//! Enrolments that were begun and are not confirmed: in memory alone, for a while.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use accountd_protocol::id::AccountId;
use accountd_protocol::two_factor::PENDING_SECONDS;
use zeroize::Zeroizing;

use super::codes::SECRET_BYTES;

/// The most at a time; the oldest gives way.
const MOST: usize = 4096;
const LIFETIME: Duration = Duration::from_secs(PENDING_SECONDS);

pub type FactorSecret = Zeroizing<[u8; SECRET_BYTES]>;

#[derive(Debug, Default)]
pub struct Pending(Mutex<HashMap<AccountId, Begun>>);

struct Begun {
    secret: FactorSecret,
    at: Instant,
}

impl std::fmt::Debug for Begun {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Begun(…)")
    }
}

impl Pending {
    /// In the place of one that was begun before.
    pub fn begin(&self, account: AccountId, secret: FactorSecret, now: Instant) {
        let mut all = self.lock();
        all.retain(|_, begun| now.saturating_duration_since(begun.at) < LIFETIME);
        if all.len() >= MOST && !all.contains_key(&account) {
            let oldest = all.iter().min_by_key(|(_, begun)| begun.at).map(|(account, _)| *account);
            oldest.and_then(|account| all.remove(&account));
        }
        all.insert(account, Begun { secret, at: now });
    }

    pub fn of(&self, account: AccountId, now: Instant) -> Option<FactorSecret> {
        let all = self.lock();
        let begun = all.get(&account).filter(|begun| now.saturating_duration_since(begun.at) < LIFETIME)?;
        Some(begun.secret.clone())
    }

    pub fn forget(&self, account: AccountId) {
        self.lock().remove(&account);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, Begun>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_kept_for_ten_minutes_and_a_new_one_takes_its_place() {
        let (pending, now, anna) = (Pending::default(), Instant::now(), AccountId(7));
        let of = |now| pending.of(anna, now).map(|secret| secret[0]);
        pending.begin(anna, Zeroizing::new([1; SECRET_BYTES]), now);
        assert_eq!((of(now), of(now + LIFETIME)), (Some(1), None));
        pending.begin(anna, Zeroizing::new([2; SECRET_BYTES]), now);
        assert_eq!(of(now), Some(2));
        pending.forget(anna);
        assert_eq!(of(now), None);
    }

    #[test]
    fn there_are_never_more_than_so_many_and_none_is_in_the_log() {
        let (pending, now) = (Pending::default(), Instant::now());
        for number in 0..MOST as u64 + 5 {
            let at = now + Duration::from_micros(number);
            pending.begin(AccountId(number), Zeroizing::new([7; SECRET_BYTES]), at);
        }
        assert_eq!(pending.lock().len(), MOST);
        assert!(pending.of(AccountId(0), now).is_none() && pending.of(AccountId(9), now).is_some());
        assert!(!format!("{pending:?}").contains("7, 7"));
    }
}
