//! From where accounts have logged in: whoever tries passwords of an account elsewhere does not keep
//! its owner out there.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use accountd_protocol::id::AccountId;

use super::source::Source;

/// So long after the last login.
const LIFETIME: Duration = Duration::from_secs(30 * 86_400);
/// So many sources of one account; the one that was used the longest time ago gives way.
const MOST_OF_ONE: usize = 16;
const MOST_ACCOUNTS: usize = 4096;

#[derive(Debug, Default)]
pub struct Acquaintances(HashMap<AccountId, Vec<(Source, Instant)>>);

impl Acquaintances {
    pub fn knows(&self, account: AccountId, source: Source, now: Instant) -> bool {
        let sources = self.0.get(&account).map(Vec::as_slice).unwrap_or_default();
        sources.iter().any(|(known, at)| *known == source && now.saturating_duration_since(*at) < LIFETIME)
    }

    pub fn meet(&mut self, account: AccountId, source: Source, now: Instant) {
        if self.0.len() >= MOST_ACCOUNTS && !self.0.contains_key(&account) {
            let latest = |sources: &[(Source, Instant)]| sources.last().map(|(_, at)| *at);
            let oldest = self.0.iter().min_by_key(|(_, sources)| latest(sources)).map(|(account, _)| *account);
            oldest.and_then(|account| self.0.remove(&account));
        }
        let sources = self.0.entry(account).or_default();
        sources.retain(|(known, _)| *known != source);
        sources.push((source, now));
        if sources.len() > MOST_OF_ONE {
            sources.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(number: u32) -> Source {
        Source::of(std::net::IpAddr::V4(number.into()))
    }

    #[test]
    fn a_source_is_known_to_its_account_for_thirty_days_after_the_last_login() {
        let (mut known, now) = (Acquaintances::default(), Instant::now());
        known.meet(AccountId(1), source(1), now);
        let day = Duration::from_secs(86_400);
        assert!(known.knows(AccountId(1), source(1), now + day * 29));
        assert!(!known.knows(AccountId(1), source(1), now + day * 30));
        assert!(!known.knows(AccountId(1), source(2), now) && !known.knows(AccountId(2), source(1), now));
        known.meet(AccountId(1), source(1), now + day * 20);
        assert!(known.knows(AccountId(1), source(1), now + day * 40));
    }

    #[test]
    fn the_latest_sources_and_accounts_stay() {
        let (mut known, now) = (Acquaintances::default(), Instant::now());
        for number in 0..40 {
            known.meet(AccountId(1), source(number), now);
        }
        assert!(known.knows(AccountId(1), source(39), now) && known.knows(AccountId(1), source(24), now));
        assert!(!known.knows(AccountId(1), source(23), now));
        for account in 2..5000 {
            known.meet(AccountId(account), source(1), now + Duration::from_secs(account));
        }
        assert_eq!(known.0.len(), MOST_ACCOUNTS);
        assert!(known.knows(AccountId(4999), source(1), now) && !known.knows(AccountId(1), source(39), now));
    }
}
